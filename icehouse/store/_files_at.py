"""Which kind of files are at a place, by its text: a URL, or a path on this machine."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from icehouse.store._files import Files
from icehouse.store._local_files import LocalFiles
from icehouse.store._remote_files import RemoteFiles


def is_remote(place: str | Path) -> bool:
    """Whether a place is a URL of something other than this machine's files.

    Examples
    --------
    >>> is_remote("s3://bucket/photos.icehouse"), is_remote("photos.icehouse")
    (True, False)
    """
    return isinstance(place, str) and "://" in place and not place.startswith("file://")


def files_at(place: str | Path) -> Files:
    """Return the files below a folder or URL; nothing need be there yet.

    Raises
    ------
    MissingExtra, UsageError
        What speaks the protocol of the URL is not installed.
    """
    if is_remote(place):
        return RemoteFiles(str(place))
    return LocalFiles(local_path(place))


def local_path(place: str | Path) -> Path:
    """Return a place on this machine as a path, with ``~`` and ``file://`` resolved."""
    if isinstance(place, str) and place.startswith("file://"):
        return Path(unquote(urlsplit(place).path))
    return Path(place).expanduser()
