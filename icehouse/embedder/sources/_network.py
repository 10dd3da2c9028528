"""Calls to what may be slow, fail once, or hang: each has a time limit and is tried again."""

from __future__ import annotations

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
    """Return what an error says, or its kind if it says nothing."""
    return str(error) or type(error).__name__
