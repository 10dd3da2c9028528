"""Review queues: images in an order, each given to one reviewer at a time, and what came of it.

Every change is one transaction, and writers wait for each other, so that no image is given to two
people, and an answer that is sent twice (because the first one seemed lost) is recorded once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from icehouse.errors import LookupFailed, UsageError
from icehouse.store._answers import record, take_back
from icehouse.store._label_events import labels_of
from icehouse.store._label_tables import EVENTS
from icehouse.store._labels import LabelLog
from icehouse.store._queue_items import add, places, put_first, withdraw
from icehouse.store._queue_leases import count_skipped, free
from icehouse.store._queue_records import Answer, Given, Queue, QueueItem, Recorded
from icehouse.store._queue_tables import ANSWERS, ITEMS, LEASES, QUEUE_METADATA, QUEUES, REVIEWS

LEASE_SECONDS = 300.0


class Queues:
    """The queues of a store.

    Parameters
    ----------
    log : LabelLog
        Whose database they are in.
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, log: LabelLog, clock: Callable[[], float] = time.time) -> None:
        self._log = log
        self._clock = clock
        self._database = log.database
        self._database.ensure(QUEUE_METADATA)

    def make(
        self,
        task: str,
        strategy: str,
        items: Sequence[QueueItem],
        settings: Mapping[str, Any] | None = None,
    ) -> Queue:
        """Make a queue of images in an order.

        Raises
        ------
        LookupFailed
            No such task.
        UsageError
            No images, or one of them twice.
        """
        self._log.task(task)
        if not items or len({item.image_id for item in items}) < len(items):
            raise UsageError(f"a queue is of images, each of them once; got {len(items)}")
        values = {
            "task": task,
            "strategy": strategy,
            "made": self._clock(),
            "settings": json.dumps(dict(settings or {}), ensure_ascii=False),
        }
        with self._database.write() as db:
            number = db.execute(
                sa.insert(QUEUES).values(values).returning(QUEUES.c.id)
            ).scalar_one()
            db.execute(sa.insert(ITEMS), places(number, items, 0))
        return self.queue(number)

    def queue(self, number: int) -> Queue:
        """Return a queue, or raise LookupFailed."""
        found = {queue.id: queue for queue in self.queues()}
        if number not in found:
            have = ", ".join(map(str, found)) or "none"
            raise LookupFailed(f"the store has no queue {number}; it has: {have}")
        return found[number]

    def queues(self, task: str | None = None) -> list[Queue]:
        """Return all queues, or those of a task, the newest last."""
        query = sa.select(QUEUES).order_by(QUEUES.c.id)
        with self._database.read() as db:
            rows = db.execute(query if task is None else query.where(QUEUES.c.task == task)).all()
        return [Queue(q.id, q.task, q.strategy, q.made, json.loads(q.settings)) for q in rows]

    def items(self, number: int, *, lacking: bool = False) -> list[QueueItem]:
        """Return the images of a queue in its order, all or those that lack answers."""
        query = sa.select(ITEMS).where(ITEMS.c.queue == number).order_by(ITEMS.c.place)
        with self._database.read() as db:
            return [_item(row) for row in db.execute(query) if not lacking or row.lacks > 0]

    def rank_anew(self, number: int, items: Sequence[QueueItem]) -> None:
        """Put other images in the place of those that nobody has been given or answered.

        As many as these, so that a queue is never longer than it was. Images that it holds already
        keep their place. What was ever given to somebody stays: their answer may come after the
        lease has ended, and has to be one to this queue.
        """
        self.queue(number)
        with self._database.write() as db:
            answered = sa.select(ANSWERS.c.image_id).where(ANSWERS.c.queue == number)
            new = ITEMS.c.queue == number, ~ITEMS.c.given, ITEMS.c.image_id.not_in(answered)
            gone = db.execute(sa.delete(ITEMS).where(*new)).rowcount
            held = set(db.scalars(sa.select(ITEMS.c.image_id).where(ITEMS.c.queue == number)))
            last = db.scalar(sa.select(sa.func.max(ITEMS.c.place)).where(ITEMS.c.queue == number))
            more = [item for item in items if item.image_id not in held][:gone]
            if more:
                first = 0 if last is None else last + 1
                db.execute(sa.insert(ITEMS), places(number, more, first))

    def withdraw(self, images: Sequence[bytes]) -> None:
        """Ask nobody any more about images, in any queue; what was answered of them stays."""
        with self._database.write() as db:
            withdraw(db, images)

    def put_first(self, number: int, item: QueueItem) -> bool:
        """Let an image be the next that is asked about, and stay whatever is ranked anew.

        Of one that is asked about already, what is said of it is added to its ``why``.

        Returns
        -------
        bool
            False where all that are to answer have done so: then it takes another queue.
        """
        self.queue(number)
        with self._database.write() as db:
            return put_first(db, number, item)

    def add(self, number: int, items: Sequence[QueueItem]) -> int:
        """Add images that a queue lacks at its end, to stay whatever is ranked anew.

        Returns
        -------
        int
            How many it lacked.
        """
        self.queue(number)
        with self._database.write() as db:
            return add(db, number, items)

    def lease(
        self,
        number: int,
        reviewer: str,
        count: int,
        seconds: float = LEASE_SECONDS,
        *,
        skipped: bool = False,
    ) -> list[QueueItem]:
        """Give a reviewer the next images, those first that they were given before.

        Nobody else is given them until they are answered, or ``seconds`` have passed. Where the
        clock is set back, that is later by as much.

        Parameters
        ----------
        number : int
            Of the queue.
        reviewer : str
        count : int
            At most.
        seconds : float
        skipped : bool
            Also those that they have skipped themselves, where nobody else has answered.
        """
        queue = self.queue(number)
        now = self._clock()
        with self._database.write() as db:
            db.execute(sa.delete(LEASES).where(LEASES.c.until <= now))
            mine = LEASES.c.queue == number, LEASES.c.reviewer == reviewer
            had = db.execute(
                sa.select(ITEMS)
                .join(LEASES, LEASES.c.image_id == ITEMS.c.image_id)
                .where(ITEMS.c.queue == number, *mine)
                .order_by(ITEMS.c.place)
            ).all()
            more = free(queue, reviewer, skipped=skipped).limit(max(count - len(had), 0))
            new = db.execute(more).all()
            db.execute(sa.update(LEASES).where(*mine).values(until=now + seconds))
            if new:
                values = {"task": queue.task, "reviewer": reviewer, "queue": number}
                values |= {"until": now + seconds}
                db.execute(sa.insert(LEASES), [{**values, "image_id": i.image_id} for i in new])
                places = ITEMS.c.queue == number, ITEMS.c.place.in_([i.place for i in new])
                db.execute(sa.update(ITEMS).where(*places).values(given=True))
        return [_item(row) for row in [*had, *new]][:count]

    def answer(self, number: int, reviewer: str, answers: Sequence[Answer]) -> list[Recorded]:
        """Record answers, all of them or none; each takes the place of one that was given before.

        An answer after its lease has ended is recorded, too.

        Raises
        ------
        LookupFailed
            An image is not in the queue.
        UsageError
            As :meth:`LabelLog.record`; or a token stands for another answer.
        """
        queue = self.queue(number)
        task = self._log.task(queue.task)
        with self._database.write() as db:
            return [record(db, queue, task, reviewer, each, self._clock()) for each in answers]

    def given(self, number: int) -> list[Given]:
        """Return what reviewers have answered and did not take back, in its order."""
        query = (
            sa.select(ANSWERS, REVIEWS.c.time, REVIEWS.c.seconds, EVENTS.c.labels)
            .join(REVIEWS, REVIEWS.c.id == ANSWERS.c.review)
            .outerjoin(EVENTS, EVENTS.c.seq == REVIEWS.c.event)
            .where(ANSWERS.c.queue == number)
            .order_by(ANSWERS.c.review)
        )
        with self._database.read() as db:
            rows = db.execute(query).all()
        return [
            Given(
                bytes(row.image_id),
                row.reviewer,
                row.outcome,
                labels_of(row.labels) if row.labels else (),
                row.time,
                row.seconds,
            )
            for row in rows
        ]

    def counts(self, number: int) -> tuple[int, int, int]:
        """Return how many images a queue has, how many lack answers, and how many are leased."""
        here = ITEMS.c.queue == number
        leased = sa.select(sa.func.count()).where(
            LEASES.c.queue == number, LEASES.c.until > self._clock()
        )
        with self._database.read() as db:
            images = db.scalar(sa.select(sa.func.count()).where(here))
            lack = db.scalar(sa.select(sa.func.count()).where(here, ITEMS.c.lacks > 0))
            return images or 0, lack or 0, db.scalar(leased) or 0

    def skipped(self, number: int, reviewer: str) -> int:
        """Return how many images lack answers that a reviewer has skipped."""
        with self._database.read() as db:
            return db.scalar(count_skipped(number, reviewer)) or 0

    def undo(self, number: int, reviewer: str, token: str) -> bytes | None:
        """Take back the last answer of a reviewer, and give them its image again.

        Parameters
        ----------
        number : int
            Of the queue.
        reviewer : str
        token : str
            As :attr:`Answer.token`: sent again, it takes back nothing more.

        Returns
        -------
        bytes or None
            The image; None where there is no answer to take back.
        """
        queue = self.queue(number)
        with self._database.write() as db:
            now = self._clock()
            image = take_back(db, queue, reviewer, token, now)
            if image is not None:
                lease = {"task": queue.task, "image_id": image, "reviewer": reviewer}
                db.execute(sa.delete(LEASES).filter_by(**lease))
                until = now + LEASE_SECONDS
                db.execute(sa.insert(LEASES).values(**lease, queue=number, until=until))
        return image


def _item(row: sa.Row[Any]) -> QueueItem:
    return QueueItem(bytes(row.image_id), row.score, json.loads(row.why), row.reviewers)
