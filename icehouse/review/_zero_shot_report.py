"""What a run of ``zero-shot`` found, image by image, and where it and a head differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from icehouse.heads import Metrics
from icehouse.review._prompts import Prompts
from icehouse.store import Place


@dataclass(frozen=True)
class ZeroShotAnswer:
    """The answer for one image.

    Attributes
    ----------
    image_id : str
        Hexadecimal.
    dataset, key : str
    source : str or None
        That the key belongs to.
    path : str or None
        Its file, where the source is a folder or manifest of this machine.
    labels : tuple of str or None
        Those in force; None for an unlabelled image.
    predicted : tuple of str
        The class, alone.
    probability : float
        Of it.
    probabilities : dict
        By class, falling.
    head_predicted : tuple of str or None
        What the head says; None where none was asked, or it has no features of this image.
    head_probability : float or None
        Of that; out-of-fold for an image that the head knows the label of.
    differs : bool or None
        Whether the two are not the same.
    """

    image_id: str
    dataset: str
    key: str
    source: str | None
    path: str | None
    labels: tuple[str, ...] | None
    predicted: tuple[str, ...]
    probability: float
    probabilities: dict[str, float]
    head_predicted: tuple[str, ...] | None
    head_probability: float | None
    differs: bool | None


@dataclass(frozen=True)
class Opponent:
    """What a head says of the same images.

    Attributes
    ----------
    name : str
    classes : tuple of str
    answers : list of str or None
        For each image; None where it has no features of the head's encoder.
    certainty : array of float32, shape (n,)
        Probability of the answer; NaN where there is none.
    """

    name: str
    classes: tuple[str, ...]
    answers: list[str | None]
    certainty: npt.NDArray[np.float32]


@dataclass(frozen=True)
class ZeroShotReport:
    """What :func:`icehouse.review.zero_shot` found; images by dataset and key.

    Attributes
    ----------
    encoder_id : str
    task : str or None
        Whose labels were compared.
    classes : tuple of str
        Sorted.
    prompts : mapping
        Captions by class, as they were encoded.
    scale : float
        That cosines were multiplied by.
    places : list of Place
        The images.
    labels : list of str or None
    proba : array of float32, shape (n, n_classes)
    metrics : Metrics or None
        Of the labelled images.
    head : Opponent or None
    notes : tuple of str
        What a person should know about how it came to be.
    """

    encoder_id: str
    task: str | None
    classes: tuple[str, ...]
    prompts: Prompts
    scale: float
    places: list[Place]
    labels: list[str | None]
    proba: npt.NDArray[np.float32]
    metrics: Metrics | None
    head: Opponent | None
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.places)

    @property
    def folder(self) -> str:
        """Where its files belong, relative to the store."""
        return f"zero-shot/{self.encoder_id}/{self.task or 'captions'}"

    @property
    def predicted(self) -> list[str]:
        """The most probable class of each image."""
        return [self.classes[column] for column in self.proba.argmax(axis=1).tolist()]

    def answers(self, rows: Iterable[int] | None = None) -> Iterator[ZeroShotAnswer]:
        """Yield the answers of all images, or of some rows."""
        return (self._answer(row) for row in (range(len(self)) if rows is None else rows))

    def differing(self) -> list[int]:
        """Return the rows on which the head says something else, the most certain first.

        A difference is as certain as the less certain of the two; equal ones are in the order
        of the images.
        """
        if self.head is None:
            return []
        pairs = zip(self.predicted, self.head.answers, strict=True)
        rows = np.array([i for i, (a, b) in enumerate(pairs) if b not in (None, a)], np.int64)
        certainty = np.minimum(self.proba.max(axis=1), self.head.certainty)[rows]
        return [int(row) for row in rows[np.argsort(-certainty, kind="stable")]]

    @property
    def agreement(self) -> float | None:
        """Share of the images that both answer alike; None without a head."""
        if self.head is None:
            return None
        asked = sum(answer is not None for answer in self.head.answers)
        return 1 - len(self.differing()) / asked

    def confusion(self) -> Counter[tuple[str, str]]:
        """Count images by label and answer."""
        return _pairs(self.labels, self.predicted)

    def head_confusion(self) -> Counter[tuple[str, str]]:
        """Count images by the head's answer and this one."""
        return _pairs(self.head.answers, self.predicted) if self.head else Counter()

    def _answer(self, row: int) -> ZeroShotAnswer:
        place, label, proba = self.places[row], self.labels[row], self.proba[row]
        order = np.argsort(-proba, kind="stable")
        best = self.classes[order[0]]
        other = self.head.answers[row] if self.head else None
        return ZeroShotAnswer(
            image_id=place.image_id.hex(),
            dataset=place.dataset,
            key=place.key,
            source=place.source,
            path=str(place.path) if place.path else None,
            labels=None if label is None else (label,),
            predicted=(best,),
            probability=float(proba[order[0]]),
            probabilities={self.classes[i]: float(proba[i]) for i in order},
            head_predicted=None if other is None else (other,),
            head_probability=(
                float(self.head.certainty[row]) if self.head and other is not None else None
            ),
            differs=None if other is None else other != best,
        )


def _pairs(first: Iterable[str | None], second: Iterable[str]) -> Counter[tuple[str, str]]:
    pairs = zip(first, second, strict=True)
    return Counter((one, other) for one, other in pairs if one is not None)
