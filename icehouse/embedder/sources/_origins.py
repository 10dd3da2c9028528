"""Where bytes lie on this machine: a file, a part of a file, or nowhere."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Any, Protocol

from icehouse.errors import ImageError, ImageErrorKind

MAX_BYTES = 2**30
"""Limit of a file's size: as many bytes as the largest picture has in 16-bit RGBA."""


@dataclass(frozen=True)
class FileBytes:
    """What was read of an input, and its stamp (see ``Entry.mtime_ns``) at that moment."""

    data: bytes
    mtime_ns: int | None


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine: its path, or its name below a folder that many files share."""

    name: str | os.PathLike[str]
    folder: str = ""

    @property
    def path(self) -> str | os.PathLike[str]:
        """Where it is."""
        return os.path.join(self.folder, self.name) if self.folder else self.name

    def read(self) -> FileBytes:
        """Read all of it."""
        return read_file(self.path)


@dataclass(frozen=True, slots=True)
class Lost:
    """What a listing found to be broken already."""

    kind: ImageErrorKind
    detail: str

    def read(self) -> FileBytes:
        """Raise what is wrong."""
        raise ImageError(self.kind, self.detail)


class Blob(Protocol):
    """A file of which parts are read, on this machine or at a URL, by many threads at once."""

    @property
    def name(self) -> str:
        """Its path or URL."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def stamp(self) -> int | None:
        """A number that changes when it does."""
        ...

    def read(self, start: int, length: int) -> bytes:
        """Return a part, shorter where the file ends, or raise ``ImageError``."""
        ...

    def file(self) -> Any:
        """Return what pyarrow reads it by: a path or a file object."""
        ...


@dataclass(frozen=True, slots=True)
class LocalBlob:
    """A file of this machine, as it was when it was opened; it may not change."""

    name: str
    size: int
    stamp: int

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> LocalBlob:
        """Look at a file; raise ``OSError`` where there is none."""
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{os.fspath(path)} is not a regular file")
        return cls(os.fspath(path), status.st_size, status.st_mtime_ns)

    def read(self, start: int, length: int) -> bytes:
        """Return a part of it."""
        try:
            descriptor = os.open(self.name, os.O_RDONLY | os.O_NONBLOCK)
            try:
                status = os.fstat(descriptor)
                if (status.st_size, status.st_mtime_ns) != (self.size, self.stamp):
                    raise OSError(f"{self.name} changed since it was listed; run again")
                return _read_fully(descriptor, start, min(length, self.size - start))
            finally:
                os.close(descriptor)
        except OSError as error:
            detail = error.strerror or str(error)
            raise ImageError(ImageErrorKind.UNREADABLE, detail) from error

    def file(self) -> str:
        """Return its path."""
        return self.name


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a file: a member of a tar."""

    blob: Blob
    start: int
    size: int

    def read(self) -> FileBytes:
        """Read the part, and nothing else of the file."""
        data = self.blob.read(self.start, self.size) if self.size else b""
        if not data:
            raise ImageError(ImageErrorKind.EMPTY, "0 bytes")
        if len(data) < self.size:
            raise ImageError(ImageErrorKind.TRUNCATED, f"{len(data)} of {self.size} bytes")
        return FileBytes(data, self.blob.stamp)


def read_file(path: str | os.PathLike[str]) -> FileBytes:
    """Read a regular file without ever waiting for one that is not.

    Raises
    ------
    ImageError
        ``unreadable``, ``not-a-file``, ``empty`` or ``too-large``.
    """
    try:
        # O_NONBLOCK: opening a FIFO that nobody writes to would otherwise wait forever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise ImageError(ImageErrorKind.UNREADABLE, _words(error)) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(ImageErrorKind.NOT_A_FILE, "not a regular file")
        if status.st_size > MAX_BYTES:
            size = f"a file of {status.st_size:,} bytes, more than the {MAX_BYTES:,} that are read"
            raise ImageError(ImageErrorKind.TOO_LARGE, size)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read()
    except OSError as error:
        raise ImageError(ImageErrorKind.UNREADABLE, _words(error)) from error
    finally:
        os.close(descriptor)
    if not data:
        raise ImageError(ImageErrorKind.EMPTY, "0 bytes")
    return FileBytes(data, status.st_mtime_ns)


def _words(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _read_fully(descriptor: int, start: int, length: int) -> bytes:
    parts = []
    while length > 0:
        part = os.pread(descriptor, length, start)  # at most 2 GiB come at once
        if not part:
            break
        parts.append(part)
        start += len(part)
        length -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
