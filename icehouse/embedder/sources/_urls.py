"""Sources at a URL: whatever fsspec speaks, listed as the same thing on a disk would be."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urljoin

from icehouse.embedder.sources._kinds import Kind, files_of, kind_of_file, kind_of_folder, stem
from icehouse.embedder.sources._listing import Entry, Layout, Listing, printable
from icehouse.embedder.sources._manifest import list_rows
from icehouse.embedder.sources._network import Network, unreached, words
from icehouse.embedder.sources._origins import Lost
from icehouse.embedder.sources._paths import is_url
from icehouse.embedder.sources._recent import Recent
from icehouse.embedder.sources._remote import (
    BLOCKS_KEPT,
    RemoteBlob,
    RemoteFile,
    open_url,
    stamp_of,
)
from icehouse.embedder.sources._table import holds_images, list_tables
from icehouse.embedder.sources._table_file import TableFile
from icehouse.embedder.sources._tar import expand, list_tars
from icehouse.errors import IcehouseError, ImageError, ImageErrorKind, SourceError

ASKING_AT_ONCE = 16
LISTING = 20
"""How many times longer than one answer a listing may take, which is made of many."""


@dataclass(frozen=True)
class _Place:
    """A URL that was opened."""

    url: str
    fs: Any
    path: str
    network: Network

    def info(self, path: str) -> Mapping[str, Any]:
        """Return what the file system says of a file."""
        return self.network.call(lambda: _info(self.fs, path))

    def blob(self, path: str, url: str, info: Mapping[str, Any], recent: Recent[bytes]) -> Any:
        """Open a file that is read in parts."""
        if info.get("size") is None:
            raise SourceError(f"{url} does not say its size; copy it first")
        size = int(info["size"])
        return RemoteBlob(self.fs, path, url, size, stamp_of(info), self.network, recent)


def list_url(
    url: str,
    *,
    labels: bool = True,
    image_column: str | None = None,
    network: Network | None = None,
) -> Listing:
    """List what is at a URL: a folder, a manifest, tars, tables, or one image.

    Raises
    ------
    SourceError
        Nothing there, or it cannot be listed.
    MissingExtra, UsageError
        The package that speaks its protocol is not installed.
    """
    network = network or Network()
    if url.rpartition("/")[2].lower().endswith(".zip") and "::" not in url:
        url = f"zip://::{url}"
    try:
        names = expand(url)
        if len(names) > 1:
            return _tars([(each, _open(each, network)) for each in names], url, labels)
        place = _open(url, network)
        kind = kind_of_file(posixpath.basename(place.path.partition("?")[0]))
        if kind is Kind.CSV:
            return _manifest(place, labels)
        info = place.info(place.path)
        if info.get("type") != "directory" and info.get("mimetype") != "text/html":
            return _file(place, kind, info, labels, image_column)
        longer = replace(network, seconds=network.seconds * LISTING)
        found = longer.call(lambda: place.fs.find(place.path, detail=True))
        return _folder(place, _below(place, found), labels, image_column)
    except FileNotFoundError as error:
        raise SourceError(f"there is nothing at {url}") from error
    except IcehouseError:
        raise
    except Exception as error:
        raise SourceError(f"{url} cannot be listed: {words(error)}") from error


def inspect_urls(urls: Sequence[str], network: Network) -> list[Entry]:
    """Look at files from outside, several at once; their keys are the URLs."""

    def look(url: str) -> Entry:
        try:
            place = _open(url, network)
            info = place.info(place.path)
        except SourceError as error:
            return _lost(url, str(error))
        except FileNotFoundError:
            return _lost(url, "no such file")
        except IcehouseError:
            raise
        except Exception as error:
            return _lost(url, words(error))
        return _entry(place, url, place.path, info)

    with ThreadPoolExecutor(ASKING_AT_ONCE) as pool:
        return list(pool.map(look, urls))


def _open(url: str, network: Network) -> _Place:
    fs, path = open_url(url, network)
    fs.invalidate_cache()  # what was there earlier in this process
    return _Place(url, fs, path, network)


def _info(fs: Any, path: str) -> Mapping[str, Any]:
    try:
        info: Mapping[str, Any] = fs.info(path)
    except FileNotFoundError as error:
        # Over HTTP every failure comes as this; one of the server may pass.
        cause = error.__cause__
        status = getattr(cause, "status", None)
        if unreached(cause):
            raise SourceError(f"{path} cannot be reached: {words(error)}") from error
        if status in (401, 403):
            raise PermissionError(words(error)) from error
        if isinstance(cause, TimeoutError) or (status is not None and status >= 500):
            raise OSError(words(error)) from error
        raise
    return info


def _file(
    place: _Place, kind: Kind | None, info: Mapping[str, Any], labels: bool, column: str | None
) -> Listing:
    url, name = place.url, _name(place.url)
    if kind is Kind.TARS:
        return _tars([(url, place)], url, labels)
    if kind in (Kind.PARQUET, Kind.TABLES):
        blob = place.blob(place.path, url, info, Recent(BLOCKS_KEPT))
        if column or holds_images(TableFile(blob, Recent(1)).schema):
            file = posixpath.basename(place.path)
            return list_tables([(file, blob)], url, name, labels=labels, image_column=column)
        return _manifest(place, labels)
    key = printable(posixpath.basename(place.path))
    return Listing(url, name, [_entry(place, key, place.path, info)])


def _folder(
    place: _Place, found: dict[str, Mapping[str, Any]], labels: bool, column: str | None
) -> Listing:
    """List a folder; ``found`` has what is known of each file by its name below the folder."""
    if not found:
        raise SourceError(f"{place.url} holds no files; give the one with the images")
    kind, root, name = kind_of_folder(found), place.url.rstrip("/"), _last(place.url)
    if kind is not Kind.IMAGES:
        recent: Recent[bytes] = Recent(BLOCKS_KEPT)
        files = [
            (each, place.blob(found[each]["name"], f"{root}/{each}", found[each], recent))
            for each in files_of(kind, found)
        ]
        if kind is Kind.TABLES:
            return list_tables(files, place.url, name, labels=labels, image_column=column)
        prefixes = [f"{each.rpartition('.')[0]}/" for each, _ in files]
        return list_tars([blob for _, blob in files], prefixes, place.url, name, labels=labels)
    if place.url.startswith("zip://"):
        layout = Layout.of_archive([n.split("/") for n in found], labels)
    else:
        layout = Layout.of_folders((n.partition("/")[0] for n in found if "/" in n), labels)
    entries = []
    for below, info in sorted(found.items()):
        said, split = layout.read(below.split("/"))
        entry = _entry(place, printable(below), info["name"], info)
        entries.append(replace(entry, labels=said, split=split))
    return Listing(place.url, name, entries)


def _tars(places: Sequence[tuple[str, _Place]], source: str, labels: bool) -> Listing:
    recent: Recent[bytes] = Recent(BLOCKS_KEPT)
    blobs = []
    for url, place in places:
        try:
            blobs.append(place.blob(place.path, url, place.info(place.path), recent))
        except FileNotFoundError as error:
            raise SourceError(f"there is nothing at {url}") from error
    prefixes = [f"{stem(url)}/" if len(places) > 1 else "" for url, _ in places]
    return list_tars(blobs, prefixes, source, _name(source), labels=labels)


def _manifest(place: _Place, labels: bool) -> Listing:
    try:
        file = RemoteFile(place.fs, place.path, None, None, place.network)
        data = file.read().data
    except ImageError as error:
        raise SourceError(f"{place.url} cannot be read as a table: {error.detail}") from error

    def inspect(paths: Sequence[str]) -> list[Entry]:
        urls = [_beside(place, path) for path in paths]
        entries = inspect_urls(urls, place.network)
        return [replace(e, key=printable(p)) for e, p in zip(entries, paths, strict=True)]

    return list_rows(data, place.url, _name(place.url), inspect, labels=labels)


def _beside(place: _Place, path: str) -> str:
    """Return the URL that a path in a manifest means."""
    if is_url(path):
        return path
    if place.url.startswith("http"):
        return urljoin(place.url, path)
    own, chain, rest = place.url.partition("::")
    protocol, _, file = own.partition("://")
    folder = posixpath.dirname(file)
    return f"{protocol}://{posixpath.normpath(posixpath.join(folder, path))}{chain}{rest}"


def _below(place: _Place, found: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the files of a listing by their names below the place, the hidden ones left out."""
    root = place.path.rstrip("/") + "/" if place.path.strip("/") else ""
    http = place.url.startswith("http")
    files: dict[str, Mapping[str, Any]] = {}
    for path, info in found.items():
        name = path.removeprefix(root).lstrip("/")
        if info.get("type") != "file" or not path.startswith(root) or (http and "?" in name):
            continue
        name = unquote(name) if http else name
        if name and not any(part.startswith(".") for part in name.split("/")):
            files[name] = {**info, "name": path}
    unknown = [name for name, info in files.items() if info.get("size") is None]
    return files | dict(zip(unknown, _ask(place, [files[n] for n in unknown]), strict=True))


def _ask(place: _Place, infos: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Ask for size and time of each file where the listing does not say them."""

    def ask(info: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return {**place.info(info["name"]), "name": info["name"]}
        except Exception as error:
            return {**info, "lost": words(error)}

    with ThreadPoolExecutor(ASKING_AT_ONCE) as pool:
        return list(pool.map(ask, infos))


def _entry(place: _Place, key: str, path: str, info: Mapping[str, Any]) -> Entry:
    if info.get("type") == "directory":
        lost = Lost(ImageErrorKind.NOT_A_FILE, "a folder")
        return Entry(key, lost, error=lost.kind, detail=lost.detail)
    if "lost" in info:
        return _lost(key, info["lost"])
    size = None if info.get("size") is None else int(info["size"])
    stamp = stamp_of(info)
    return Entry(key, RemoteFile(place.fs, path, size, stamp, place.network), size, stamp)


def _lost(key: str, detail: str) -> Entry:
    kind = ImageErrorKind.UNREADABLE
    return Entry(key, Lost(kind, detail), error=kind, detail=detail)


def _name(url: str) -> str:
    """Return what a dataset from a file at a URL is called: its name without a suffix."""
    name = stem(_last(url))
    return name.partition("{")[0].rstrip("-_.") or name


def _last(url: str) -> str:
    """Return the last part of a URL; of a chain, of the first link that has a path."""
    paths = [part.rpartition("://")[2].partition("?")[0].strip("/") for part in url.split("::")]
    last = next((path for path in paths if path), "")
    return printable(stem(last) if last.endswith(".zip") else posixpath.basename(last))
