"""A file object over something that is read by ranges."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any


class RangeFile(io.RawIOBase):
    """A file of which each read is a call; Arrow and zipfile ask for whole ranges.

    Parameters
    ----------
    fetch : callable
        Given the first byte and the one after the last, returns what is between.
    size : int
        Bytes.
    most : int, optional
        Bytes that are asked for at once where a buffer is filled; by default all that it takes.
    """

    def __init__(
        self, fetch: Callable[[int, int], bytes], size: int, most: int | None = None
    ) -> None:
        self._fetch, self._size, self._most = fetch, size, most
        self._at = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, and return where to."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return up to so many bytes, or all that are left."""
        end = self._size if size < 0 else min(self._at + size, self._size)
        start, self._at = self._at, max(end, self._at)
        return self._fetch(start, end) if start < end else b""

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, or its beginning."""
        data = self.read(min(len(buffer), self._most or len(buffer)))
        buffer[: len(data)] = data
        return len(data)
