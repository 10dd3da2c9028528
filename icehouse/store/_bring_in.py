"""Statements that were made elsewhere, signed and dated as they were, each appended once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from icehouse.store._label_events import read_events
from icehouse.store._label_tables import EVENTS
from icehouse.store._labels import LabelLog, rows_of


@dataclass(frozen=True)
class Signed:
    """A statement about an image, with who made it and when.

    Attributes
    ----------
    image_id : bytes
    labels : tuple of str
    annotator : str
    time : float
        Seconds since 1970, UTC; two times within a microsecond are the same.
    note : str or None
    """

    image_id: bytes
    labels: tuple[str, ...]
    annotator: str
    time: float
    note: str | None = None

    @property
    def identity(self) -> tuple[bytes, tuple[str, ...], str, datetime]:
        """What it is known again by; a datetime rounds to microseconds, as files do."""
        when = datetime.fromtimestamp(self.time, UTC)
        return self.image_id, self.labels, self.annotator, when


def bring_in(log: LabelLog, task: str, said: Iterable[Signed], *, origin: str) -> int:
    """Append statements to the log but for those that it has, and return how many that were.

    They are appended by time, after all that is there already: what comes last is in force.

    Parameters
    ----------
    log : LabelLog
    task : str
    said : iterable of Signed
    origin : str

    Raises
    ------
    LookupFailed, UsageError
        As :meth:`LabelLog.record`; then nothing is appended.
    """
    asked = log.task(task)
    new = {one.identity: one for one in sorted(said, key=lambda one: one.time)}
    with log.database.write() as db:
        for event in read_events(db, task):
            if event.labels is not None:
                known = Signed(event.image_id, event.labels, event.annotator, event.time)
                new.pop(known.identity, None)
        rows = rows_of(asked, [(one.image_id, (one.labels, one.note)) for one in new.values()])
        for row, one in zip(rows, new.values(), strict=True):
            row |= {"annotator": one.annotator, "time": one.time, "origin": origin}
        if rows:
            db.execute(sa.insert(EVENTS), rows)
    return len(rows)
