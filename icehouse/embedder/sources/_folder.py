"""Folders of this machine, and single files as folders and manifests name them."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from icehouse.embedder.sources._columns import Files
from icehouse.embedder.sources._listing import Entry, Layout, Listing, printable
from icehouse.embedder.sources._origins import LocalFile
from icehouse.errors import ImageErrorKind, SourceError
from icehouse.store import STORE_MANIFEST


def inspect(
    name: str,
    key: str,
    labels: tuple[str, ...] | None = None,
    split: str | None = None,
    extra: str | None = None,
    *,
    folder: str = "",
) -> Entry:
    """Look at a file from outside: its size and time, or what is wrong with it."""
    origin = LocalFile(name, folder)
    path = os.path.join(folder, name)
    try:
        status = os.stat(path)
    except ValueError as error:  # a name that no file can have
        kind = ImageErrorKind.UNREADABLE
        return Entry(key, origin, None, None, labels, split, extra, kind, str(error))
    except OSError as error:
        missing = "no such file" if isinstance(error, FileNotFoundError) else str(error.strerror)
        link = os.path.islink(path)
        kind = ImageErrorKind.NOT_A_FILE if link else ImageErrorKind.UNREADABLE
        detail = f"a link to nothing ({missing})" if link else missing
        return Entry(key, origin, None, None, labels, split, extra, kind, detail)
    if stat.S_ISDIR(status.st_mode) and not os.access(path, os.R_OK | os.X_OK):
        kind, detail = ImageErrorKind.UNREADABLE, "no permission to read this folder"
        return Entry(key, origin, None, None, labels, split, extra, kind, detail)
    if not stat.S_ISREG(status.st_mode):
        kind = ImageErrorKind.NOT_A_FILE
        return Entry(key, origin, None, None, labels, split, extra, kind, "not a regular file")
    return Entry(key, origin, status.st_size, status.st_mtime_ns, labels, split, extra)


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
        Sorted by key.

    Raises
    ------
    SourceError
        No folder there, no permission, or no files in it.
    """
    folder = folder.expanduser().absolute()
    return list_files(folder, files_below(folder), labels=labels)


def files_below(folder: Path) -> list[str]:
    """Return the paths of all files below a folder, relative to it, with ``/`` between parts.

    Raises
    ------
    SourceError
        No folder there, no permission, or no files in it.
    """
    if not folder.exists():
        raise SourceError(f"there is no folder {folder}")
    if not folder.is_dir():
        raise SourceError(
            f"{folder} is a file; give a folder, or a manifest or table .csv or .parquet, or .tar"
        )
    if not os.access(folder, os.R_OK | os.X_OK):
        raise SourceError(f"no permission to read the folder {folder}")
    found = list(_walk(str(folder), "", set()))
    if not found:
        raise SourceError(f"the folder {folder} holds no files; give the one with the images")
    return found


def list_files(folder: Path, found: list[str], *, labels: bool) -> Listing:
    """Make a listing of files that were found below a folder."""
    with os.scandir(folder) as top:
        shown = [e for e in top if not e.name.startswith(".")]
        layout = Layout.of_folders(
            (e.name for e in shown if _is_folder(e) and not _is_store(e)), labels
        )
    entries = _look_at(str(folder), found, layout)
    # A folder that may not be read, or a link to one on a disk that is away.
    closed = frozenset(entry.key for entry in entries.odd.values() if entry.error is not None)
    return Listing(str(folder), printable(folder.name), entries, closed=closed)


def _look_at(folder: str, names: Sequence[str], layout: Layout) -> Files:
    keys = [printable(name) for name in names]
    sizes, stamps = array("q"), array("q")
    odd: dict[str, Entry] = {}
    for name, key in zip(names, keys, strict=True):
        status = _regular(f"{folder}/{name}")
        sizes.append(status.st_size if status else 0)
        stamps.append(status.st_mtime_ns if status else 0)
        if status is None or key != name:
            odd[key] = inspect(name, key, *layout.read(name.split("/")), folder=folder)
    column = pa.array(keys, pa.string())
    files = Files(folder, layout, column, np.array(sizes), np.array(stamps), odd)
    return files.take(pc.array_sort_indices(column))


def _regular(path: str) -> os.stat_result | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, for one; it is listed as an input that cannot be read
        return False


def _is_store(entry: os.DirEntry[str]) -> bool:
    return os.path.isfile(f"{entry.path}/{STORE_MANIFEST}")


def _walk(folder: str, within: str, above: set[tuple[int, int]]) -> Iterator[str]:
    try:
        status = os.stat(folder)
        here = (status.st_dev, status.st_ino)
        if here in above:  # a link that leads back up
            return
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        yield within  # kept as an input that cannot be read, not passed over in silence
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        name = f"{within}/{entry.name}" if within else entry.name
        if not _is_folder(entry):
            yield name
        elif not _is_store(entry):
            yield from _walk(entry.path, name, above | {here})
