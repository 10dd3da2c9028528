"""How long workers wait for what they read: for a network, or a slow disk."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from icehouse.embedder._pipeline import StageTimes
from icehouse.embedder.sources import Entry, FileBytes, Origin


@dataclass(frozen=True, slots=True)
class Timed:
    """An origin that counts the time for which whoever reads it has nothing to do."""

    origin: Origin
    times: StageTimes

    def read(self) -> FileBytes:
        """Read it; what the processor does meanwhile, as for a file in memory, is no waiting."""
        started, worked = time.perf_counter(), time.thread_time()
        try:
            return self.origin.read()
        finally:
            waited = time.perf_counter() - started - (time.thread_time() - worked)
            self.times.add(max(waited, 0.0), 1)


def timed(entries: Iterable[Entry], times: StageTimes) -> Iterator[Entry]:
    """Yield entries whose reading adds to ``times``."""
    for entry in entries:
        yield replace(entry, origin=Timed(entry.origin, times))
