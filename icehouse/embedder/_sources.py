"""Where images come from: a folder, or a manifest. A source lists inputs; it reads none."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from icehouse.errors import ImageErrorKind, SourceError
from icehouse.store import STORE_MANIFEST

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One input as its source lists it.

    Attributes
    ----------
    key : str
        Its name inside the source.
    path : Path
    bytes, mtime_ns : int or None
        From the file system; None where it refused.
    labels : tuple of str or None
        None where the source says nothing; () where it says that no class applies.
    split : str or None
    extra : str or None
        A JSON object.
    error, detail : str or None
        What is wrong with it at first sight.
    """

    key: str
    path: Path
    bytes: int | None = None
    mtime_ns: int | None = None
    labels: tuple[str, ...] | None = None
    split: str | None = None
    extra: str | None = None
    error: ImageErrorKind | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Listing:
    """All inputs of a source.

    Attributes
    ----------
    source : str
        The absolute path of the folder or manifest.
    name : str
        What the dataset is called when nobody says otherwise.
    entries : list of Entry
        Sorted by key; no key twice.
    multi_label : bool
    """

    source: str
    name: str
    entries: list[Entry]
    multi_label: bool = False


def inspect(
    path: Path,
    key: str,
    labels: tuple[str, ...] | None = None,
    split: str | None = None,
    extra: str | None = None,
) -> Entry:
    """Look at a file from outside: its size and time, or what is wrong with it."""
    try:
        status = path.stat()
    except ValueError as error:  # a name that no file can have
        kind = ImageErrorKind.UNREADABLE
        return Entry(key, path, None, None, labels, split, extra, kind, str(error))
    except OSError as error:
        missing = "no such file" if isinstance(error, FileNotFoundError) else str(error.strerror)
        kind = ImageErrorKind.NOT_A_FILE if path.is_symlink() else ImageErrorKind.UNREADABLE
        detail = f"a link to nothing ({missing})" if path.is_symlink() else missing
        return Entry(key, path, None, None, labels, split, extra, kind, detail)
    size, changed = status.st_size, status.st_mtime_ns
    if not stat.S_ISREG(status.st_mode):
        kind = ImageErrorKind.NOT_A_FILE
        return Entry(key, path, None, None, labels, split, extra, kind, "not a regular file")
    return Entry(key, path, size, changed, labels, split, extra)


def list_folder(folder: Path, *, labels: bool = True) -> Listing:
    """List the images of a folder and the folders below it.

    Parameters
    ----------
    folder : Path
        Class folders give labels; files at its top have none. Where all of its folders are
        called train, val (valid, validation) or test, they give the splits, and the class
        folders are looked for one level deeper. Hidden files are left out.
    labels : bool
        Whether class folders mean labels.

    Returns
    -------
    Listing

    Raises
    ------
    SourceError
        No folder there, no permission, or no files in it.
    """
    folder = folder.expanduser().absolute()
    if not folder.exists():
        raise SourceError(f"there is no folder {folder}")
    if not folder.is_dir():
        raise SourceError(f"{folder} is a file; give a folder, or a manifest .csv or .parquet")
    try:
        with os.scandir(folder) as entries_of_top:
            top = [e.name for e in entries_of_top if _is_folder(e) and not _is_store(e)]
        top = [name for name in top if not name.startswith(".")]
    except PermissionError as error:
        raise SourceError(f"no permission to read the folder {folder}") from error
    splits = bool(top) and all(name.lower() in SPLITS for name in top)
    entries = []
    for path in _walk(folder, set()):
        parts = path.relative_to(folder).parts
        split = SPLITS[parts[0].lower()] if splits and len(parts) > 1 else None
        inner = parts[1:] if split else parts
        label = (printable(inner[0]),) if labels and len(inner) > 1 else None
        entries.append(inspect(path, printable("/".join(parts)), label, split))
    if not entries:
        raise SourceError(f"the folder {folder} holds no files; give the one with the images")
    entries.sort(key=lambda entry: entry.key)
    return Listing(str(folder), printable(folder.name), entries)


def printable(name: str) -> str:
    """Return a file name as text; a byte that is no UTF-8 becomes U+FFFD and its hexadecimal.

    A U+FFFD that was there is doubled, so that no two names become one.
    """
    # A byte that is no UTF-8 came as a lone surrogate, U+DC80 and above.
    name = name.replace("\ufffd", "\ufffd\ufffd")
    return re.sub("[\udc80-\udcff]", lambda found: f"\ufffd{ord(found[0]) - 0xDC00:02x}", name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, for one; it is listed as an input that cannot be read
        return False


def _is_store(entry: os.DirEntry[str]) -> bool:
    return _is_folder(entry) and Path(entry.path, STORE_MANIFEST).is_file()


def _walk(folder: Path, above: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        status = folder.stat()
        here = (status.st_dev, status.st_ino)
        if here in above:  # a link that leads back up
            return
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        yield folder  # kept as an input that cannot be read, not passed over in silence
        return
    for entry in entries:
        if entry.name.startswith(".") or _is_store(entry):
            continue
        if _is_folder(entry):
            yield from _walk(Path(entry.path), above | {here})
        else:
            yield Path(entry.path)
