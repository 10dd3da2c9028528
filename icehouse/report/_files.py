"""A file that somebody names, at a path or a URL."""

from __future__ import annotations

import os
from pathlib import Path

from icehouse.errors import UsageError
from icehouse.store import Files, files_at


def check_file(path: str, what: str) -> None:
    """Refuse a path to which no file can be written, before minutes are spent on what goes there.

    Raises
    ------
    UsageError
        There is a folder, or what it would be in is no folder that can be written to. Of a URL
        that is not known before.
    """
    files, name = _there(path, what)
    if "://" in path:
        return
    parents = Path(files.where(name)).absolute().parents
    there = next(place for place in parents if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UsageError(
            f"{path} cannot be written: {there} is no folder that can be written to. Give another "
            f"name of {what}"
        )


def commit_file(path: str, data: bytes, what: str) -> str:
    """Write a file, whole or not at all; return where it is.

    Raises
    ------
    UsageError
        There is a folder where the file is to be.
    """
    files, name = _there(path, what)
    return files.commit(name, data)


def _there(path: str, what: str) -> tuple[Files, str]:
    folder, slash, name = path.rpartition("/")
    files = files_at(folder or slash or ".")
    if not name or Path(files.where(name)).is_dir():
        raise UsageError(f"{path} is a folder; give the name of {what} in it")
    return files, name
