"""Files behind a URL, through fsspec: one read at once, or a part at a time."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from icehouse.embedder.sources._network import Network, words
from icehouse.embedder.sources._origins import FileBytes
from icehouse.embedder.sources._recent import Recent
from icehouse.errors import ImageError, ImageErrorKind, MissingExtra, SourceError, UsageError
from icehouse.store import RangeFile

BLOCKS_KEPT = 8
TIMES = ("mtime", "LastModified", "last_modified", "Last-Modified", "updated", "modified",
         "created")  # fmt: skip
SUMS = ("ETag", "etag", "md5Hash", "Content-MD5", "Digest", "crc32c", "checksum", "CRC")
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def open_url(url: str, network: Network) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it.

    Raises
    ------
    MissingExtra, UsageError
        The package that speaks its protocol is not installed.
    SourceError
        No such protocol, or what the URL leads through cannot be opened.
    """
    import fsspec  # only now: most sources are on a disk

    try:  # a chain, such as a zip at a URL, is read already now
        return network.call(lambda: fsspec.url_to_fs(url)) if "::" in url else fsspec.url_to_fs(url)
    except ImportError as error:
        protocol = url.partition("://")[0]
        if protocol in ("s3", "s3a"):
            raise MissingExtra("s3fs", "s3") from error
        if protocol in ("http", "https"):
            raise MissingExtra("aiohttp", "http") from error
        raise UsageError(f"{url} cannot be opened yet: {words(error)}") from error
    except Exception as error:
        raise SourceError(f"{url} cannot be opened: {words(error)}") from error


def stamp_of(info: Mapping[str, Any]) -> int | None:
    """Return a number that changes when a file does, from what its file system says of it.

    Nanoseconds of its time of change where that is known; else 63 bits made of its checksum.
    """
    for name in TIMES:
        moment = _nanoseconds(info.get(name))
        if moment is not None:
            return moment
    for name in SUMS:
        if info.get(name):
            digest = hashlib.sha256(str(info[name]).encode()).digest()
            return int.from_bytes(digest[:8]) >> 1
    return None


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file behind a URL that is read at once."""

    fs: Any
    path: str
    size: int | None
    stamp: int | None
    network: Network

    def read(self) -> FileBytes:
        """Read all of it."""
        try:
            data = self.network.call(self._whole)
        except Exception as error:
            raise ImageError(ImageErrorKind.UNREADABLE, words(error)) from error
        if not data:
            raise ImageError(ImageErrorKind.EMPTY, "0 bytes")
        return FileBytes(data, self.stamp)

    def _whole(self) -> bytes:
        data: bytes = self.fs.cat_file(self.path)
        if self.size is not None and len(data) < self.size:
            raise OSError(f"{len(data)} of {self.size} bytes came")
        return data


@dataclass(frozen=True)
class RemoteBlob:
    """A file behind a URL that is read in parts, by blocks, as a stream would be.

    Whoever reads it in order causes one request for each block, and the next block is on its way
    while this one is worked on.

    Attributes
    ----------
    recent : Recent
        Blocks of all files of the source.
    """

    fs: Any
    path: str
    name: str
    size: int
    stamp: int | None
    network: Network
    recent: Recent[bytes] = field(repr=False)

    def read(self, start: int, length: int) -> bytes:
        """Return a part of it."""
        end = min(start + length, self.size)
        if start >= end:
            return b""
        block = self.network.block
        try:
            blocks = [self._block(n) for n in range(start // block, (end - 1) // block + 1)]
        except Exception as error:
            raise ImageError(ImageErrorKind.UNREADABLE, words(error)) from error
        first = start % block
        whole = blocks[0] if len(blocks) == 1 else b"".join(blocks)
        return whole[first : first + end - start]

    def file(self) -> io.BufferedIOBase:
        """Return it as a file object."""
        return io.BufferedReader(RangeFile(self._range, self.size, self.network.block), 2**16)

    def _block(self, number: int) -> bytes:
        data = self.recent.get((self.name, number), lambda: self._fetch(number))
        following = number + 1
        if (self.name, number - 1) in self.recent and following * self.network.block < self.size:
            self.recent.ahead((self.name, following), lambda: self._fetch(following))
        return data

    def _fetch(self, number: int) -> bytes:
        start = number * self.network.block
        end = min(start + self.network.block, self.size)
        return self.network.call(lambda: self._part(start, end))

    def _range(self, start: int, end: int) -> bytes:
        return self.read(start, end - start)

    def _part(self, start: int, end: int) -> bytes:
        data: bytes = self.fs.cat_file(self.path, start=start, end=end)
        if len(data) > end - start:
            raise SourceError(f"the server of {self.name} gives no parts of files; copy it first")
        if len(data) < end - start:
            raise OSError(f"{len(data)} of {end - start} bytes came")
        return data


def _nanoseconds(value: object) -> int | None:
    if isinstance(value, float) and value > 0:
        return int(value * 1e9)
    if isinstance(value, str):
        value = _moment(value)
    if not isinstance(value, datetime):
        return None
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND * 1000


def _moment(text: str) -> datetime | None:
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return parse(text)
        except ValueError:
            continue
    return None
