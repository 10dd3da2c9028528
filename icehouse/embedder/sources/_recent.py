"""The last few things that were loaded, shared by all workers."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from icehouse.embedder.sources._background import begin, fill

T = TypeVar("T")


class Recent(Generic[T]):
    """Loads each thing once, whoever asks first, and forgets all but the last few.

    A failure is kept like any other result, so that a hundred images of one broken part do not
    each wait for it to fail again.

    Parameters
    ----------
    keep : int
        How many.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._held: OrderedDict[Hashable, Future[T]] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[Recent[T]], tuple[int]]:
        """Of what is held, nothing goes along to another process."""
        return Recent, (self._keep,)

    def get(self, name: Hashable, load: Callable[[], T]) -> T:
        """Return what ``load`` gives, or what it gave; wait where another thread loads it."""
        future, mine = self._claim(name)
        if mine:
            fill(future, load)
        return future.result()

    def ahead(self, name: Hashable, load: Callable[[], T]) -> None:
        """Begin to load what will be asked for soon."""
        if name not in self:
            begin(lambda: self.get(name, load))

    def __contains__(self, name: Hashable) -> bool:
        with self._lock:
            return name in self._held

    def _claim(self, name: Hashable) -> tuple[Future[T], bool]:
        with self._lock:
            future = self._held.get(name)
            if future is not None:
                self._held.move_to_end(name)
                return future, False
            future = self._held[name] = Future()
            while len(self._held) > self._keep:
                self._held.popitem(last=False)
            return future, True
