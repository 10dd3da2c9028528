"""A file that somebody names, at a path or a URL."""

from __future__ import annotations

from pathlib import Path

from icehouse.errors import UsageError
from icehouse.store import files_at


def commit_file(path: str, data: bytes, what: str) -> str:
    """Write a file, whole or not at all; return where it is.

    Raises
    ------
    UsageError
        There is a folder where the file is to be.
    """
    folder, slash, name = path.rpartition("/")
    files = files_at(folder or slash or ".")
    if not name or Path(files.where(name)).is_dir():
        raise UsageError(f"{path} is a folder; give the name of {what} in it")
    return files.commit(name, data)
