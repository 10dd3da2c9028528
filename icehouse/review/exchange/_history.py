"""Everything that was ever said of one image in a task, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from icehouse.store import LabelEvent, Review, Store, in_force_of, read_reviews

LABEL, UNDO = "label", "undo"


@dataclass(frozen=True)
class Step:
    """One statement.

    Attributes
    ----------
    seq : int or None
        Its number in the label log; None where it says nothing of labels.
    what : {"label", "undo", "skip", "unsure"}
    labels : tuple of str
    annotator, origin : str
    time : float
        Seconds since 1970, UTC.
    note : str or None
    undoes : int or None
        The event that it takes back.
    in_force : bool
        It says what the present label is.
    why : dict
        What was known when it was asked; empty where nobody was.
    seconds : float or None
        That the answer took.
    """

    seq: int | None
    what: str
    labels: tuple[str, ...]
    annotator: str
    origin: str
    time: float
    note: str | None = None
    undoes: int | None = None
    in_force: bool = False
    why: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None


@dataclass(frozen=True)
class History:
    """All steps of an image, the first one first.

    Attributes
    ----------
    task, image_id, dataset, key : str
    labels : tuple of str or None
        At present; None without any.
    steps : tuple of Step
    """

    task: str
    image_id: str
    dataset: str
    key: str
    labels: tuple[str, ...] | None
    steps: tuple[Step, ...]


def history(store: Store, task: str, image: str) -> History:
    """Return what was said of an image.

    Parameters
    ----------
    store : Store
    task : str
    image : str
        Key, or image_id or its beginning.

    Raises
    ------
    LookupFailed
        No such task or image.
    """
    place = store.find_image(image)
    store.labels.task(task)
    events = [e for e in store.labels.events(task) if e.image_id == place.image_id]
    reviews = read_reviews(store.labels, task, place.image_id)
    present = in_force_of(events).get(place.image_id)
    asked = {review.event: review for review in reviews if review.event is not None}
    steps = [_of_event(event, asked.get(event.seq), present) for event in events]
    steps += [_of_review(review) for review in reviews if review.event is None]
    return History(
        task=task,
        image_id=place.image_id.hex(),
        dataset=place.dataset,
        key=place.key,
        labels=present.labels if present else None,
        steps=tuple(sorted(steps, key=lambda step: step.time)),
    )


def _of_event(event: LabelEvent, review: Review | None, present: LabelEvent | None) -> Step:
    return Step(
        seq=event.seq,
        what=LABEL if event.undoes is None else UNDO,
        labels=event.labels or (),
        annotator=event.annotator,
        origin=event.origin,
        time=event.time,
        note=event.note,
        undoes=event.undoes,
        in_force=event == present,
        why=review.why if review else {},
        seconds=review.seconds if review else None,
    )


def _of_review(review: Review) -> Step:
    return Step(
        seq=None,
        what=review.outcome,
        labels=(),
        annotator=review.reviewer,
        origin="review",
        time=review.time,
        note=review.note,
        why=review.why,
        seconds=review.seconds,
    )
