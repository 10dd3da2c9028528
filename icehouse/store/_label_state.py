"""The present labels of a task, kept up with the log without reading it again."""

from __future__ import annotations

import threading

from icehouse.store._label_events import LabelEvent, in_force_of, read_events
from icehouse.store._labels import LabelLog


class LabelState:
    """What is in force, as of the last event that was seen.

    Events are only appended, so those after it are all that there is to read; of an image from
    which one of them takes something back, all events are read once more.

    Parameters
    ----------
    log : LabelLog
    task : str
    """

    def __init__(self, log: LabelLog, task: str) -> None:
        self._log = log
        self._task = task
        self._lock = threading.Lock()
        self._in_force: dict[bytes, LabelEvent] = {}
        self._last = 0

    @property
    def last(self) -> int:
        """The number of the last event that was seen."""
        return self._last

    def in_force(self) -> dict[bytes, LabelEvent]:
        """Return the events in force by image, as :meth:`LabelLog.in_force`."""
        with self._lock, self._log.database.read() as db:
            news = read_events(db, self._task, after=self._last)
            undone = {event.image_id for event in news if event.undoes is not None}
            for event in news:
                if event.image_id not in undone and event.labels is not None:
                    self._in_force[event.image_id] = event
            for image in undone:
                events = read_events(db, self._task, image_id=image)
                found = in_force_of(events).get(image)
                if found is None:
                    self._in_force.pop(image, None)
                else:
                    self._in_force[image] = found
            if news:
                self._last = news[-1].seq
            return dict(self._in_force)
