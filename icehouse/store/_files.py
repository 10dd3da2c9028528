"""Files that are either whole or not there.

Everything that the store writes goes through :meth:`Files.commit`: the bytes are written
under a temporary name, fsynced, and renamed. A reader therefore never sees half a file, and
a killed writer leaves at most a temporary file behind, which readers ignore and the next
writer sweeps away. On object storage the same promise is one PUT.

Files can also be removed, because what they hold has been written elsewhere. So a reader may find
that a file is gone that it has just seen listed; :func:`read_listed` then looks again.
"""

from __future__ import annotations

import errno
import os
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from icehouse.errors import StoreCorrupt, StoreUnreadable, StoreUnwritable, UsageError

TEMPORARY = ".tmp-"
STALE_SECONDS = 3600.0

Read = TypeVar("Read")


def check_name(what: str, name: str) -> str:
    """Return a name that is to be a folder's, or say why it cannot be.

    Raises
    ------
    UsageError
        It is empty, begins with a dot, is too long or holds a slash or control character.
    """
    # Lone surrogates are not printable, so what is encoded here can be.
    if not name.isprintable() or not name or name.startswith(".") or len(name.encode()) > 200:
        raise UsageError(f"{name!r} cannot be the name of a {what}; take letters and digits")
    if "/" in name or "\\" in name:
        raise UsageError(f"{name!r} cannot be the name of a {what}: it holds a slash")
    return name


class Files:
    """The files below one local folder, named by paths relative to it.

    Parameters
    ----------
    root : Path
        The folder; it need not exist before the first commit.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """Return where a file is, or would be."""
        return self.root / name

    def commit(self, name: str, data: bytes | memoryview) -> Path:
        """Write a file, whole and durable, replacing what was there under that name.

        Parameters
        ----------
        name : str
            Path relative to the root.
        data : bytes-like

        Returns
        -------
        Path
            Where it is.

        Raises
        ------
        StoreUnwritable
            No permission, or no space left. What was committed before is untouched.
        """
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
        return final

    def open(self, name: str, *, mapped: bool = False) -> pa.NativeFile:
        """Open a file for Arrow; ``mapped`` spares a copy where there is memory to map it to."""
        with readable(self.path(name)):
            return (pa.memory_map if mapped else pa.OSFile)(str(self.path(name)))

    def read(self, name: str) -> bytes:
        """Return the bytes of a file, or raise FileNotFoundError."""
        with readable(self.path(name)):
            return self.path(name).read_bytes()

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        with readable(self.path(name)):
            try:
                return stat.S_ISREG(self.path(name).stat().st_mode)
            except (FileNotFoundError, NotADirectoryError):
                return False

    def age(self, name: str) -> float:
        """Return the seconds since a file was written; 0 for one that is gone."""
        try:
            return time.time() - self.path(name).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def remove(self, *names: str) -> None:
        """Remove files in the order given, for good; those that are gone are no error.

        Raises
        ------
        StoreUnwritable
            No permission.
        """
        for name in names:
            with _explained(self.path(name)):
                self.path(name).unlink(missing_ok=True)
        for folder in {self.path(name).parent for name in names}:
            _fsync_folder(folder)

    def move(self, name: str, to: str) -> str:
        """Move a file to a name below another folder, and return the name that was free there.

        Raises
        ------
        StoreUnwritable
            No permission.
        """
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
        """List all files, temporary ones too, sorted, as names relative to the root."""
        return sorted(
            (Path(folder) / name).relative_to(self.root).as_posix()
            for folder, _, names in os.walk(self.root)
            for name in names
        )

    def names(self, folder: str, suffix: str) -> list[str]:
        """List the committed files of a folder, sorted, as names relative to the root."""
        try:
            with readable(self.path(folder)):
                found = os.listdir(self.path(folder))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(
            f"{folder}/{name}"
            for name in found
            if name.endswith(suffix) and not name.startswith(TEMPORARY)
        )

    def folders(self, folder: str) -> list[str]:
        """List the folders inside a folder, sorted, as bare names."""
        try:
            with readable(self.path(folder)), os.scandir(self.path(folder)) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def sweep(self, folder: str) -> None:
        """Remove temporary files that a killed writer left more than an hour ago."""
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


def read_listed(listing: Callable[[], list[str]], read: Callable[[list[str]], Read]) -> Read:
    """Read files that are listed, though others may be writing and compacting meanwhile.

    Parameters
    ----------
    listing : callable
        Returns the names of the files.
    read : callable
        Reads files of these names; FileNotFoundError makes it begin again with a new list.

    Raises
    ------
    StoreCorrupt
        A file is listed again and again, but is not there.
    """
    names = _settled(listing)
    while True:
        try:
            return read(names)
        except FileNotFoundError as error:
            before, names = names, _settled(listing)
            if names == before:
                raise StoreCorrupt(f"a file is listed but cannot be found: {error}") from error


def _settled(listing: Callable[[], list[str]]) -> list[str]:
    # A long folder is not listed in one moment: a new file can be missed although the old ones
    # that it replaces are gone already. Two lists that agree have missed nothing.
    names = listing()
    while (again := listing()) != names:
        names = again
    return names


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
