"""What is settled after a fit, on images held out: calibration, thresholds, scores for sets.

They are those of the validation split. Where there is none, the training split is divided into
five parts, each is judged by a head fitted on the other four, and these stand in for the head
that was fitted on all five, which is a little better than they are. That takes five more fits;
``calibrate="none"`` without thresholds or a coverage does without. The test split is never used.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.errors import TrainingDataError, UsageError
from icehouse.heads._base import FloatArray, Head, IntArray
from icehouse.heads._calibration import CALIBRATIONS, Calibration, fit_calibration
from icehouse.heads._conformal import Conformal, check_coverage, enough_images
from icehouse.heads._data import TRAIN, VAL, LabelledSet, make_folds, strata_of
from icehouse.heads._folds import OUT_OF_FOLD, cross_calibrate, cross_predict, target_of
from icehouse.heads._threshold import ThresholdRule

FOLDS = 5
FEWEST = 2 * FOLDS


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

    @property
    def refits(self) -> bool:
        """Whether they are worth more fits, where there is no validation split."""
        return self.calibrate != "none" or bool(self.threshold or self.coverage)


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


def check_threshold(data: LabelledSet, wishes: Wishes) -> None:
    """Refuse to choose a threshold where answers have none."""
    if wishes.threshold and data.y.ndim == 1 and len(data.classes) > 2:
        raise UsageError(
            f"task {data.task.name!r} has {len(data.classes)} classes, of which the most probable "
            "is the answer; a threshold is for two classes, or several labels an image"
        )


def settle(
    head: Head, data: LabelledSet, classes: npt.NDArray[Any], wishes: Wishes, seed: int
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
    seed : int
    """
    held = _hold_out(head, data, classes, wishes, seed)
    calibration = fit_calibration(wishes.calibrate, held.proba, held.target)
    images = len(held.proba)
    if not images:
        lost = [name for name in ("threshold", "coverage") if getattr(wishes, name)]
        notes = [f"no images are left to choose a {name} on: label more" for name in lost]
        return Settled(calibration, notes=tuple(notes))
    honest = cross_calibrate(wishes.calibrate, held.proba, held.target, held.fold)
    thresholds, notes = _choose(head, honest, held.target, classes, wishes.threshold)
    if wishes.coverage and images < (enough := enough_images(wishes.coverage)):
        notes.append(
            f"a coverage of {wishes.coverage:g} takes {enough} images held out, and there are "
            f"{images}: every set holds all classes"
        )
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
    head: Head, data: LabelledSet, classes: npt.NDArray[Any], wishes: Wishes, seed: int
) -> _HeldOut:
    strata = strata_of(data)
    val = (data.split == VAL) & (np.isin(data.y, classes) if data.y.ndim == 1 else True)
    if val.any():
        fold = make_folds(data.ids[val], strata[val], FOLDS, seed)
        proba = head.predict_proba(data.X[val])
        return _HeldOut(VAL, proba, target_of(data, classes)[val], fold)
    train = np.flatnonzero(data.split == TRAIN)
    if not wishes.refits or len(train) < FEWEST:
        return _nothing(data, classes)
    some = replace(data, ids=data.ids[train], X=data.X[train], y=data.y[train])
    fold = make_folds(some.ids, strata[train], FOLDS, seed)
    try:
        proba = cross_predict(head, some, classes, fold)
    except TrainingDataError:  # all but a few images are of one class
        return _nothing(data, classes)
    # The only image of a class was judged by heads that did not know there was one.
    _, which, count = np.unique(strata[train], return_inverse=True, return_counts=True)
    known = count[which] > 1
    return _HeldOut(OUT_OF_FOLD, proba[known], target_of(some, classes)[known], fold[known])


def _nothing(data: LabelledSet, classes: npt.NDArray[Any]) -> _HeldOut:
    target = target_of(data, classes)[:0]
    return _HeldOut("", np.zeros((0, len(classes))), target, np.zeros(0, np.int64))
