"""How good probabilities are: the field's standard numbers, by scikit-learn where it has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
    top_k_accuracy_score,
)

ECE_BINS = 15


@dataclass(frozen=True)
class Metrics:
    """Numbers of one set of predictions; None where a number has no meaning there.

    Attributes
    ----------
    n : int
        Images.
    top1 : float
        Share of right answers; for multi-label, of images all of whose labels are right.
    top5 : float or None
        Share with the right class among the five most probable; from six classes on.
    precision, recall, f1 : float
        Unweighted means over the classes.
    auc_roc : float or None
        One class against the rest, unweighted mean; None where a class does not occur.
    log_loss : float or None
        In nats; for multi-label the mean over labels. Of the images whose class is known; None
        where there are none.
    ece : float
        Expected calibration error of the given answer, 15 equal bins (Guo et al. 2017).
    brier : float or None
        Mean squared distance of probabilities and truth (Brier 1950), as in scikit-learn: summed
        over classes, halved for two, and for multi-label the mean over labels. Of the images
        whose class is known; None where there are none.
    """

    n: int
    top1: float
    top5: float | None
    precision: float
    recall: float
    f1: float
    auc_roc: float | None
    log_loss: float | None
    ece: float
    brier: float | None = None


def measure(
    y: npt.NDArray[Any],
    proba: npt.NDArray[np.floating[Any]],
    predicted: npt.NDArray[Any],
    classes: npt.NDArray[Any],
) -> Metrics:
    """Compare predictions with the truth.

    Parameters
    ----------
    y : array, shape (n,), or of 0 and 1, shape (n, n_classes)
    proba : array of float, shape (n, n_classes)
    predicted : array, shape as y
        The answers given, threshold applied.
    classes : array, shape (n_classes,)
        Of the columns of ``proba``. Images of another class count as wrong.
    """
    multi_label = y.ndim == 2
    # Of the classes that occur, in truth or in answers; an absent class has no recall.
    labels = None if multi_label else np.unique(np.concatenate([y, predicted]))
    precision, recall, f1, _ = precision_recall_fscore_support(
        y, predicted, labels=labels, average="macro", zero_division=0
    )
    right = (y == predicted).all(axis=1) if multi_label else y == predicted
    return Metrics(
        n=len(y),
        top1=float(right.mean()),
        top5=None if multi_label or len(classes) <= 5 else _top5(y, proba, classes),
        precision=float(precision),
        recall=float(recall),
        f1=float(f1),
        auc_roc=_auc(y, proba, classes),
        log_loss=_log_loss(y, proba, classes),
        ece=calibration_error(*confidences(y, proba, predicted, classes)),
        brier=_brier(y, proba, classes),
    )


def confidences(
    y: npt.NDArray[Any],
    proba: npt.NDArray[np.floating[Any]],
    predicted: npt.NDArray[Any],
    classes: npt.NDArray[Any],
) -> tuple[npt.NDArray[np.floating[Any]], npt.NDArray[np.bool_]]:
    """Return the probability of each answer, and whether it is right; see :func:`measure`."""
    if y.ndim == 2:
        confidence = np.where(predicted == 1, proba, 1 - proba)
        return confidence.reshape(-1), (y == predicted).reshape(-1)
    column = np.searchsorted(classes, predicted)
    return proba[np.arange(len(y)), column], y == predicted


def calibration_error(
    confidence: npt.NDArray[np.floating[Any]], hit: npt.NDArray[np.bool_]
) -> float:
    """Return the mean distance of confidence and accuracy, over 15 equal bins of confidence.

    Examples
    --------
    >>> sure = np.array([0.9, 0.9, 0.9, 0.9])
    >>> round(calibration_error(sure, np.array([True, True, False, False])), 3)
    0.4
    """
    bins = calibration_bins(confidence, hit)
    return sum(n * abs(sure - right) for n, sure, right in bins) / len(confidence)


def calibration_bins(
    confidence: npt.NDArray[np.floating[Any]], hit: npt.NDArray[np.bool_]
) -> list[list[float]]:
    """Return count, mean confidence and accuracy of each of 15 equal bins that is not empty."""
    number = np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    count, sure, right = (
        np.bincount(number, weights, minlength=ECE_BINS) for weights in (None, confidence, hit)
    )
    return [
        [int(count[i]), float(sure[i] / count[i]), float(right[i] / count[i])]
        for i in np.flatnonzero(count)
    ]


def _brier(y: Any, proba: Any, classes: Any) -> float | None:
    if y.ndim == 2:
        return float(np.mean((proba - y) ** 2))
    known = np.isin(y, classes)
    if not known.any():
        return None
    distance = ((proba[known] - (y[known, None] == classes)) ** 2).sum(axis=1).mean()
    return float(distance / 2 if len(classes) == 2 else distance)


def _top5(y: Any, proba: Any, classes: Any) -> float:
    known = np.isin(y, classes)
    if not known.any():
        return 0.0
    share = top_k_accuracy_score(y[known], proba[known], k=5, labels=classes)
    return float(share * known.mean())


def _auc(y: Any, proba: Any, classes: Any) -> float | None:
    truth = y if y.ndim == 2 else y[:, None] == classes
    present = truth.sum(axis=0)
    if ((present == 0) | (present == len(truth))).any():
        return None
    return float(roc_auc_score(truth, proba, average="macro"))


def _log_loss(y: Any, proba: Any, classes: Any) -> float | None:
    if y.ndim == 2:
        clipped = np.clip(proba.astype(np.float64), 1e-7, 1 - 1e-7)
        return float(-np.mean(y * np.log(clipped) + (1 - y) * np.log(1 - clipped)))
    known = np.isin(y, classes)
    if not known.any():
        return None
    wide = np.clip(proba[known].astype(np.float64), 1e-7, None)
    return float(log_loss(y[known], wide / wide.sum(axis=1, keepdims=True), labels=classes))
