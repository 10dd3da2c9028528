"""What the label log holds, and the present labels as they follow from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import sqlalchemy as sa

from icehouse.errors import StoreCorrupt
from icehouse.store._label_tables import EVENTS


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


def read_events(
    db: sa.Connection, task: str, *, after: int = 0, image_id: bytes | None = None
) -> list[LabelEvent]:
    """Return the events of a task, or of one image in it, in the order of their numbers."""
    columns = [EVENTS.c[each.name] for each in fields(LabelEvent)]
    query = sa.select(*columns).where(EVENTS.c.task == task).order_by(EVENTS.c.seq)
    if after:
        query = query.where(EVENTS.c.seq > after)
    if image_id is not None:
        query = query.where(EVENTS.c.image_id == image_id)
    return [
        LabelEvent(seq, bytes(image), None if labels is None else labels_of(labels), *rest)
        for seq, image, labels, *rest in db.execute(query)
    ]


def in_force_of(events: Sequence[LabelEvent]) -> dict[bytes, LabelEvent]:
    """Return for each image the last event that gave it labels and was not taken back."""
    found: dict[bytes, LabelEvent] = {}
    undone: set[int] = set()
    # Backwards, so that an undo that was itself undone is met after its own undoing.
    for event in reversed(events):
        if event.seq in undone:
            continue
        if event.undoes is not None:
            undone.add(event.undoes)
        elif event.labels is not None:
            found.setdefault(event.image_id, event)
    return found


@lru_cache(maxsize=4096)
def labels_to_text(labels: tuple[str, ...]) -> str:
    return json.dumps(labels, ensure_ascii=False)


def labels_of(text: str) -> tuple[str, ...]:
    try:
        return tuple(json.loads(text))
    except (ValueError, TypeError) as error:
        raise StoreCorrupt(f"the label log is damaged: {text!r} is no list of labels") from error
