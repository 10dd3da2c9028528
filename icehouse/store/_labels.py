"""The label log: append-only events, from which the present labels are derived.

Nothing is overwritten. An event says that somebody (or a source) gave an image its labels
in a task; an undo is an event too, which takes another one back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, OperationalError

from icehouse.errors import LookupFailed, StoreCorrupt, StoreUnwritable, UsageError

SINGLE, MULTI = "single", "multi"
SOURCE_ORIGIN = "source"
IN_CHUNK = 1000  # values in one SQL statement; databases limit them

_metadata = sa.MetaData()
_tasks = sa.Table(
    "tasks",
    _metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("kind", sa.String, nullable=False),
)
_classes = sa.Table(
    "classes",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("task", sa.String, sa.ForeignKey("tasks.name"), nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.UniqueConstraint("task", "name"),
)
_events = sa.Table(
    "events",
    _metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("task", sa.String, sa.ForeignKey("tasks.name"), nullable=False),
    sa.Column("image_id", sa.LargeBinary(32), nullable=False),
    sa.Column("labels", sa.String),
    sa.Column("annotator", sa.String, nullable=False),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("origin", sa.String, nullable=False),
    sa.Column("note", sa.String),
    sa.Column("undoes", sa.Integer, sa.ForeignKey("events.seq")),
    sa.Index("events_by_image", "task", "image_id"),
)


@dataclass(frozen=True)
class Task:
    """A question about images.

    Attributes
    ----------
    name : str
    kind : {"single", "multi"}
        Exactly one label an image, or any number of them.
    classes : tuple of str
        In the order in which they came to be known, sorted within one import.
    """

    name: str
    kind: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class LabelEvent:
    """One statement about one image, or the taking back of one.

    Attributes
    ----------
    seq : int
        Its number in the log.
    image_id : bytes
    labels : tuple of str or None
        None for an undo.
    annotator, origin : str
        Who said it, and by what way ("source", "review", "cli", …).
    time : float
        Seconds since 1970, UTC.
    note : str or None
    undoes : int or None
        The event that this one takes back.
    """

    seq: int
    image_id: bytes
    labels: tuple[str, ...] | None
    annotator: str
    time: float
    origin: str
    note: str | None
    undoes: int | None


class LabelLog:
    """The log of all tasks of a store.

    Parameters
    ----------
    url : str
        SQLAlchemy database URL (``sqlite:///…/labels.sqlite``).
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = sa.create_engine(url)
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _durable)
        with self._begin() as db:
            _metadata.create_all(db)

    def tasks(self) -> list[Task]:
        """Return all tasks, sorted by name."""
        with self._begin() as db:
            kinds = db.execute(sa.select(_tasks).order_by(_tasks.c.name)).all()
            classes = db.execute(sa.select(_classes).order_by(_classes.c.id)).all()
        return [
            Task(t.name, t.kind, tuple(c.name for c in classes if c.task == t.name)) for t in kinds
        ]

    def task(self, name: str) -> Task:
        """Return one task, or raise LookupFailed."""
        tasks = {task.name: task for task in self.tasks()}
        if name not in tasks:
            have = ", ".join(tasks) or "none"
            raise LookupFailed(f"the store has no task {name!r}; it has: {have}")
        return tasks[name]

    def ensure_task(self, name: str, kind: str, classes: Iterable[str] = ()) -> None:
        """Create a task where there is none, and add the classes that it lacks."""
        with self._begin() as db:
            had = db.execute(sa.select(_tasks.c.kind).where(_tasks.c.name == name)).scalar()
            if had is None:
                db.execute(sa.insert(_tasks).values(name=name, kind=kind))
            elif had != kind:
                raise UsageError(
                    f"task {name!r} takes {had} labels, but got {kind} ones; "
                    "give these labels a task of their own with --task"
                )
            known = set(db.scalars(sa.select(_classes.c.name).where(_classes.c.task == name)))
            new = [{"task": name, "name": c} for c in sorted(set(classes) - known)]
            if new:
                db.execute(sa.insert(_classes), new)

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
            A label that is not among the task's classes, or not exactly one in a
            single-label task.
        """
        asked = self.task(task)
        known = set(asked.classes)
        for _, given in labels:
            if unknown := set(given) - known:
                raise UsageError(
                    f"{sorted(unknown)} not among the classes of task {task!r}: "
                    f"{', '.join(asked.classes)}"
                )
            if asked.kind == SINGLE and len(given) != 1:
                raise UsageError(f"task {task!r} takes exactly one label, got {list(given)}")
        now = time.time()
        rows = [
            {
                "task": task,
                "image_id": image,
                "labels": json.dumps(given, ensure_ascii=False),
                "annotator": annotator,
                "time": now,
                "origin": origin,
                "note": note,
            }
            for image, given in labels
        ]
        if rows:
            with self._begin() as db:
                db.execute(sa.insert(_events), rows)

    def record_from_source(
        self, task: str, labels: Sequence[tuple[bytes, tuple[str, ...]]], source: str
    ) -> None:
        """Append what a source says, where it says something new.

        Reading the same source again, or from another place, adds nothing: an older
        statement of a source does not override what a person has said since.
        """
        said = self._said_by_sources(task, [image for image, _ in labels])
        news = []
        for image, given in labels:
            if said.get(image) != given:
                said[image] = given
                news.append((image, given))
        if news:
            self.record(task, news, annotator=source, origin=SOURCE_ORIGIN)

    def _said_by_sources(self, task: str, images: list[bytes]) -> dict[bytes, tuple[str, ...]]:
        said = {}
        with self._begin() as db:
            for start in range(0, len(images), IN_CHUNK):
                query = (
                    sa.select(_events.c.image_id, _events.c.labels)
                    .where(_events.c.task == task, _events.c.origin == SOURCE_ORIGIN)
                    .where(_events.c.image_id.in_(images[start : start + IN_CHUNK]))
                    .order_by(_events.c.seq)
                )
                for image, labels in db.execute(query):
                    said[bytes(image)] = tuple(json.loads(labels))
        return said

    def undo(self, seq: int, *, annotator: str, origin: str = "cli") -> None:
        """Take back an event (which may itself be an undo) by appending another one."""
        with self._begin() as db:
            event = db.execute(sa.select(_events).where(_events.c.seq == seq)).first()
            if event is None:
                raise LookupFailed(f"the label log has no event {seq}")
            db.execute(
                sa.insert(_events).values(
                    task=event.task,
                    image_id=event.image_id,
                    annotator=annotator,
                    time=time.time(),
                    origin=origin,
                    undoes=seq,
                )
            )

    def events(self, task: str) -> list[LabelEvent]:
        """Return the events of a task in the order in which they were appended."""
        query = sa.select(_events).where(_events.c.task == task).order_by(_events.c.seq)
        with self._begin() as db:
            rows = db.execute(query).all()
        return [
            LabelEvent(
                row.seq,
                bytes(row.image_id),
                None if row.labels is None else tuple(json.loads(row.labels)),
                row.annotator,
                row.time,
                row.origin,
                row.note,
                row.undoes,
            )
            for row in rows
        ]

    def present(self, task: str) -> dict[bytes, tuple[str, ...]]:
        """Return the labels in force: for each image the last event not taken back."""
        self.task(task)
        labels: dict[bytes, tuple[str, ...]] = {}
        undone: set[int] = set()
        # Backwards, so that an undo that was itself undone is met after its own undoing.
        for event in reversed(self.events(task)):
            if event.seq in undone:
                continue
            if event.undoes is not None:
                undone.add(event.undoes)
            elif event.labels is not None:
                labels.setdefault(event.image_id, event.labels)
        return labels

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise StoreUnwritable(
                f"the label log {self.url} cannot be used: {error.orig}. Check that its folder "
                "is writable, its disk has space, and no other program holds it locked"
            ) from error
        except DatabaseError as error:
            raise StoreCorrupt(f"the label log {self.url} is damaged: {error.orig}") from error


def _durable(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()
