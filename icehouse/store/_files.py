"""Files that are either whole or not there.

Everything that the store writes goes through :meth:`Files.commit`: the bytes are written
under a temporary name, fsynced, and renamed. A reader therefore never sees half a file, and
a killed writer leaves at most a temporary file behind, which readers ignore and the next
writer sweeps away. On object storage the same promise is one PUT.
"""

from __future__ import annotations

import errno
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from icehouse.errors import StoreUnreadable, StoreUnwritable, UsageError

TEMPORARY = ".tmp-"
STALE_SECONDS = 3600.0


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
