"""A visitor's "this is wrong": the image is kept, and people are asked about it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from icehouse.errors import UsageError
from icehouse.review import Prediction
from icehouse.service.inference._heads import Served
from icehouse.service.inference._seen import Seen
from icehouse.service.inference._service import Service
from icehouse.store import QueueItem, Queues, Sent, keep

VISITORS = "visitors"
"""The dataset of images that visitors sent, and the strategy of queues that hold nothing else."""


@dataclass(frozen=True)
class Complaint:
    """What a visitor says.

    Attributes
    ----------
    by : str
    labels : tuple of str
        That would be right; none where they do not say.
    note : str or None
    """

    by: str
    labels: tuple[str, ...] = ()
    note: str | None = None

    @property
    def words(self) -> str:
        """All of it, in one line."""
        words = f"{self.by} says that this is wrong"
        if self.labels:
            words += f", and that it is {', '.join(self.labels)}"
        return f"{words} (“{self.note}”)" if self.note else words


@dataclass(frozen=True)
class Flagged:
    """What has become of it: the queue, and whether the image was new."""

    queue: int
    kept: bool


class Flags:
    """Takes what visitors say.

    Parameters
    ----------
    service : Service
    present : callable
        Returns the queue that people are at, if they are at any.
    """

    def __init__(self, service: Service, present: Callable[[], int | None] = lambda: None) -> None:
        self._service = service
        self._present = present
        self._lock = threading.Lock()

    def take(
        self,
        seen: Seen,
        data: bytes | None,
        served: Served,
        prediction: Prediction,
        complaint: Complaint,
    ) -> Flagged:
        """Keep an image where the store does not have it, and let it be asked about next.

        Parameters
        ----------
        seen : Seen
        data : bytes or None
            None for an image of the store.
        served : Served
            The head whose answer is wrong.
        prediction : Prediction
            That answer.
        complaint : Complaint

        Raises
        ------
        UsageError
            A label that the task does not have.
        """
        store, library = self._service.store, self._service.library
        task = store.labels.task(served.task)
        if unknown := sorted(set(complaint.labels) - set(task.classes)):
            raise UsageError(
                f"{unknown} not among the classes of task {task.name!r}: "
                f"{', '.join(task.classes)}. Say it in a note"
            )
        with self._lock:
            kept = data is not None and not library.has(seen.image_id)
            if kept:
                assert data is not None
                assert seen.info is not None
                info = seen.info
                sent = Sent(data, info.format, info.width, info.height)
                keep(store, VISITORS, sent, seen.vectors)
                library.refresh()
            number = self._ask(served, seen.image_id, prediction, complaint)
        self._service.metrics.flagged(served.task)
        return Flagged(number, kept)

    def _ask(
        self, served: Served, image: bytes, prediction: Prediction, complaint: Complaint
    ) -> int:
        best = max(prediction.probabilities.values())
        said = {"by": complaint.by, "labels": list(complaint.labels), "note": complaint.note}
        why: dict[str, Any] = {
            "strategy": VISITORS,
            "reason": complaint.words,
            "head": served.name,
            "version": served.version,
            "predicted": list(prediction.predicted),
            "probability": best,
            "said": [said | {"time": time.time()}],
        }
        item = QueueItem(image, score=best, why=why)
        queues = Queues(self._service.store.labels)
        open_ones = [q.id for q in reversed(queues.queues(served.task)) if queues.counts(q.id)[1]]
        present = self._present()
        order = [present, *open_ones] if present in open_ones else open_ones
        for number in order:
            if number is not None and queues.put_first(number, item):
                return number
        settings = {
            "encoder_id": served.encoder_id, "head": served.name, "again": True, "seed": 0,
        }  # fmt: skip
        return queues.make(served.task, VISITORS, [item], settings).id
