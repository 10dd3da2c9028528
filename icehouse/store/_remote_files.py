"""Files at a URL, through fsspec: on object storage a file is one PUT, so it is whole or not there.

Nothing is listed from a cache, and nothing waits for ever: each call has a time limit as a whole,
and to S3 its connections have shorter ones, after which they are tried again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pyarrow as pa

from icehouse.errors import MissingExtra, UsageError
from icehouse.store._files import Files, Read
from icehouse.store._range_file import RangeFile
from icehouse.store._remote_errors import reading, shown, writing

SECONDS = 120.0
SLOWEST = 2**18  # bytes/s of an upload or a download that is still waited for
AT_ONCE = 8
SMALL = 2**20  # of a file that is fetched at once, though little of it is asked for
ONE_PUT = 5 * 2**30
S3 = ("s3", "s3a")
TIMES = ("LastModified", "mtime", "last_modified", "updated", "modified", "created")


class RemoteFiles(Files):
    """The files below a URL, named by paths relative to it.

    Parameters
    ----------
    url : str
    seconds : float
        For one call; large files may take longer.

    Raises
    ------
    MissingExtra, UsageError
        What speaks the protocol of the URL is not installed, or there is no such protocol.
    """

    def __init__(self, url: str, *, seconds: float = SECONDS) -> None:
        self.url = url.rstrip("/") if not url.endswith("://") else url
        self._seconds = seconds
        self._fs, root = _opened(self.url, seconds)
        self._root = root.rstrip("/")
        self._sizes: dict[str, int] = {}

    def where(self, name: str) -> str:
        return f"{shown(self.url)}/{name}"

    def commit(self, name: str, data: bytes | memoryview) -> str:
        # Never in parts: of those that a killed writer had sent, the bucket would keep (and
        # charge for) what nobody sees.
        whole = {"chunksize": ONE_PUT} if self._is_s3 else {}
        with writing(self.where(name)):
            self._ask("pipe_file", self._at(name), bytes(data), size=len(data), **whole)
        return self.where(name)

    def open(
        self,
        name: str,
        *,
        mapped: bool = False,  # noqa: ARG002  (nothing can be mapped)
        part: bool = False,
    ) -> pa.NativeFile:
        if part and (size := self._size(name)) > SMALL:
            return pa.PythonFile(RangeFile(partial(self.read_part, name), size), mode="r")
        return pa.BufferReader(self.read(name))

    def read(self, name: str) -> bytes:
        with reading(self.where(name)):
            data: bytes = self._ask("cat_file", self._at(name), size=self._sizes.get(name, 0))
        return data

    def read_part(self, name: str, start: int, end: int) -> bytes:
        """Return some bytes of a file."""
        with reading(self.where(name)):
            data: bytes = self._ask(
                "cat_file", self._at(name), start=start, end=end, size=end - start
            )
        return data

    def exists(self, name: str) -> bool:
        try:
            with reading(self.where(name)):
                return bool(self._ask("info", self._at(name))["type"] == "file")
        except FileNotFoundError:
            return False

    def occupied(self) -> bool:
        return bool(self._list(""))

    def age(self, name: str) -> float:
        try:
            with reading(self.where(name)):
                said = self._ask("info", self._at(name))
        except FileNotFoundError:
            return 0.0
        moment = next((said[key] for key in TIMES if said.get(key)), None)
        if isinstance(moment, str):
            with suppress(ValueError):
                moment = datetime.fromisoformat(moment)
        if isinstance(moment, datetime):
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return time.time() - moment if isinstance(moment, int | float) else 0.0

    def remove(self, *names: str) -> None:
        for name in names:
            with writing(self.where(name)), suppress(FileNotFoundError):
                self._ask("rm_file", self._at(name))

    def move(self, name: str, to: str) -> str:
        free, number = to, 1
        while self.exists(free):
            free, number = f"{to}.{number}", number + 1
        with writing(self.where(free)):
            self._ask("cp_file", self._at(name), self._at(free))
        self.remove(name)
        return free

    def walk(self) -> list[str]:
        with reading(self.where("")):
            found = self._ask("find", self._root)
        return sorted(self._name(path) for path in found if not path.endswith("/"))

    def names(self, folder: str, suffix: str) -> list[str]:
        found = {
            name: int(said["size"] or 0)
            for name, said in self._list(folder).items()
            if said["type"] == "file" and name.endswith(suffix)
        }
        self._sizes |= found
        return sorted(found)

    def folders(self, folder: str) -> list[str]:
        found = self._list(folder).items()
        return sorted(
            name.rpartition("/")[2] for name, said in found if said["type"] == "directory"
        )

    def each(self, names: Iterable[str], read: Callable[[str], Read]) -> Iterator[Read]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield from pool.map(read, names)

    @property
    def _is_s3(self) -> bool:
        return self.url.startswith(tuple(f"{protocol}://" for protocol in S3))

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _name(self, path: str) -> str:
        return path.strip("/")[len(self._root.strip("/")) :].lstrip("/")

    def _size(self, name: str) -> int:
        if name not in self._sizes:
            with reading(self.where(name)):
                self._sizes[name] = int(self._ask("info", self._at(name))["size"] or 0)
        return self._sizes[name]

    def _list(self, folder: str) -> dict[str, dict[str, Any]]:
        """Return what lies right inside a folder, by its name relative to the root."""
        place = self._at(folder).rstrip("/")
        try:
            with reading(self.where(folder)):
                found = self._ask("ls", place, detail=True)
        except FileNotFoundError:
            return {}
        inside = f"{folder}/" if folder else ""
        named = {self._name(said["name"]): said for said in found}
        # A folder that somebody made by hand is an object with an empty name inside it.
        return {n: said for n, said in named.items() if n.startswith(inside) and n != inside and n}

    def _ask(self, method: str, *arguments: Any, size: int = 0, **options: Any) -> Any:
        """Call a method of the file system, within its time."""
        if not self._fs.async_impl:
            return getattr(self._fs, method)(*arguments, **options)
        from fsspec.asyn import sync

        limit = self._seconds + size / SLOWEST
        work = getattr(self._fs, f"_{method}")
        return sync(self._fs.loop, work, *arguments, timeout=limit, **options)


def _opened(url: str, seconds: float) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it."""
    import fsspec  # only now: most stores are on a disk

    protocol = url.partition("://")[0]
    options: dict[str, Any] = {"use_listings_cache": False}
    if protocol in S3:
        options["max_concurrency"] = 1  # one GET a file, which is of one version then
        given = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
        options["config_kwargs"] = {
            "connect_timeout": min(5.0, seconds),
            "read_timeout": min(15.0, seconds),
            "retries": {"mode": "standard", "total_max_attempts": 2},
            **given,
        }
    try:
        fs, path = fsspec.url_to_fs(url, **options)
    except ImportError as error:
        if protocol in S3:
            raise MissingExtra("s3fs", "s3") from error
        raise UsageError(f"{shown(url)} cannot be used as a store yet: {error}") from error
    except ValueError as error:
        raise UsageError(f"{shown(url)} cannot be a store: {error}") from error
    return fs, path
