"""The label log: append-only events, from which the present labels are derived.

Nothing is overwritten. An event says that somebody (or a source) gave an image its labels
in a task; an undo is an event too, which takes another one back.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import sqlalchemy as sa

from icehouse.errors import LookupFailed, UsageError
from icehouse.store._ids import ID_BYTES
from icehouse.store._label_events import LabelEvent, Task, in_force_of, labels_to_text, read_events
from icehouse.store._label_tables import CLASSES, EVENTS, TASKS, LabelDatabase

SINGLE, MULTI = "single", "multi"
AT_ONCE = 2048
KINDS = (SINGLE, MULTI)

Statement = tuple[tuple[str, ...], str | None]
"""Labels, and a note."""


class LabelLog:
    """The log of all tasks of a store.

    Parameters
    ----------
    url : str or sqlalchemy.URL
        Of the database (``sqlite:///…/labels.sqlite``).
    """

    def __init__(self, url: str | sa.URL) -> None:
        self.database = LabelDatabase(url)

    def tasks(self) -> list[Task]:
        """Return all tasks, sorted by name."""
        with self.database.read() as db:
            found = db.execute(sa.select(TASKS).order_by(TASKS.c.name)).all()
            named = db.execute(sa.select(CLASSES).order_by(CLASSES.c.id)).all()
        return [
            Task(t.name, t.kind, tuple(c.name for c in named if c.task == t.name)) for t in found
        ]

    def task(self, name: str) -> Task:
        """Return one task, or raise LookupFailed."""
        tasks = {task.name: task for task in self.tasks()}
        if name not in tasks:
            have = ", ".join(tasks) or "none"
            raise LookupFailed(f"the store has no task {name!r}; it has: {have}")
        return tasks[name]

    def ensure_task(self, name: str, kind: str, classes: Iterable[str] = ()) -> None:
        """Create a task where there is none, and add the classes that it lacks.

        Raises
        ------
        UsageError
            The task takes labels of the other kind.
        """
        if kind not in KINDS:
            raise UsageError(f"a task is {SINGLE} or {MULTI}, got {kind!r}")
        with self.database.write() as db:
            had = db.execute(sa.select(TASKS.c.kind).where(TASKS.c.name == name)).scalar()
            if had is None:
                db.execute(sa.insert(TASKS).values(name=name, kind=kind))
            elif had != kind:
                raise UsageError(
                    f"task {name!r} takes {had} labels, but got {kind} ones; "
                    "give these labels a task of their own with --task"
                )
            known = set(db.scalars(sa.select(CLASSES.c.name).where(CLASSES.c.task == name)))
            new = [{"task": name, "name": c} for c in sorted(set(classes) - known)]
            if new:
                db.execute(sa.insert(CLASSES), new)

    def record(
        self,
        task: str,
        labels: Sequence[tuple[bytes, tuple[str, ...]]],
        *,
        annotator: str,
        origin: str,
        note: str | None = None,
    ) -> None:
        """Append one event for each (image_id, labels), all of them or none.

        Raises
        ------
        LookupFailed
            No such task.
        UsageError
            A label that is not among the task's classes, not exactly one in a single-label
            task, or an image_id that is none.
        """
        rows = rows_of(self.task(task), [(image, (given, note)) for image, given in labels])
        if rows:
            with self.database.write() as db:
                db.execute(sa.insert(EVENTS), signed(rows, annotator, origin))

    def claim(
        self,
        task: str,
        said: Iterable[tuple[bytes, Statement]],
        *,
        annotator: str,
        origin: str,
    ) -> int:
        """Append what an annotator says by one way now, where it is not what they said last.

        Of several processes that claim the same at once, one is heard.

        Parameters
        ----------
        task : str
        said : iterable of (image_id, (labels, note))
            No image twice. It is read while others wait to write.
        annotator, origin : str

        Returns
        -------
        int
            Events appended.

        Raises
        ------
        LookupFailed, UsageError
            As :meth:`record`.
        """
        query = (
            sa.select(EVENTS.c.image_id, EVENTS.c.labels, EVENTS.c.note)
            .where(EVENTS.c.task == task, EVENTS.c.labels.is_not(None))
            .where(EVENTS.c.annotator == annotator, EVENTS.c.origin == origin)
            .order_by(EVENTS.c.seq)
        )
        asked = self.task(task)  # by a connection of its own, which could not read meanwhile
        with self.database.write() as db:
            # As text: most sources repeat themselves, and parsing takes longer than reading.
            before = {bytes(image): (text, note) for image, text, note in db.execute(query)}
            news = (
                (image, (labels, note))
                for image, (labels, note) in said
                if before.get(image) != (labels_to_text(labels), note)
            )
            count = 0
            while some := rows_of(asked, islice(news, AT_ONCE)):  # ten times the memory of news
                db.execute(sa.insert(EVENTS), signed(some, annotator, origin))
                count += len(some)
        return count

    def annotators(self, task: str, origin: str) -> set[str]:
        """Return who has said something about a task by one way."""
        query = sa.select(EVENTS.c.annotator).distinct()
        query = query.where(EVENTS.c.task == task, EVENTS.c.origin == origin)
        with self.database.read() as db:
            return set(db.scalars(query))

    def undo(self, seq: int, *, annotator: str, origin: str = "cli") -> LabelEvent | None:
        """Take back an event (which may itself be an undo) by appending another one.

        Returns
        -------
        LabelEvent or None
            What says now how the image is labelled; None if nothing does any more.

        Raises
        ------
        LookupFailed
            There is no such event.
        """
        with self.database.write() as db:
            event = db.execute(sa.select(EVENTS).where(EVENTS.c.seq == seq)).first()
            if event is None:
                raise LookupFailed(f"the label log has no event {seq}")
            db.execute(
                sa.insert(EVENTS).values(
                    task=event.task,
                    image_id=event.image_id,
                    annotator=annotator,
                    time=time.time(),
                    origin=origin,
                    undoes=seq,
                )
            )
            image = bytes(event.image_id)
            return in_force_of(read_events(db, event.task, image_id=image)).get(image)

    def events(self, task: str) -> list[LabelEvent]:
        """Return the events of a task in the order in which they were appended."""
        with self.database.read() as db:
            return read_events(db, task)

    def present(self, task: str) -> dict[bytes, tuple[str, ...]]:
        """Return the labels in force: for each image those of the event in force."""
        return {image: event.labels or () for image, event in self.in_force(task).items()}

    def in_force(self, task: str) -> dict[bytes, LabelEvent]:
        """Return for each image the last event that gave it labels and was not taken back."""
        self.task(task)
        return in_force_of(self.events(task))


def rows_of(asked: Task, said: Iterable[tuple[bytes, Statement]]) -> list[dict[str, Any]]:
    """Return statements as rows that are yet to be signed, or refuse what cannot be said."""
    known = set(asked.classes)
    rows: list[dict[str, Any]] = []
    for image, (given, note) in said:
        if len(image) != ID_BYTES:
            raise UsageError(f"an image_id has {ID_BYTES} bytes, got {len(image)}")
        if unknown := set(given) - known:
            raise UsageError(
                f"{sorted(unknown)} not among the classes of task {asked.name!r}: "
                f"{', '.join(asked.classes)}"
            )
        if asked.kind == SINGLE and len(given) != 1:
            raise UsageError(f"task {asked.name!r} takes exactly one label, got {list(given)}")
        row = {"task": asked.name, "image_id": image, "labels": labels_to_text(given), "note": note}
        rows.append(row)
    return rows


def signed(rows: list[dict[str, Any]], annotator: str, origin: str) -> list[dict[str, Any]]:
    signature = {"annotator": annotator, "origin": origin, "time": time.time()}
    for row in rows:
        row.update(signature)
    return rows
