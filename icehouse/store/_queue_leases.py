"""Who may be given what of a queue, as questions to the database."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from icehouse.store._queue_records import DONE, OUTCOMES, SKIP, Queue
from icehouse.store._queue_tables import ANSWERS, ITEMS, LEASES


def free(queue: Queue, reviewer: str, *, skipped: bool) -> sa.Select[Any]:
    """Ask for what a reviewer may be given: lacks answers, more than are being thought about.

    Parameters
    ----------
    queue : Queue
    reviewer : str
    skipped : bool
        Also what they have skipped themselves.
    """
    given = (
        sa.select(sa.func.count())
        .where(LEASES.c.task == queue.task, LEASES.c.image_id == ITEMS.c.image_id)
        .scalar_subquery()
    )
    own_lease = sa.exists().where(
        LEASES.c.task == queue.task,
        LEASES.c.image_id == ITEMS.c.image_id,
        LEASES.c.reviewer == reviewer,
    )
    answered = sa.exists().where(
        ANSWERS.c.queue == queue.id,
        ANSWERS.c.image_id == ITEMS.c.image_id,
        ANSWERS.c.reviewer == reviewer,
        ANSWERS.c.outcome.in_(DONE if skipped else OUTCOMES),
    )
    return (
        sa.select(ITEMS)
        .where(ITEMS.c.queue == queue.id, ITEMS.c.lacks > given, ~own_lease, ~answered)
        .order_by(ITEMS.c.place)
    )


def count_skipped(number: int, reviewer: str) -> sa.Select[Any]:
    """Ask how many images of a queue lack answers that a reviewer has skipped."""
    mine = ANSWERS.c.queue == number, ANSWERS.c.reviewer == reviewer
    place = sa.and_(ITEMS.c.queue == ANSWERS.c.queue, ITEMS.c.image_id == ANSWERS.c.image_id)
    joined = sa.select(sa.func.count()).select_from(ANSWERS).join(ITEMS, place)
    return joined.where(*mine, ANSWERS.c.outcome == SKIP, ITEMS.c.lacks > 0)
