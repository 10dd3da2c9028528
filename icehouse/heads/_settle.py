"""What is settled after a fit, on images held out: calibration, thresholds, scores for sets.

They are those of the validation split. Where there is none, the training split is divided into
five parts, each is judged by a head fitted on the other four, and these stand in for the head
that was fitted on all five, which is a little better than they are. That takes five more fits;
``calibrate="none"`` without thresholds or a coverage does without. Where a threshold or a coverage
is asked for and fewer than 100 images validate, the training images so judged are added to them:
of 15 images no coverage above 0.93 can be had, and no threshold that is worth much. The test split
is never used.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.errors import TrainingDataError, UsageError
from icehouse.heads._balance import NONE
from icehouse.heads._base import FloatArray, Head, IntArray
from icehouse.heads._calibration import CALIBRATIONS, Calibration, fit_calibration
from icehouse.heads._conformal import Conformal, check_coverage, shortage
from icehouse.heads._data import LabelledSet, strata_of
from icehouse.heads._folds import OUT_OF_FOLD, cross_calibrate, cross_predict, target_of
from icehouse.heads._split import TRAIN, VAL, make_folds
from icehouse.heads._threshold import ThresholdRule

FOLDS = 5
FEWEST = 2 * FOLDS
FEW = 100
FEW_FOR_STEPS = 200  # scikit-learn advises against isotonic calibration below some 1,000


@dataclass(frozen=True)
class Wishes:
    """What is to be settled.

    Attributes
    ----------
    calibrate : {"temperature", "vector", "isotonic", "none"}
    threshold : str or None
        "f1", or "precision=0.95"; None: the head's own.
    coverage : float or None
        Of sets.

    Raises
    ------
    UsageError
        Something else.
    """

    calibrate: str = "temperature"
    threshold: str | None = None
    coverage: float | None = None

    def __post_init__(self) -> None:
        if self.calibrate not in CALIBRATIONS:
            known = ", ".join(CALIBRATIONS)
            raise UsageError(f"probabilities are calibrated by {known}, not by {self.calibrate!r}")
        if self.threshold is not None:
            ThresholdRule.parse(self.threshold)
        if self.coverage is not None:
            check_coverage(self.coverage)

    def refits(self, images: int) -> bool:
        """Whether they are worth more fits, where so many images validate."""
        if self.threshold or self.coverage:
            return images < FEW
        return self.calibrate != "none" and not images


@dataclass(frozen=True)
class Settled:
    """What was settled; see :class:`HeadCard`."""

    calibration: Calibration
    conformal: Conformal | None = None
    thresholds: tuple[float, ...] = ()
    held_out: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _HeldOut:
    """What heads say of images that they were not fitted on, not calibrated."""

    source: str
    proba: FloatArray
    target: IntArray
    fold: IntArray


def check_threshold(data: LabelledSet) -> None:
    """Refuse a threshold, set or to be chosen, where answers have none."""
    if data.y.ndim == 1 and len(data.classes) > 2:
        raise UsageError(
            f"task {data.task.name!r} has {len(data.classes)} classes, of which the most probable "
            "is the answer; a threshold is for two classes, or several labels an image"
        )


def settle(
    head: Head,
    data: LabelledSet,
    classes: npt.NDArray[Any],
    wishes: Wishes,
    *,
    balance: str = NONE,
    seed: int = 0,
) -> Settled:
    """Find out on images held out what is to be done with a fitted head's probabilities.

    Thresholds and sets go by probabilities that are calibrated on the other images held out.

    Parameters
    ----------
    head : Head
        Fitted on the training split.
    data : LabelledSet
    classes : array of str, shape (n_classes,)
    wishes : Wishes
    balance : str
        Of the classes of what is fitted to, where it is fitted again.
    seed : int
    """

    def refit(fold: IntArray) -> FloatArray:
        return cross_predict(head, data, classes, fold, balance=balance, seed=seed)

    held = _hold_out(head, data, classes, wishes.refits, refit, seed)
    calibration = fit_calibration(wishes.calibrate, held.proba, held.target)
    images = len(held.proba)
    if not images:
        lost = [name for name in ("threshold", "coverage") if getattr(wishes, name)]
        notes = [f"no images are left to choose a {name} on: label more" for name in lost]
        if wishes.calibrate != "none":
            notes.append("not calibrated: no images are held out to do it on; label more")
        return Settled(calibration, notes=tuple(notes))
    honest = cross_calibrate(wishes.calibrate, held.proba, held.target, held.fold)
    thresholds, notes = _choose(head, honest, held.target, classes, wishes.threshold)
    if wishes.calibrate == "isotonic" and images < FEW_FOR_STEPS:
        notes.append(
            f"isotonic on {images} images held out can only follow their chance, as it takes "
            "hundreds of each class: --calibrate temperature is safer"
        )
    if wishes.coverage:
        notes += shortage(wishes.coverage, images)
    held_out = {"from": held.source, "images": images}
    conformal = Conformal.of(honest, held.target)
    return Settled(calibration, conformal, thresholds, held_out, tuple(notes))


def _choose(
    head: Head, proba: FloatArray, target: IntArray, classes: npt.NDArray[Any], text: str | None
) -> tuple[tuple[float, ...], list[str]]:
    if text is None:
        return (), []
    rule = ThresholdRule.parse(text)
    if target.ndim == 1:
        proba, target, classes = proba[:, 1:], target[:, None], classes[1:]
    thresholds, notes = [], []
    for name, said, true in zip(classes, proba.T, target.T == 1, strict=True):
        threshold, note = rule.choose(said, true, head.threshold)
        thresholds.append(threshold)
        if note:
            notes.append(f"{name}: {note}")
    return tuple(thresholds), notes


def _hold_out(
    head: Head,
    data: LabelledSet,
    classes: npt.NDArray[Any],
    worth: Callable[[int], bool],
    refit: Callable[[IntArray], FloatArray],
    seed: int,
) -> _HeldOut:
    known = np.isin(data.y, classes) if data.y.ndim == 1 else np.ones(len(data), dtype=bool)
    val, train = ((data.split == split) & known for split in (VAL, TRAIN))
    judged = np.zeros((len(data), len(classes)), np.float32)
    if val.any():
        judged[val] = head.predict_proba(data.X[val])
    held, source = val, VAL if val.any() else ""
    if train.sum() >= FEWEST and worth(int(val.sum())):
        alone = _alone(strata_of(data), train)
        fold = np.full(len(data), -1)
        with suppress(TrainingDataError):  # all but a few images are of one class
            fold[train] = make_folds(data.units[train], strata_of(data)[train], FOLDS, seed)
            judged[train] = refit(fold)[train]
            held = val | (train & ~alone)
            source = f"{VAL} and {OUT_OF_FOLD}" if val.any() else OUT_OF_FOLD
    if not held.any():
        source = ""
    fold = make_folds(data.units[held], strata_of(data)[held], FOLDS, seed)
    return _HeldOut(source, judged[held], _target(data, classes, held), fold)


def _alone(strata: npt.NDArray[Any], train: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Say which training images are the only one of their class: no other fold knows of it."""
    names, count = np.unique(strata[train], return_counts=True)
    return np.isin(strata, names[count == 1])


def _target(data: LabelledSet, classes: npt.NDArray[Any], rows: npt.NDArray[np.bool_]) -> IntArray:
    return target_of(replace(data, y=data.y[rows]), classes)
