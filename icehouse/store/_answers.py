"""Answers to a queue, and their taking back, each within a transaction that is under way.

An answer that has labels appends an event to the label log, and its undo the event that takes that
one back: the present labels follow from the log of labels alone, as ever.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from icehouse.errors import LookupFailed, UsageError
from icehouse.store._label_events import Task, labels_of
from icehouse.store._label_tables import EVENTS
from icehouse.store._labels import rows_of
from icehouse.store._queue_records import DONE, LABEL, UNDO, Answer, Queue, Recorded
from icehouse.store._queue_tables import ANSWERS, ITEMS, LEASES, REVIEWS

ORIGIN = "review"


def record(
    db: sa.Connection, queue: Queue, task: Task, reviewer: str, answer: Answer, now: float
) -> Recorded:
    """Record an answer, once; see :meth:`Queues.answer`."""
    before = db.execute(sa.select(REVIEWS).where(REVIEWS.c.token == answer.token)).first()
    if before is not None:
        if (bytes(before.image_id), before.reviewer) != (answer.image_id, reviewer):
            raise UsageError(f"the token {answer.token!r} stands for another answer")
        others = _others(db, queue, answer.image_id, reviewer)
        return Recorded(answer.token, answer.image_id, before.id, True, others)
    place = ITEMS.c.queue == queue.id, ITEMS.c.image_id == answer.image_id
    item = db.execute(sa.select(ITEMS).where(*place)).first()
    if item is None:
        raise LookupFailed(f"queue {queue.id} has no image {answer.image_id.hex()[:12]}")
    said = {"image_id": answer.image_id, "time": now}
    event = None
    if answer.outcome == LABEL:
        row = rows_of(task, [(answer.image_id, (answer.labels, answer.note))])[0]
        event = _added(db, EVENTS, row | said | {"annotator": reviewer, "origin": ORIGIN})
    said |= {"queue": queue.id, "task": queue.task, "reviewer": reviewer, "why": item.why}
    said |= {"token": answer.token, "outcome": answer.outcome, "note": answer.note}
    review = _added(db, REVIEWS, said | {"event": event, "seconds": answer.seconds})
    _set_answer(db, queue, answer.image_id, reviewer, (answer.outcome, review))
    mine = LEASES.c.task == queue.task, LEASES.c.reviewer == reviewer
    db.execute(sa.delete(LEASES).where(*mine, LEASES.c.image_id == answer.image_id))
    others = _others(db, queue, answer.image_id, reviewer)
    return Recorded(answer.token, answer.image_id, review, False, others)


def take_back(
    db: sa.Connection, queue: Queue, reviewer: str, token: str, now: float
) -> bytes | None:
    """Take back the last answer of a reviewer, and return its image; see :meth:`Queues.undo`."""
    if db.scalar(sa.select(REVIEWS.c.id).where(REVIEWS.c.token == token)) is not None:
        return None
    last = db.execute(
        sa.select(REVIEWS)
        .join(ANSWERS, ANSWERS.c.review == REVIEWS.c.id)
        .where(ANSWERS.c.queue == queue.id, ANSWERS.c.reviewer == reviewer)
        .order_by(REVIEWS.c.id.desc())
    ).first()
    if last is None:
        return None
    said = {"task": queue.task, "image_id": last.image_id, "time": now}
    event = None
    if last.event is not None:
        undo = {"annotator": reviewer, "origin": ORIGIN, "undoes": last.event}
        event = _added(db, EVENTS, said | undo)
    said |= {"queue": queue.id, "reviewer": reviewer, "token": token, "outcome": UNDO}
    _added(db, REVIEWS, said | {"why": last.why, "event": event, "undoes": last.id})
    _set_answer(db, queue, last.image_id, reviewer, _before(db, last))
    return bytes(last.image_id)


def _added(db: sa.Connection, table: sa.Table, values: dict[str, Any]) -> int:
    (key,) = table.primary_key
    return int(db.execute(sa.insert(table).values(values).returning(key)).scalar_one())


def _set_answer(
    db: sa.Connection, queue: Queue, image: bytes, reviewer: str, now: tuple[str, int] | None
) -> None:
    """Say where an image stands with a reviewer, and how many answers it still lacks."""
    key = {"queue": queue.id, "image_id": image, "reviewer": reviewer}
    db.execute(sa.delete(ANSWERS).filter_by(**key))
    if now is not None:
        db.execute(sa.insert(ANSWERS).values(**key, outcome=now[0], review=now[1]))
    here = ANSWERS.c.queue == queue.id, ANSWERS.c.image_id == image
    done = sa.select(sa.func.count()).where(*here, ANSWERS.c.outcome.in_(DONE)).scalar_subquery()
    place = ITEMS.c.queue == queue.id, ITEMS.c.image_id == image
    db.execute(sa.update(ITEMS).where(*place).values(lacks=ITEMS.c.reviewers - done))


def _before(db: sa.Connection, last: sa.Row[Any]) -> tuple[str, int] | None:
    """Return outcome and number of what a reviewer had said of an image before, and still says."""
    undone = sa.select(REVIEWS.c.undoes).where(REVIEWS.c.undoes.is_not(None))
    row = db.execute(
        sa.select(REVIEWS.c.outcome, REVIEWS.c.id)
        .where(REVIEWS.c.task == last.task, REVIEWS.c.image_id == last.image_id)
        .where(REVIEWS.c.queue == last.queue, REVIEWS.c.reviewer == last.reviewer)
        .where(REVIEWS.c.outcome != UNDO, REVIEWS.c.id.not_in(undone))
        .order_by(REVIEWS.c.id.desc())
    ).first()
    return None if row is None else (row.outcome, row.id)


def _others(
    db: sa.Connection, queue: Queue, image: bytes, reviewer: str
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    rows = db.execute(
        sa.select(ANSWERS.c.reviewer, EVENTS.c.labels)
        .join(REVIEWS, REVIEWS.c.id == ANSWERS.c.review)
        .join(EVENTS, EVENTS.c.seq == REVIEWS.c.event)
        .where(ANSWERS.c.queue == queue.id, ANSWERS.c.image_id == image)
        .where(ANSWERS.c.reviewer != reviewer)
        .order_by(ANSWERS.c.review)
    )
    return tuple((name, labels_of(labels)) for name, labels in rows)
