"""The evidence against one label, in words and with the images that speak."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from icehouse.heads import LabelledSet, StoredHead
from icehouse.review._issue_records import LabelIssue
from icehouse.review._neighbours import Neighbour, as_neighbour
from icehouse.review._witnesses import FloatArray, Nearest
from icehouse.store import Place

SHOWN = 5
NEARLY_SAME = 0.98
"""Cosine from which on two images count as copies. On EuroSAT 99.6 % of them share a label."""


@dataclass(frozen=True)
class Trial:
    """Labelled images, and what the witnesses say of them at last.

    Attributes
    ----------
    stored : StoredHead
    data : LabelledSet
    given : array of 0 and 1, shape (n, n_classes)
        The labels.
    near : Nearest
    heard : array of bool, shape (n,)
        Images that are not wrong beyond doubt.
    found : float
        Share of a class that the head finds out-of-fold, as a mean over classes.
    head, both : array, shape (n, n_classes)
        Probabilities by the head, and those on which it agrees with the neighbours.
    contradicted : dict
        By image_id other rows of the same file with other labels.
    places : dict
        By image_id.
    """

    stored: StoredHead
    data: LabelledSet
    given: npt.NDArray[np.int64]
    near: Nearest
    heard: npt.NDArray[np.bool_]
    found: float
    head: FloatArray
    both: FloatArray
    contradicted: dict[bytes, tuple[Neighbour, ...]]
    places: dict[bytes, Place]

    def image(self, row: int) -> bytes:
        """Return an image_id."""
        return self.data.ids[row].tobytes()

    def labels(self, row: int) -> tuple[str, ...]:
        """Return the labels of an image."""
        return tuple(self.stored.classes[self.given[row] == 1].tolist())

    def neighbours(self, row: int, ranks: npt.NDArray[np.int64]) -> tuple[Neighbour, ...]:
        """Return the neighbours of these ranks."""
        index, similarity = self.near.index[row, ranks], self.near.similarity[row, ranks]
        return tuple(
            as_neighbour(self.places[self.image(i)], float(s), self.labels(i))
            for i, s in zip(index.tolist(), similarity, strict=True)
        )


def make_issue(trial: Trial, row: int, column: int, score: float) -> LabelIssue:
    """Put the evidence against a label together.

    Parameters
    ----------
    trial : Trial
    row, column : int
        Of ``given``.
    score : float
    """
    image, near = trial.image(row), trial.near
    place = as_neighbour(trial.places[image], 1.0)
    otherwise = trial.given[near.index[row], column] != trial.given[row, column]
    copies = np.flatnonzero((near.similarity[row] >= NEARLY_SAME) & otherwise)
    classes = trial.stored.card.classes
    return LabelIssue(
        image_id=place.image_id,
        dataset=place.dataset,
        key=place.key,
        source=place.source,
        path=place.path,
        label=classes[column],
        labels=trial.labels(row),
        suggested=_suggested(trial, row, column),
        score=score,
        head=_said_by_head(trial, row, column),
        around=_said_around(trial, row, column),
        copies=trial.contradicted.get(image, ()) + trial.neighbours(row, copies[:SHOWN]),
        probabilities=dict(zip(classes, trial.both[row].tolist(), strict=True)),
        neighbours=trial.neighbours(row, np.arange(min(SHOWN, near.index.shape[1]))),
    )


def _suggested(trial: Trial, row: int, column: int) -> tuple[str, ...]:
    classes = trial.stored.classes
    if trial.stored.head.multi_label_:
        mended = trial.given[row].copy()
        mended[column] = 1 - mended[column]
        return tuple(classes[mended == 1].tolist())
    proba = trial.both[row].copy()
    rows = trial.contradicted.get(trial.image(row), ())
    if rows:  # one of the labels that the file has, be it the one in force
        claimed = {classes[column], *(name for each in rows for name in each.labels or ())}
        proba[~np.isin(classes, sorted(claimed))] = -1
    else:
        proba[column] = -1
    return (str(classes[proba.argmax()]),)


def _said_by_head(trial: Trial, row: int, column: int) -> str:
    classes, proba = trial.stored.card.classes, trial.head[row]
    most = column if trial.stored.head.multi_label_ else int(proba.argmax())
    return ", ".join(f"{classes[c]} {proba[c]:.2f}" for c in dict.fromkeys([most, column]))


def _said_around(trial: Trial, row: int, column: int) -> str:
    classes, index = trial.stored.card.classes, trial.near.index[row]
    index = index[trial.heard[index]]
    counts = trial.given[index].sum(axis=0)
    most = column if trial.stored.head.multi_label_ else int(counts.argmax())
    said = f"{counts[most]} of {len(index)} {classes[most]}"
    return said if most == column else f"{said}, {counts[column]} {classes[column]}"
