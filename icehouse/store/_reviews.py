"""What was answered to queues, read without making anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from icehouse.store._labels import LabelLog
from icehouse.store._queue_tables import REVIEWS


@dataclass(frozen=True)
class Review:
    """One answer, or the taking back of one.

    Attributes
    ----------
    id : int
        Its number in the log of reviews.
    image_id : bytes
    reviewer : str
    time : float
        Seconds since 1970, UTC.
    outcome : {"label", "skip", "unsure", "undo"}
    event : int or None
        Of the label log.
    undoes : int or None
        The review that this one takes back.
    why : dict
        See :class:`QueueItem`.
    note : str or None
    seconds : float or None
        That it took.
    queue : int
    """

    id: int
    image_id: bytes
    reviewer: str
    time: float
    outcome: str
    event: int | None
    undoes: int | None
    why: Mapping[str, Any]
    note: str | None
    seconds: float | None
    queue: int


def read_reviews(log: LabelLog, task: str, image_id: bytes | None = None) -> list[Review]:
    """Return the reviews of a task, or of one image in it, in the order of their numbers."""
    query = sa.select(REVIEWS).where(REVIEWS.c.task == task).order_by(REVIEWS.c.id)
    if image_id is not None:
        query = query.where(REVIEWS.c.image_id == image_id)
    with log.database.read() as db:
        if not sa.inspect(db).has_table(REVIEWS.name):
            return []  # there was never a queue
        rows = db.execute(query).all()
    return [
        Review(
            row.id,
            bytes(row.image_id),
            row.reviewer,
            row.time,
            row.outcome,
            row.event,
            row.undoes,
            json.loads(row.why),
            row.note,
            row.seconds,
            row.queue,
        )
        for row in rows
    ]
