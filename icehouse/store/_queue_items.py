"""Images that come first in a queue, or are asked about no more, within a transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from icehouse.store._queue_records import QueueItem
from icehouse.store._queue_tables import ANSWERS, ITEMS, LEASES

SOME = 1000  # images that one statement names
SAID = "said"  # of why: what several people have said, one after the other


def put_first(db: sa.Connection, number: int, item: QueueItem) -> bool:
    """Put an image first; see :meth:`Queues.put_first`."""
    here = ITEMS.c.queue == number
    first = db.scalar(sa.select(sa.func.min(ITEMS.c.place)).where(here))
    place = 0 if first is None else first - 1
    known = db.execute(sa.select(ITEMS).where(here, ITEMS.c.image_id == item.image_id)).first()
    if known is not None and known.lacks <= 0:
        return False
    before = {} if known is None else json.loads(known.why)
    why = {**before, **item.why, SAID: [*before.get(SAID, []), *item.why.get(SAID, [])]}
    text = json.dumps(why, ensure_ascii=False)
    # As if it had been given to somebody: a ranking anew leaves it where it is.
    values = {"place": place, "why": text, "score": item.score, "given": True}
    if known is not None:
        one = here, ITEMS.c.image_id == item.image_id
        db.execute(sa.update(ITEMS).where(*one).values(values))
        return True
    lacks = {"reviewers": item.reviewers, "lacks": item.reviewers}
    new = {"queue": number, "image_id": item.image_id, **values, **lacks}
    db.execute(sa.insert(ITEMS).values(new))
    return True


def add(db: sa.Connection, number: int, items: Sequence[QueueItem]) -> int:
    """Add images at the end; see :meth:`Queues.add`."""
    here = ITEMS.c.queue == number
    held = {bytes(image) for image in db.scalars(sa.select(ITEMS.c.image_id).where(here))}
    last = db.scalar(sa.select(sa.func.max(ITEMS.c.place)).where(here))
    more = [item for item in items if item.image_id not in held]
    if more:
        rows = places(number, more, 0 if last is None else last + 1)
        db.execute(sa.insert(ITEMS), [{**row, "given": True} for row in rows])
    return len(more)


def withdraw(db: sa.Connection, images: Sequence[bytes]) -> None:
    """Take images out of all queues; see :meth:`Queues.withdraw`."""
    same = ANSWERS.c.queue == ITEMS.c.queue, ANSWERS.c.image_id == ITEMS.c.image_id
    answered = sa.exists().where(*same)
    for first in range(0, len(images), SOME):
        some = images[first : first + SOME]
        db.execute(sa.delete(LEASES).where(LEASES.c.image_id.in_(some)))
        these = ITEMS.c.image_id.in_(some)
        db.execute(sa.delete(ITEMS).where(these, ~answered))
        db.execute(sa.update(ITEMS).where(these).values(lacks=0))


def places(number: int, items: Sequence[QueueItem], first: int) -> list[dict[str, Any]]:
    """Return images as rows of a queue, in their order."""
    return [
        {
            "queue": number,
            "place": place,
            "image_id": item.image_id,
            "score": item.score,
            "why": json.dumps(dict(item.why), ensure_ascii=False),
            "reviewers": item.reviewers,
            "lacks": item.reviewers,
            "given": False,
        }
        for place, item in enumerate(items, first)
    ]
