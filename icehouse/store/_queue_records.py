"""What review queues are asked and told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from icehouse.errors import UsageError

LABEL, SKIP, UNSURE, UNDO = "label", "skip", "unsure", "undo"
OUTCOMES = (LABEL, SKIP, UNSURE)
DONE = (LABEL, UNSURE)


@dataclass(frozen=True)
class QueueItem:
    """An image that is worth an answer.

    Attributes
    ----------
    image_id : bytes
    score : float
        By which it was chosen; higher is more worth.
    why : dict
        What was known then: the strategy, the probability of the answer, the head.
    reviewers : int
        How many are to answer, each on their own.
    """

    image_id: bytes
    score: float
    why: Mapping[str, Any] = field(default_factory=dict)
    reviewers: int = 1


@dataclass(frozen=True)
class Queue:
    """What there is to know of a queue but its images.

    Attributes
    ----------
    id : int
    task, strategy : str
    made : float
        Seconds since 1970, UTC.
    settings : dict
        What it was made of.
    """

    id: int
    task: str
    strategy: str
    made: float
    settings: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a reviewer says of an image.

    Attributes
    ----------
    token : str
        Chosen by who sends it, of its own for each answer: of two with the same token one is
        recorded.
    image_id : bytes
    outcome : {"label", "skip", "unsure"}
        "skip": somebody else shall say. "unsure": nobody can tell.
    labels : tuple of str
        Of outcome "label" only.
    note : str or None
    seconds : float or None
        That it took.
    """

    token: str
    image_id: bytes
    outcome: str = LABEL
    labels: tuple[str, ...] = ()
    note: str | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            known = ", ".join(OUTCOMES)
            raise UsageError(f"an answer is one of {known}, got {self.outcome!r}")
        if self.labels and self.outcome != LABEL:
            raise UsageError(f"an answer of {self.outcome!r} has no labels, got {self.labels}")
        if not self.token:
            raise UsageError("an answer needs a token of its own, got an empty one")


@dataclass(frozen=True)
class Recorded:
    """What became of an answer.

    Attributes
    ----------
    token : str
    image_id : bytes
    review : int
        Its number.
    again : bool
        It had been recorded before, and was not once more.
    others : tuple of (str, tuple of str)
        Who else has labelled this image in this queue, and how.
    """

    token: str
    image_id: bytes
    review: int
    again: bool
    others: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Given:
    """An answer as it stands.

    Attributes
    ----------
    image_id : bytes
    reviewer : str
    outcome : {"label", "skip", "unsure"}
    labels : tuple of str
    time : float
        Seconds since 1970, UTC.
    seconds : float or None
        That it took.
    """

    image_id: bytes
    reviewer: str
    outcome: str
    labels: tuple[str, ...]
    time: float
    seconds: float | None
