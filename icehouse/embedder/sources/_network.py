"""Calls to what may be slow, fail once, or hang: each has a time limit and is tried again."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from icehouse.embedder.sources._background import begin
from icehouse.errors import IcehouseError

T = TypeVar("T")

FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ImportError)
"""What another try would not mend."""


@dataclass(frozen=True)
class Network:
    """How to use a network: how long to wait for it, and how much to ask for at once.

    Attributes
    ----------
    seconds : float
        For one answer.
    tries : int
    pause : float
        Seconds before the second try; each further pause is three times as long.
    block : int
        Bytes asked for at once of a file that is read in parts.
    """

    seconds: float = 30.0
    tries: int = 3
    pause: float = 0.5
    block: int = 8 * 2**20

    def call(self, work: Callable[[], T]) -> T:
        """Return what ``work`` gives; raise what it raised at the last try."""
        for number in range(self.tries - 1):
            try:
                return self._once(work)
            except (*FINAL, IcehouseError):
                raise
            except Exception:
                time.sleep(self.pause * 3**number)
        return self._once(work)

    def _once(self, work: Callable[[], T]) -> T:
        # In a thread of its own, since a library may hang in spite of all its own limits; such
        # a thread is left behind.
        answer = begin(work)
        try:
            return answer.result(self.seconds)
        except TimeoutError:
            if answer.done():  # the time limit of the library itself
                raise
            raise TimeoutError(f"no answer within {self.seconds:g} s") from None


def words(error: BaseException) -> str:
    """Return what an error says, or its kind if it says nothing.

    Over HTTP every failure may come as a file that is not there; then its cause says what it was.
    """
    cause = error.__cause__
    if isinstance(error, FileNotFoundError) and cause is not None:
        return words(cause)
    return unreached(error) or str(error) or type(error).__name__


def unreached(error: BaseException | None) -> str | None:
    """Say why there was no connection to a server, where that is what an error means."""
    reason = getattr(error, "os_error", None)  # as those of aiohttp have it, beside host and port
    if not isinstance(reason, OSError):
        return None
    host = getattr(error, "host", "")
    if isinstance(reason, ConnectionRefusedError):
        return (
            f"the connection to {host}:{getattr(error, 'port', '')} was refused; check the "
            "address, and that a server is running there"
        )
    if isinstance(reason, socket.gaierror):
        return (
            f"the name of the host {host} was not found ({reason.strerror}); check the address, "
            "and that this machine has a network"
        )
    return f"no connection to {host}: {words(reason)}"
