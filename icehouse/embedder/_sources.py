"""Where images come from: a folder, or a manifest. A source lists inputs; it reads none."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from icehouse.errors import ImageErrorKind, SourceError

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
        top = [e.name for e in os.scandir(folder) if e.is_dir() and not e.name.startswith(".")]
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
    """Return a file name as text, with bytes that are not UTF-8 written as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _walk(folder: Path, above: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        status = folder.stat()
        here = (status.st_dev, status.st_ino)
        if here in above:  # a link that leads back up
            return
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        yield folder  # kept as an input that cannot be read, not passed over in silence
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(Path(entry.path), above | {here})
        else:
            yield Path(entry.path)
