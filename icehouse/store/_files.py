"""Files that are either whole or not there.

Everything that the store writes goes through :meth:`Files.commit`. A reader therefore never sees
half a file. Below a folder the bytes are written under a temporary name, fsynced, and renamed
(``_local_files.py``); on object storage they are one PUT (``_remote_files.py``).

Files can also be removed, because what they hold has been written elsewhere. So a reader may find
that a file is gone that it has just seen listed; :func:`read_listed` then looks again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import pyarrow as pa

from icehouse.errors import StoreCorrupt, UsageError

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


class Files(ABC):
    """The files below one place, named by paths relative to it.

    All methods raise StoreUnreadable or StoreUnwritable where permission, space or the way to the
    place is missing.
    """

    @abstractmethod
    def where(self, name: str) -> str:
        """Return where a file is, or would be, for messages."""

    @abstractmethod
    def commit(self, name: str, data: bytes | memoryview) -> str:
        """Write a file, whole and durable, replacing what was there under that name.

        Parameters
        ----------
        name : str
            Path relative to the root.
        data : bytes-like

        Returns
        -------
        str
            Where it is.

        Raises
        ------
        StoreUnwritable
            What was committed before is untouched.
        """

    @abstractmethod
    def open(self, name: str, *, mapped: bool = False, part: bool = False) -> pa.NativeFile:
        """Open a file for Arrow, or raise FileNotFoundError.

        Parameters
        ----------
        name : str
        mapped : bool
            Spare a copy where there is memory to map the file to.
        part : bool
            Little of the file will be read, and it never changes: fetch no more than that.
        """

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return the bytes of a file, or raise FileNotFoundError."""

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether there is such a file."""

    @abstractmethod
    def occupied(self) -> bool:
        """Whether anything is at the root, but for what killed writers left."""

    @abstractmethod
    def age(self, name: str) -> float:
        """Return the seconds since a file was written; 0 for one that is gone."""

    @abstractmethod
    def remove(self, *names: str) -> None:
        """Remove files in the order given, for good; those that are gone are no error."""

    @abstractmethod
    def move(self, name: str, to: str) -> str:
        """Move a file to a name below another folder, and return the name that was free there."""

    @abstractmethod
    def walk(self) -> list[str]:
        """List all files, temporary ones too, sorted, as names relative to the root."""

    @abstractmethod
    def names(self, folder: str, suffix: str) -> list[str]:
        """List the committed files of a folder, sorted, as names relative to the root."""

    @abstractmethod
    def folders(self, folder: str) -> list[str]:
        """List the folders inside a folder, sorted, as bare names."""

    def sweep(self, folder: str) -> None:  # noqa: B027  (nothing is left where nothing is renamed)
        """Remove temporary files that a killed writer left more than an hour ago."""

    def each(self, names: Iterable[str], read: Callable[[str], Read]) -> Iterator[Read]:
        """Yield what ``read`` makes of each name, in order; several at once where that pays."""
        return map(read, names)


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
