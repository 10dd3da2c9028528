"""What makes probabilities honest: a temperature, a vector, isotonic steps, or nothing.

A calibration is fitted on images that the head was not fitted on, is a few numbers, and is kept
in ``head.json``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from icehouse.heads._base import FloatArray, IntArray, sigmoid, softmax
from icehouse.heads._temperature import CLIP, fit_temperature, scale

# A normal prior on the logs of a vector's scales, around that of the temperature, and on its
# shifts, around 0. As for the temperature, thousands of images outweigh it, and fifteen do not.
PRIOR_DEVIATION = 0.25


@dataclass(frozen=True)
class Calibration(ABC):
    """Probabilities of a head in, honest ones out; called with them."""

    kind: str = field(init=False)

    @abstractmethod
    def __call__(self, proba: FloatArray, *, multi_label: bool = False) -> FloatArray:
        """Calibrate probabilities of shape (n, n_classes)."""

    @classmethod
    @abstractmethod
    def fit(cls, proba: FloatArray, target: IntArray) -> Self:
        """Learn from probabilities, and columns (n,) or an indicator (n, n_classes)."""


@dataclass(frozen=True)
class Uncalibrated(Calibration):
    """Leaves probabilities as they are."""

    kind: str = field(default="none", init=False)

    def __call__(self, proba: FloatArray, *, multi_label: bool = False) -> FloatArray:  # noqa: ARG002
        """See :class:`Calibration`."""
        return proba

    @classmethod
    def fit(cls, proba: FloatArray, target: IntArray) -> Self:  # noqa: ARG003
        """See :class:`Calibration`."""
        return cls()


@dataclass(frozen=True)
class Temperature(Calibration):
    """Logits divided by one number (Guo et al. 2017, "On calibration of modern networks").

    Keeps the order of classes, so no answer changes but at a threshold that is not a half.
    """

    temperature: float
    kind: str = field(default="temperature", init=False)

    def __call__(self, proba: FloatArray, *, multi_label: bool = False) -> FloatArray:
        """See :class:`Calibration`."""
        return scale(proba, self.temperature, multi_label=multi_label)

    @classmethod
    def fit(cls, proba: FloatArray, target: IntArray) -> Self:
        """See :func:`fit_temperature`."""
        return cls(fit_temperature(proba, target))


@dataclass(frozen=True)
class Vector(Calibration):
    """Each class's log-probability scaled and shifted by numbers of its own (Guo et al. 2017).

    For labels that do not exclude each other it is each one's log-odds (Platt 1999). Both are
    drawn towards the one temperature, as far as few images give no reason to leave it.
    """

    scales: tuple[float, ...]
    shifts: tuple[float, ...]
    kind: str = field(default="vector", init=False)

    def __call__(self, proba: FloatArray, *, multi_label: bool = False) -> FloatArray:
        """See :class:`Calibration`."""
        logits = _logits(proba, multi_label) * np.array(self.scales) + np.array(self.shifts)
        return sigmoid(logits) if multi_label else softmax(logits)

    @classmethod
    def fit(cls, proba: FloatArray, target: IntArray) -> Self:
        """Find the most probable scales and shifts."""
        multi_label, classes = target.ndim == 2, proba.shape[1]
        logits, truth = _logits(proba, multi_label), _indicator(target, classes)
        centre = -np.log(fit_temperature(proba, target))

        def loss(x: FloatArray) -> tuple[float, FloatArray]:
            by, shift = np.exp(x[:classes]), x[classes:]
            moved = logits * by + shift
            said = sigmoid(moved) if multi_label else softmax(moved)
            right = np.where(truth == 1, said, 1 - said) if multi_label else said[truth == 1]
            pull = np.concatenate([x[:classes] - centre, shift]) / PRIOR_DEVIATION
            wrong = said - truth
            slope = np.concatenate([(wrong * logits).sum(axis=0) * by, wrong.sum(axis=0)])
            total = 0.5 * (pull**2).sum() - np.log(np.clip(right, CLIP, None)).sum()
            return float(total), slope + pull / PRIOR_DEVIATION

        first = np.concatenate([np.full(classes, centre), np.zeros(classes)])
        found = minimize(loss, first, jac=True, method="L-BFGS-B").x
        return cls(tuple(np.exp(found[:classes]).tolist()), tuple(found[classes:].tolist()))


@dataclass(frozen=True)
class Isotonic(Calibration):
    """Each class against the rest by a rising curve, then normed (Zadrozny & Elkan 2002).

    Takes any shape, and hundreds of images of each class to find it. None becomes surer than
    (n + 1) / (n + 2) by n images. A class of which there was none is left as it is. Two classes
    can become equally probable, and so an answer change.

    Attributes
    ----------
    knots : tuple of (tuple of float, tuple of float)
        For each class probabilities as they come, rising, and what they become; straight lines
        between.
    """

    knots: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]
    kind: str = field(default="isotonic", init=False)

    def __call__(self, proba: FloatArray, *, multi_label: bool = False) -> FloatArray:
        """See :class:`Calibration`."""
        wide = proba.astype(np.float64)
        columns = [np.interp(wide[:, k], *curve) for k, curve in enumerate(self.knots)]
        found = np.stack(columns, axis=1)
        return found if multi_label else found / found.sum(axis=1, keepdims=True)

    @classmethod
    def fit(cls, proba: FloatArray, target: IntArray) -> Self:
        """Fit a curve for each class."""
        truth, least = _indicator(target, proba.shape[1]), 1 / (len(proba) + 2)
        knots = []
        for said, true in zip(proba.T.astype(np.float64), truth.T, strict=True):
            if true.all() or not true.any():  # also of no images
                knots.append(((0.0, 1.0), (0.0, 1.0)))
                continue
            curve = IsotonicRegression(y_min=least, y_max=1 - least).fit(said, true)
            knots.append((tuple(curve.X_thresholds_.tolist()), tuple(curve.y_thresholds_.tolist())))
        return cls(tuple(knots))


CALIBRATIONS: dict[str, type[Calibration]] = {
    "temperature": Temperature,
    "vector": Vector,
    "isotonic": Isotonic,
    "none": Uncalibrated,
}


def fit_calibration(kind: str, proba: FloatArray, target: npt.NDArray[Any]) -> Calibration:
    """Learn a calibration from images that the head was not fitted on.

    Parameters
    ----------
    kind : {"temperature", "vector", "isotonic", "none"}
    proba : array, shape (n, n_classes)
    target : array of int, shape (n,), or of 0 and 1, shape (n, n_classes)
        Columns of ``proba``.

    Returns
    -------
    Calibration
        Of no images one that changes nothing.
    """
    return CALIBRATIONS[kind].fit(proba, target)


def read_calibration(values: Mapping[str, Any]) -> Calibration:
    """Make a calibration of what :func:`dataclasses.asdict` gave, also by way of JSON."""
    fields = {name: _tuples(value) for name, value in values.items() if name != "kind"}
    return CALIBRATIONS[values["kind"]](**fields)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _indicator(target: IntArray, classes: int) -> IntArray:
    return target if target.ndim == 2 else (target[:, None] == np.arange(classes)).astype(np.int64)


def _logits(proba: FloatArray, multi_label: bool) -> FloatArray:
    wide = np.clip(proba.astype(np.float64), CLIP, 1 - CLIP)
    return np.asarray(np.log(wide / (1 - wide)) if multi_label else np.log(wide))
