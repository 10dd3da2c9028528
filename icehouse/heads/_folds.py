"""Out-of-fold probabilities: what a head says of images that it was not fitted on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from icehouse.errors import TrainingDataError, UsageError
from icehouse.heads._balance import NONE, choose_rows
from icehouse.heads._base import FloatArray, Head, IntArray
from icehouse.heads._calibration import fit_calibration
from icehouse.heads._data import LabelledSet, strata_of
from icehouse.heads._split import make_folds
from icehouse.store import IdArray

OUT_OF_FOLD = "out-of-fold"


@dataclass(frozen=True)
class OutOfFold:
    """Honest probabilities of all labelled images.

    Attributes
    ----------
    ids : array of V32, shape (n,)
    proba : array of float32, shape (n, n_classes)
        Calibrated by what was fitted on the other folds.
    folds : int
    """

    ids: IdArray
    proba: npt.NDArray[np.float32]
    folds: int


def out_of_fold(
    head: Head,
    data: LabelledSet,
    classes: npt.NDArray[Any],
    *,
    folds: int = 5,
    seed: int = 0,
    balance: str = NONE,
    calibrate: str = "temperature",
    teaching: npt.NDArray[np.bool_] | None = None,
) -> OutOfFold:
    """Fit a head once for each fold, and let it judge the images that it has not seen.

    Parameters
    ----------
    head : Head
        Its settings; a clone is fitted.
    data : LabelledSet
        All of it is used, whatever its split.
    classes : array of str, shape (n_classes,)
        Columns of the result. A class that the training folds lack gets next to no probability.
    folds : int
        At least 2. Stratified; an image is in the same fold on every run.
    seed : int
    balance : str
        Of the classes of what is fitted to; see :func:`choose_rows`.
    calibrate : {"temperature", "vector", "isotonic", "none"}
    teaching : array of bool, shape (n,), optional
        Images that are learnt from; all are judged. By default all.

    Raises
    ------
    TrainingDataError
        Fewer images than folds, or a training fold of one image or one class only.
    UsageError
        Less than 2 folds.
    """
    if folds < 2:
        raise UsageError(f"out-of-fold probabilities take 2 folds or more, got {folds}")
    if len(data) < folds:
        raise TrainingDataError(
            f"{folds} folds of {len(data)} labelled images cannot be made; "
            "label more images, or ask for fewer folds (2 at least)"
        )
    if (left := len(data) - math.ceil(len(data) / folds)) < 2:
        raise TrainingDataError(
            f"{folds} folds leave {left} of {len(data)} labelled images to train on; "
            "label more images"
        )
    if unknown := sorted(set(data.classes) - set(classes.tolist())):
        raise TrainingDataError(
            f"no image to train on of: {', '.join(unknown)}. Put some into the training split, or "
            "leave the class out"
        )
    fold = make_folds(data.units, strata_of(data), folds, seed)
    proba = cross_predict(head, data, classes, fold, teaching, balance=balance, seed=seed)
    calibrated = cross_calibrate(calibrate, proba, target_of(data, classes), fold, teaching)
    return OutOfFold(data.ids, calibrated.astype(np.float32), folds)


def cross_predict(
    head: Head,
    data: LabelledSet,
    classes: npt.NDArray[Any],
    fold: IntArray,
    teaching: npt.NDArray[np.bool_] | None = None,
    *,
    balance: str = NONE,
    seed: int = 0,
) -> npt.NDArray[np.float32]:
    """Return what clones say that are fitted on the other folds, shape (n, n_classes).

    Images of fold -1 take no part, and get 0 for every class; those that are not ``teaching`` are
    judged and not learnt from.
    """
    learnt = fold >= 0 if teaching is None else teaching & (fold >= 0)
    proba = np.zeros((len(data), len(classes)), np.float32)
    for number in np.unique(fold[fold >= 0]):
        held = fold == number
        chosen = choose_rows(data, learnt & ~held, balance, seed)
        fitted = clone(head).fit(chosen.X, chosen.y, chosen.weight, chosen.groups)
        all_of_them = np.arange(len(classes))
        columns = all_of_them if fitted.multi_label_ else np.searchsorted(classes, fitted.classes_)
        proba[np.ix_(held, columns)] = fitted.predict_proba(data.X[held])
    return proba


def cross_calibrate(
    kind: str,
    proba: FloatArray,
    target: IntArray,
    fold: IntArray,
    teaching: npt.NDArray[np.bool_] | None = None,
) -> FloatArray:
    """Return probabilities calibrated by what was fitted on the other folds."""
    learnt = np.ones(len(fold), np.bool_) if teaching is None else teaching
    calibrated = np.empty_like(proba)
    for number in np.unique(fold):
        held = fold == number
        taught = learnt & ~held
        calibration = fit_calibration(kind, proba[taught], target[taught])
        calibrated[held] = calibration(proba[held], multi_label=target.ndim == 2)
    return calibrated


def target_of(data: LabelledSet, classes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return labels as columns of probabilities: shape (n,), or (n, n_classes) multi-label."""
    return data.y if data.y.ndim == 2 else np.searchsorted(classes, data.y)
