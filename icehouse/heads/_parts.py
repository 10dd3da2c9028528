"""Rows worked on in parts, by several threads, with the same result by however many.

A product that a library divides among threads is done when its slowest thread is. Where other
programs want the cores too, that is whenever the scheduler has come round to it again, for each of
a step's dozen operations: fits took ten times as long. Here a thread works through its part alone,
the next part is for whoever is free, and results are taken in the order of the parts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from icehouse.embedder import one_torch_thread

T = TypeVar("T")
P = TypeVar("P")
AHEAD = 2  # parts a thread that are begun or done, and not yet taken


class Parts:
    """What does work on parts.

    Parameters
    ----------
    pool : ThreadPoolExecutor or None
        None: all is done where it is asked for.
    threads : int
    """

    def __init__(self, pool: ThreadPoolExecutor | None = None, threads: int = 1) -> None:
        self._pool = pool
        self._ahead = AHEAD * threads

    def each(self, work: Callable[[P], T], parts: Iterable[P]) -> Iterator[T]:
        """Yield what work makes of each part, in their order."""
        if self._pool is None:
            yield from map(work, parts)
            return
        under_way: deque[Future[T]] = deque()
        for part in parts:
            if len(under_way) == self._ahead:
                yield under_way.popleft().result()
            under_way.append(self._pool.submit(work, part))
        while under_way:
            yield under_way.popleft().result()


@contextmanager
def in_parts(*, small: bool = False) -> Iterator[Parts]:
    """Yield what works by as many threads as torch would, each operation by one of them.

    Parameters
    ----------
    small : bool
        It is not worth more than one thread.
    """
    threads = 1 if small else torch.get_num_threads()
    with one_torch_thread():
        if threads == 1:
            yield Parts()
            return
        with ThreadPoolExecutor(threads, "parts", torch.set_num_threads, (1,)) as pool:
            yield Parts(pool, threads)
