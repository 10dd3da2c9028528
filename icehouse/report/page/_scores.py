"""Precision, recall, F1 and areas under curves, class by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Means = tuple[float, float, float]


@dataclass(frozen=True)
class Scores:
    """Numbers by class, each of shape (n_classes,), and their means by name.

    Attributes
    ----------
    precision, recall, f1 : array of float
        0 where there is nothing to divide by, as scikit-learn says with ``zero_division=0``.
    support, answers : array of int
        Images that have the class, and that were given it.
    auc_roc, average_precision : array of float
        Of the class against the rest; NaN where it has no image or all of them.
    means : dict of str to (precision, recall, F1)
        Under the names that scikit-learn's report gives them.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    support: npt.NDArray[np.int64]
    answers: npt.NDArray[np.int64]
    auc_roc: Floats
    average_precision: Floats
    means: dict[str, Means]

    @property
    def occurs(self) -> Booleans:
        """Classes that an image has or was given; of others there is nothing to say."""
        return np.asarray((self.support > 0) | (self.answers > 0))

    @property
    def order(self) -> npt.NDArray[np.int64]:
        """The classes that occur, the weakest by F1 first; equals as they stand."""
        occurs = np.flatnonzero(self.occurs)
        return np.asarray(occurs[np.argsort(self.f1[occurs], kind="stable")])


def score(truth: Booleans, answered: Booleans, proba: npt.NDArray[Any], *, multi: bool) -> Scores:
    """Score answers.

    Parameters
    ----------
    truth, answered : array of bool, shape (n, n_classes)
    proba : array of float, shape (n, n_classes)
    multi : bool
        An image can have several labels, or none.
    """
    both = (truth & answered).sum(axis=0)
    support, answers = truth.sum(axis=0), answered.sum(axis=0)
    precision, recall, f1 = _ratios(both, answers, support)
    area = np.full(len(support), np.nan)
    average = np.full(len(support), np.nan)
    for number in np.flatnonzero((support > 0) & (support < len(truth))):
        area[number], average[number] = _areas(truth[:, number], proba[:, number])
    # As scikit-learn: of several labels all classes count, of one those that occur.
    counted = np.ones(len(support), bool) if multi else (support > 0) | (answers > 0)
    each = np.stack([precision, recall, f1])
    means = {
        "macro avg": _mean(each[:, counted], None),
        "weighted avg": _mean(each, support),
    }
    if multi:
        micro = _ratios(both.sum(keepdims=True), answers.sum(keepdims=True), support.sum()[None])
        samples = _ratios((truth & answered).sum(axis=1), answered.sum(axis=1), truth.sum(axis=1))
        means = {"micro avg": _mean(np.stack(micro), None), **means}
        means["samples avg"] = _mean(np.stack(samples), None)
    return Scores(precision, recall, f1, support, answers, area, average, means)


def _areas(truth: Booleans, proba: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the area under the ROC curve, and the average precision.

    As scikit-learn computes them, which takes a quarter of a minute for a thousand classes.
    """
    order = np.argsort(-proba, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(proba[order]) != 0, True))  # equals come together
    true = np.cumsum(truth[order])[ends]
    false = ends + 1 - true
    steps = np.diff(true, prepend=0)
    area = (np.diff(false, prepend=0) * (true - steps / 2)).sum() / (true[-1] * false[-1])
    return float(area), float((steps * true / (ends + 1)).sum() / true[-1])


def _ratios(both: Any, answers: Any, support: Any) -> tuple[Floats, Floats, Floats]:
    return _over(both, answers), _over(both, support), _over(2 * both, answers + support)


def _over(part: Any, whole: Any) -> Floats:
    return np.divide(part, whole, out=np.zeros(len(part), np.float64), where=whole > 0)


def _mean(each: Floats, weights: Any) -> Means:
    if weights is not None and not weights.sum():
        return 0.0, 0.0, 0.0
    precision, recall, f1 = np.average(each, axis=1, weights=weights).tolist()
    return precision, recall, f1
