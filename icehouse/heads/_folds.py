"""Out-of-fold probabilities: what a head says of images that it was not fitted on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from icehouse.errors import TrainingDataError, UsageError
from icehouse.heads._base import Head
from icehouse.heads._calibration import fit_temperature, scale
from icehouse.heads._data import LabelledSet, make_folds, strata_of
from icehouse.store import IdArray


@dataclass(frozen=True)
class OutOfFold:
    """Honest probabilities of all labelled images.

    Attributes
    ----------
    ids : array of V32, shape (n,)
    proba : array of float32, shape (n, n_classes)
        Calibrated by a temperature that was fitted on the other folds.
    temperature : float
        Fitted on all folds: for a head that is fitted on everything.
    folds : int
    """

    ids: IdArray
    proba: npt.NDArray[np.float32]
    temperature: float
    folds: int


def out_of_fold(
    head: Head,
    data: LabelledSet,
    classes: npt.NDArray[Any],
    *,
    folds: int = 5,
    seed: int = 0,
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
        raise UsageError(f"cross-validation takes 2 folds or more, got {folds}")
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
    fold = make_folds(data.ids, strata_of(data), folds, seed)
    teaching = np.ones(len(data), bool) if teaching is None else teaching
    proba = np.zeros((len(data), len(classes)), np.float32)
    for number in range(folds):
        held = fold == number
        taught = teaching & ~held
        fitted = clone(head).fit(data.X[taught], data.y[taught])
        all_of_them = np.arange(len(classes))
        columns = all_of_them if fitted.multi_label_ else np.searchsorted(classes, fitted.classes_)
        cells = np.ix_(held, columns)
        proba[cells] = fitted.predict_proba(data.X[held])
    target = target_of(data, classes)
    calibrated = np.empty_like(proba)
    for number in range(folds):
        held = fold == number
        taught = teaching & ~held
        temperature = fit_temperature(proba[taught], target[taught])
        calibrated[held] = scale(proba[held], temperature, multi_label=target.ndim == 2)
    temperature = fit_temperature(proba[teaching], target[teaching])
    return OutOfFold(data.ids, calibrated, temperature, folds)


def target_of(data: LabelledSet, classes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return labels as columns of probabilities: shape (n,), or (n, n_classes) multi-label."""
    return data.y if data.y.ndim == 2 else np.searchsorted(classes, data.y)
