"""Begin to read images of a network before their turn comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace

from icehouse.embedder.sources._background import begin
from icehouse.embedder.sources._listing import Entry
from icehouse.embedder.sources._origins import FileBytes
from icehouse.embedder.sources._remote import RemoteFile

AHEAD = 16
"""Images on their way at once. A network answers late, and a CPU has few workers to wait."""


@dataclass(frozen=True, slots=True)
class Coming:
    """An input that is being read."""

    answer: Future[FileBytes]

    def read(self) -> FileBytes:
        """Wait for it."""
        return self.answer.result()


def read_ahead(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield entries in their order; those of a network are asked for a little earlier."""
    waiting: deque[Entry] = deque()
    for entry in entries:
        remote = isinstance(entry.origin, RemoteFile) or getattr(entry.origin, "remote", False)
        waiting.append(replace(entry, origin=Coming(begin(entry.origin.read))) if remote else entry)
        if not remote or len(waiting) > AHEAD:
            yield waiting.popleft()
    yield from waiting
