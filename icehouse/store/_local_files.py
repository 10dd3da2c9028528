"""Files below a folder: written under a temporary name, fsynced, and renamed.

A killed writer leaves at most a temporary file behind, which readers ignore and the next
writer sweeps away.
"""

from __future__ import annotations

import errno
import os
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from icehouse.errors import StoreUnreadable, StoreUnwritable
from icehouse.store._files import STALE_SECONDS, TEMPORARY, Files


class LocalFiles(Files):
    """The files below one local folder, named by paths relative to it.

    Parameters
    ----------
    root : Path
        The folder; it need not exist before the first commit.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """Return the path of a file."""
        return self.root / name

    def where(self, name: str) -> str:
        return str(self.path(name))

    def commit(self, name: str, data: bytes | memoryview) -> str:
        final = self.path(name)
        temporary = final.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
        with _explained(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            try:
                with open(temporary, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, final)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            _fsync_folder(final.parent)
        return str(final)

    def open(
        self,
        name: str,
        *,
        mapped: bool = False,
        part: bool = False,  # noqa: ARG002  (a disk reads no more than it is asked for)
    ) -> pa.NativeFile:
        with readable(self.path(name)):
            return (pa.memory_map if mapped else pa.OSFile)(str(self.path(name)))

    def read(self, name: str) -> bytes:
        with readable(self.path(name)):
            return self.path(name).read_bytes()

    def exists(self, name: str) -> bool:
        with readable(self.path(name)):
            try:
                return stat.S_ISREG(self.path(name).stat().st_mode)
            except (FileNotFoundError, NotADirectoryError):
                return False

    def occupied(self) -> bool:
        with readable(self.root):
            try:
                return any(not path.name.startswith(TEMPORARY) for path in self.root.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                return self.root.exists()

    def age(self, name: str) -> float:
        try:
            return time.time() - self.path(name).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def remove(self, *names: str) -> None:
        for name in names:
            with _explained(self.path(name)):
                self.path(name).unlink(missing_ok=True)
        for folder in {self.path(name).parent for name in names}:
            _fsync_folder(folder)

    def move(self, name: str, to: str) -> str:
        free, number = to, 1
        while self.path(free).exists():
            free, number = f"{to}.{number}", number + 1
        with _explained(self.path(free)):
            self.path(free).parent.mkdir(parents=True, exist_ok=True)
            os.replace(self.path(name), self.path(free))
            _fsync_folder(self.path(free).parent)
            _fsync_folder(self.path(name).parent)
        return free

    def walk(self) -> list[str]:
        return sorted(
            (Path(folder) / name).relative_to(self.root).as_posix()
            for folder, _, names in os.walk(self.root)
            for name in names
        )

    def names(self, folder: str, suffix: str) -> list[str]:
        try:
            with readable(self.path(folder)), os.scandir(self.path(folder)) as entries:
                found = [entry.name for entry in entries if not entry.is_dir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(
            f"{folder}/{name}"
            for name in found
            if name.endswith(suffix) and not name.startswith(TEMPORARY)
        )

    def folders(self, folder: str) -> list[str]:
        try:
            with readable(self.path(folder)), os.scandir(self.path(folder)) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def sweep(self, folder: str) -> None:
        try:
            leftovers = [n for n in os.listdir(self.path(folder)) if n.startswith(TEMPORARY)]
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        for name in leftovers:
            path = self.path(folder) / name
            try:
                if time.time() - path.stat().st_mtime > STALE_SECONDS:
                    path.unlink()
            except OSError:  # another writer swept it first, or it is not ours to remove
                continue


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say of what the system does not let us read that it is that, and not damaged.

    Raises
    ------
    StoreUnreadable
        No permission.
    """
    try:
        yield
    except PermissionError as error:
        raise StoreUnreadable(
            f"no permission to read {path}. Check who owns the store, and who may read it"
        ) from error


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _explained(final: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreUnwritable(
                f"no space left while writing {final}. All that was committed before is "
                "good; free some space and run the same command again"
            ) from error
        raise StoreUnwritable(
            f"cannot write {final}: {error.strerror or error}. "
            "Check who owns the store and whether its disk is writable"
        ) from error
