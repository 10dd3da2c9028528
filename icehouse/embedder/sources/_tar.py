"""Tars of images, in the convention of WebDataset or as folders would be.

Members that share their name up to the first dot of its last part belong together: an image,
``.cls`` (the text of its label) and ``.json`` (an object: ``label``, ``labels``, ``split``, and
further fields that are kept). An image that stands alone gets its label from its folder.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from icehouse.embedder.sources._cells import SAID, extra_of, labels_of, split_of
from icehouse.embedder.sources._listing import Entry, Layout, Listing, printable
from icehouse.embedder.sources._origins import Blob, Lost, Slice
from icehouse.embedder.sources._tar_index import Member, members
from icehouse.errors import ImageError, ImageErrorKind, SourceError

IMAGE_SUFFIXES = {
    "avif", "bmp", "gif", "j2k", "jfif", "jp2", "jpe", "jpeg", "jpg", "pbm", "pgm", "png", "pnm",
    "ppm", "qoi", "tif", "tiff", "webp",
}  # fmt: skip
MAX_SIDECAR = 2**20
"""Bytes of a .cls or .json that is read."""
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass
class _Shard:
    """What one tar holds.

    Attributes
    ----------
    images : dict
        Parts of the name and member by key.
    beside : dict
        What ``.cls`` and ``.json`` say, by what their names share with an image.
    unclear : list of Entry
        Those that say nothing that can be understood.
    broken : list of Entry
        What else is wrong.
    """

    images: dict[str, tuple[list[str], Member]] = field(default_factory=dict)
    beside: dict[str, dict[str, Any]] = field(default_factory=dict)
    unclear: list[Entry] = field(default_factory=list)
    broken: list[Entry] = field(default_factory=list)


def expand(pattern: str) -> list[str]:
    """Write out the ranges of a brace pattern.

    >>> expand("train-{08..10}.tar")
    ['train-08.tar', 'train-09.tar', 'train-10.tar']
    """
    found = _RANGE.search(pattern)
    if not found:
        return [pattern]
    first, last = found.groups()
    names = [
        pattern[: found.start()] + str(number).zfill(len(first)) + pattern[found.end() :]
        for number in range(int(first), int(last) + 1)
    ]
    return [each for name in names for each in expand(name)]


def list_tars(
    blobs: Sequence[Blob], prefixes: Sequence[str], source: str, name: str, *, labels: bool = True
) -> Listing:
    """List the images of some tars.

    Parameters
    ----------
    blobs : sequence of Blob
        Of one tar each.
    prefixes : sequence of str
        What the keys of each begin with.
    source, name : str
    labels : bool
        Whether to take labels from what stands beside an image, and from folders.

    Raises
    ------
    SourceError
        No images, or a tar that is compressed or that the system refuses to read.
    """
    shards = [_read(blob, prefix) for blob, prefix in zip(blobs, prefixes, strict=True)]
    inside = [parts for shard in shards for parts, _ in shard.images.values()]
    layout = Layout.of_archive(inside, labels) if inside else Layout(False, labels)
    entries: dict[str, Entry] = {}
    for blob, shard in zip(blobs, shards, strict=True):
        for key, (_, member) in shard.images.items():
            entries[key] = _entry(key, blob, member, shard.beside.get(_stem(key), {}), layout)
        entries |= {entry.key: entry for entry in shard.broken}
    if not inside:
        wrong = next((f": {entry.detail}" for entry in entries.values()), "")
        raise SourceError(f"{source} holds no images{wrong}")
    many = any("labels" in record for shard in shards for record in shard.beside.values())
    return Listing(source, name, list(entries.values()), many and labels)


def _read(blob: Blob, prefix: str) -> _Shard:
    shard = _Shard()
    bodies: dict[str, Member] = {}
    try:
        for member in members(blob):
            _sort_in(shard, blob, prefix, _linked(member, bodies))
    except ImageError as error:
        raise SourceError(f"{blob.name} cannot be read: {error.detail}") from error
    about = {_stem(key) for key in shard.images}  # other files may be called .json too
    shard.broken += [entry for entry in shard.unclear if _stem(entry.key) in about]
    return shard


def _broken(key: str, kind: ImageErrorKind, detail: str) -> Entry:
    return Entry(key, Lost(kind, detail), error=kind, detail=detail)


def _linked(member: Member, bodies: dict[str, Member]) -> Member:
    """Resolve a hard link to a member that came before; note what others may be linked to."""
    name = "/".join(_parts(member.name))
    if member.type == tarfile.LNKTYPE:
        body = bodies.get("/".join(_parts(member.target)))
        if body is not None:
            return Member(member.name, member.at, body.start, body.size)
    elif member.error is None and _suffix(name) in IMAGE_SUFFIXES:
        bodies[name] = member
    return member


def _sort_in(shard: _Shard, blob: Blob, prefix: str, member: Member) -> None:
    parts = _parts(member.name)
    key = prefix + (printable("/".join(parts)) or f"byte {member.at}")
    suffix = _suffix(key)
    hidden = any(part.startswith(".") and part != ".." for part in parts)
    if member.error is not None and (hidden or suffix not in IMAGE_SUFFIXES):
        shard.broken.append(_broken(key, member.error, member.detail or ""))
    elif hidden or not parts:
        return
    elif suffix in IMAGE_SUFFIXES:
        shard.images.pop(key, None)  # of two members of one name, the later one counts
        shard.images[key] = parts, member
    elif suffix in ("cls", "json"):
        try:
            record = shard.beside.setdefault(_stem(key), {})
            record.update(_said(blob, member, suffix))
        except (ValueError, RecursionError) as error:
            shard.unclear.append(_broken(key, ImageErrorKind.CORRUPT, str(error)))


def _said(blob: Blob, member: Member, suffix: str) -> Iterator[tuple[str, Any]]:
    if member.size > MAX_SIDECAR:
        raise ValueError(f"{member.size} bytes are too many for a .{suffix}")
    text = blob.read(member.start, member.size).decode()
    if suffix == "cls":
        return iter([(".cls", text.strip())])
    record = json.loads(text)
    if not isinstance(record, dict):
        raise ValueError(f"no JSON object, but {text[:40]!r}")
    return iter(record.items())


def _entry(key: str, blob: Blob, member: Member, beside: dict[str, Any], layout: Layout) -> Entry:
    parts = _parts(member.name)
    labels, split = layout.read(parts)
    if layout.labels:
        given = {"label": beside[".cls"]} if beside.get(".cls") else beside
        said = labels_of(given)
        labels = labels if said is None else said
    extra = extra_of(beside, [name for name in beside if name not in (*SAID, ".cls")])
    split = split_of(beside.get("split")) or split
    error, detail = member.error, member.detail
    if error is None and member.type in (tarfile.LNKTYPE, tarfile.SYMTYPE):
        error, detail = ImageErrorKind.NOT_A_FILE, f"a link to {printable(member.target)!r}"
    elif error is None and member.type in (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
        error, detail = ImageErrorKind.NOT_A_FILE, "not a regular file"
    if error is not None:
        lost = Lost(error, detail or "")
        return Entry(key, lost, None, None, labels, split, extra, error, detail)
    origin = Slice(blob, member.start, member.size)
    return Entry(key, origin, member.size, blob.stamp, labels, split, extra)


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part and part != "."]


def _stem(key: str) -> str:
    folder, slash, last = key.rpartition("/")
    return folder + slash + last.partition(".")[0]


def _suffix(name: str) -> str:
    return name.rpartition(".")[2].lower()
