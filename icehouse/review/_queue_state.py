"""How far the people at a queue have come, and how far they agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from icehouse.review._agreement import Agreement, agreement
from icehouse.store import Given, Queue, Queues, Store

PAUSE = 300.0
"""Seconds after which somebody is thought to have been away."""


@dataclass(frozen=True)
class ReviewerState:
    """What one person has done.

    Attributes
    ----------
    reviewer : str
    labelled, skipped, unsure : int
        Images.
    per_minute : float or None
        Answers, pauses of more than five minutes left out. None for fewer than two.
    """

    reviewer: str
    labelled: int
    skipped: int
    unsure: int
    per_minute: float | None


@dataclass(frozen=True)
class QueueState:
    """Where a queue stands.

    Attributes
    ----------
    queue : Queue
    images, done, leased : int
        Done: nobody need answer any more.
    labels : dict
        How many images have been called what, by the last one who did.
    reviewers : tuple of ReviewerState
    agreement : Agreement
    """

    queue: Queue
    images: int
    done: int
    leased: int
    labels: dict[str, int]
    reviewers: tuple[ReviewerState, ...]
    agreement: Agreement


def queue_state(store: Store, number: int) -> QueueState:
    """Return where a queue stands.

    Raises
    ------
    LookupFailed
        No such queue.
    """
    queues = Queues(store.labels)
    queue = queues.queue(number)
    images, lack, leased = queues.counts(number)
    given = queues.given(number)
    last = {one.image_id: one.labels for one in given if one.labels}
    said: dict[bytes, dict[str, tuple[str, ...]]] = {}
    by: dict[str, list[Given]] = {}
    for one in given:
        by.setdefault(one.reviewer, []).append(one)
        if one.outcome == "label":
            said.setdefault(one.image_id, {})[one.reviewer] = tuple(sorted(one.labels))
    counts = Counter(label for labels in last.values() for label in labels)
    return QueueState(
        queue=queue,
        images=images,
        done=images - lack,
        leased=leased,
        labels=dict(counts.most_common()),
        reviewers=tuple(_state(name, answers) for name, answers in sorted(by.items())),
        agreement=agreement(said),
    )


def _state(reviewer: str, given: list[Given]) -> ReviewerState:
    outcomes = Counter(one.outcome for one in given)
    times = sorted(one.time for one in given)
    gaps = [b - a for a, b in pairwise(times) if b - a <= PAUSE]
    return ReviewerState(
        reviewer,
        outcomes["label"],
        outcomes["skip"],
        outcomes["unsure"],
        60 * len(gaps) / sum(gaps) if sum(gaps) else None,
    )
