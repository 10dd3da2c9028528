"""Two label logs made one: what the other one holds is appended here, and no conflict is silent.

Events are known again by what they say, who said it and when; a source says the same at any time.
As with branches of code: where one log holds the statement that is in force in the other, it has
gone on from there, and its state counts. Where neither does and their labels differ, that is a
conflict: a person counts before a source, then the later one, and both are reported. An event that
came last but does not count is followed by one that repeats what does, so that the present labels
follow from the log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from icehouse.errors import UsageError
from icehouse.store._label_events import LabelEvent, in_force_of, labels_to_text, read_events
from icehouse.store._label_tables import EVENTS
from icehouse.store._label_url import sqlite_file
from icehouse.store._labels import LabelLog

SOURCE, MERGE = "source", "merge"

Identity = tuple[Any, ...]


@dataclass(frozen=True)
class Conflict:
    """An image of which two logs say something else, neither knowing of the other.

    Attributes
    ----------
    task : str
    image_id : bytes
    ours, theirs : LabelEvent
        In force before.
    kept : {"ours", "theirs"}
        That of the person, against a source; else the later one.
    """

    task: str
    image_id: bytes
    ours: LabelEvent
    theirs: LabelEvent
    kept: str


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    Attributes
    ----------
    task : str
    events : int
        Of the other log, appended here.
    known : int
        That were here already.
    changed : int
        Images whose present labels are others now.
    conflicts : tuple of Conflict
    new_classes : tuple of str
        That the task did not have here.
    unknown_images : int
        Of the other log, that are not among ``images``.
    """

    task: str
    events: int
    known: int
    changed: int
    conflicts: tuple[Conflict, ...]
    new_classes: tuple[str, ...] = ()
    unknown_images: int = 0


def merge_labels(
    ours: LabelLog,
    theirs: LabelLog,
    task: str,
    *,
    images: Container[bytes] | None = None,
    new_task: bool = False,
) -> Merged:
    """Append to a log what another one holds of a task, each statement once.

    Parameters
    ----------
    ours, theirs : LabelLog
    task : str
    images : container of bytes, optional
        That the store of ``ours`` has, to count those that it has not; all are merged.
    new_task : bool
        Make the task where it is not here; else that is refused.

    Raises
    ------
    LookupFailed
        The other log has no such task.
    UsageError
        The task takes labels of another kind here, or is not here; or both logs are one.
    """
    if _where(ours) == _where(theirs):
        raise UsageError("a store is not merged with itself; name another one")
    there, here = theirs.task(task), {each.name: each for each in ours.tasks()}
    if task not in here and not new_task:
        raise UsageError(
            f"this store has no task {task!r} to merge into; it has: {', '.join(here) or 'none'}. "
            "Make it with --new-task, or choose another one with --task"
        )
    known = here[task].classes if task in here else ()
    ours.ensure_task(task, there.kind, there.classes)
    come = _History(theirs.events(task))
    about = {event.image_id for event in come.events}
    with ours.database.write() as db:
        had = _History(read_events(db, task))
        wanted: dict[bytes, LabelEvent | None] = dict(had.in_force)
        conflicts = []
        for image in about:
            mine, other = had.in_force.get(image), come.in_force.get(image)
            wanted[image], clash = _choose(mine, other, had, come)
            if clash and mine and other:
                kept = "ours" if wanted[image] is mine else "theirs"
                conflicts.append(Conflict(task, image, mine, other, kept))
        new = _append(db, task, had, come)
        now = in_force_of(read_events(db, task))
        for image, event in wanted.items():
            _make_hold(db, task, now.get(image), event)
    return Merged(
        task,
        new,
        len(come.events) - new,
        changed=sum(_said(had.in_force.get(i)) != _said(event) for i, event in wanted.items()),
        conflicts=tuple(sorted(conflicts, key=lambda clash: clash.image_id)),
        new_classes=tuple(name for name in there.classes if name not in known),
        unknown_images=0 if images is None else sum(image not in images for image in about),
    )


def _where(log: LabelLog) -> Path | sa.URL:
    file = sqlite_file(log.database.url)
    return log.database.url if file is None else file.resolve()


class _History:
    """Events that know each other by what they say."""

    def __init__(self, events: Sequence[LabelEvent]) -> None:
        self.events = events
        self.names: dict[int, Identity] = {}
        twice: Counter[Identity] = Counter()
        for event in events:
            undoes = self.names.get(event.undoes) if event.undoes else None
            name = (*_base(event), undoes)
            twice[name] += 1
            self.names[event.seq] = (*name, twice[name])
        self.seqs = {name: seq for seq, name in self.names.items()}
        self.in_force = in_force_of(events)
        self.sources = {event.annotator for event in events if event.origin == SOURCE}

    def holds(self, event: LabelEvent, of: _History) -> bool:
        """Say whether an event of another history is one of this, too."""
        return of.names[event.seq] in self.seqs


def _choose(
    mine: LabelEvent | None, other: LabelEvent | None, had: _History, come: _History
) -> tuple[LabelEvent | None, bool]:
    """Return what is to be in force of an image, and whether both sides clash in it."""
    they_know = mine is not None and come.holds(mine, had)
    we_know = other is not None and had.holds(other, come)
    if mine is None:
        return (None if we_know else other), False
    if other is None:
        return (None if they_know else mine), False
    if they_know != we_know:
        return (other if they_know else mine), False
    sources = had.sources | come.sources

    def weight(event: LabelEvent) -> tuple[Any, ...]:
        # What a merge repeats is still what the source said.
        person = event.annotator not in sources or event.origin not in (SOURCE, MERGE)
        return person, event.time, event.labels, event.annotator

    return max(mine, other, key=weight), mine.labels != other.labels


def _append(db: sa.Connection, task: str, had: _History, come: _History) -> int:
    """Append what is not here yet, in its order, and return how much that is."""
    here = dict(had.seqs)
    count = 0
    for event in come.events:
        name = come.names[event.seq]
        if name in here:
            continue
        undoes = here[come.names[event.undoes]] if event.undoes else None
        here[name] = _insert(db, task, replace(event, undoes=undoes))
        count += 1
    return count


def _make_hold(
    db: sa.Connection, task: str, now: LabelEvent | None, wanted: LabelEvent | None
) -> None:
    """Append what makes an event that is not the last one count, where it does not."""
    if now == wanted or (now and wanted and _base(now) == _base(wanted)):
        return
    if wanted is not None:
        _insert(db, task, replace(wanted, origin=MERGE, undoes=None))
    elif now is not None:
        _insert(db, task, replace(now, origin=MERGE, labels=None, note=None, undoes=now.seq))


def _insert(db: sa.Connection, task: str, event: LabelEvent) -> int:
    values = {name: value for name, value in asdict(event).items() if name != "seq"}
    values["labels"] = None if event.labels is None else labels_to_text(event.labels)
    row = sa.insert(EVENTS).values(task=task, **values).returning(EVENTS.c.seq)
    return int(db.execute(row).scalar_one())


def _base(event: LabelEvent) -> Identity:
    """Return what an event is known again by, but for the event that it takes back."""
    when = None if event.origin == SOURCE else event.time
    return event.image_id, event.labels, event.annotator, when, event.note


def _said(event: LabelEvent | None) -> tuple[str, ...] | None:
    return None if event is None else event.labels
