"""Reasons to look at an image again, each a pure function of probabilities.

Every reason has a strength from 0 to 1 and a limit from which it counts. Uncertainty is
measured as in Settles (2009), "Active learning literature survey": least confidence, margin
and entropy; in multi-label tasks and for two classes also by the distance to the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

THRESHOLD = "near-threshold"
PROBABILITY = "low-probability"
MARGIN = "small-margin"
ENTROPY = "high-entropy"
LABEL = "label-unlikely"
HEADS = "heads-disagree"
NEIGHBOURS = "neighbours-disagree"
SEVERAL = "several-classes"
NONE = "no-class"
UNFAMILIAR = "unfamiliar"


@dataclass(frozen=True)
class FlagSettings:
    """From where on a reason counts.

    Attributes
    ----------
    band : float
        Near the threshold: |p - threshold| up to this (two classes, multi-label).
    min_probability : float
        Low probability: the most probable class below this (more than two classes).
    min_margin : float
        Small margin: the two most probable classes closer than this.
    max_plausible : float
        High entropy: exp(entropy), the number of classes that are plausible, above this.
    min_disagreement : float
        Share of the other heads, or of the neighbours, that say something else.
    label_margin : float
        Label unlikely: another class is more probable than the given one by this much.
    neighbours : int
        Nearest labelled images that are asked.
    coverage : float or None
        Several classes, no class: in the set that holds the right one as often as this. None: as
        asked when the head was fitted, or no sets.
    """

    band: float = 0.1
    min_probability: float = 0.6
    min_margin: float = 0.2
    max_plausible: float = 1.9
    min_disagreement: float = 0.5
    label_margin: float = 0.2
    neighbours: int = 5
    coverage: float | None = None


@dataclass(frozen=True)
class Reason:
    """One reason for every image.

    Attributes
    ----------
    name : str
    strength : array of float, shape (n,)
        0 to 1.
    counts : array of bool, shape (n,)
        Whether the limit is reached.
    """

    name: str
    strength: FloatArray
    counts: BoolArray


def uncertainty(
    proba: FloatArray, threshold: float | FloatArray, settings: FlagSettings, *, multi_label: bool
) -> list[Reason]:
    """Return the reasons that lie in the probabilities alone.

    Parameters
    ----------
    proba : array, shape (n, n_classes)
        Calibrated, and out-of-fold where the image took part in training.
    threshold : float or array of float, shape (n_classes,)
        Of the second of two classes, or of labels.
    settings : FlagSettings
    multi_label : bool
    """
    if multi_label or proba.shape[1] == 2:
        distance = draw_distance(proba, threshold, multi_label=multi_label)
        near = 1 - distance / max(settings.band, 1e-9)
        reasons = [Reason(THRESHOLD, np.clip(near, 0, 1), distance <= settings.band + 1e-9)]
        if multi_label:
            return reasons
    else:
        top = proba.max(axis=1)
        doubt = (1 - top) / (1 - 1 / proba.shape[1])
        reasons = [Reason(PROBABILITY, doubt, top < settings.min_probability)]
    margin = margins(proba)
    plausible = plausible_classes(proba)
    return [
        *reasons,
        Reason(MARGIN, 1 - margin, margin < settings.min_margin),
        Reason(ENTROPY, np.clip(plausible - 1, 0, 1), plausible > settings.max_plausible),
    ]


def draw_distance(
    proba: FloatArray, threshold: float | FloatArray, *, multi_label: bool
) -> FloatArray:
    """Return how far an answer is from being another one, shape (n,).

    For two classes and multi-label the distance to the threshold, else the margin.
    """
    if not multi_label and proba.shape[1] > 2:
        return margins(proba)
    positive = proba if multi_label else proba[:, 1:]
    return np.asarray(np.abs(positive - threshold).min(axis=1))


def margins(proba: FloatArray) -> FloatArray:
    """Return the distance of the two highest probabilities, shape (n,)."""
    top = np.sort(proba, axis=1)[:, -2:]
    return np.asarray(top[:, 1] - top[:, 0])


def plausible_classes(proba: FloatArray) -> FloatArray:
    """Return exp(entropy), shape (n,): 1 for certainty, k for k classes equally probable.

    Examples
    --------
    >>> plausible_classes(np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])).round(3)
    array([1., 2.])
    """
    logs = np.log(np.clip(proba, 1e-12, None))
    return np.asarray(np.exp(-(proba * logs).sum(axis=1)))


def label_unlikely(
    proba: FloatArray, given: npt.NDArray[Any], settings: FlagSettings, *, multi_label: bool
) -> Reason:
    """Compare the label that an image has with what the head expects.

    Parameters
    ----------
    proba : array, shape (n, n_classes)
    given : array of 0 and 1, shape (n, n_classes)
        The labels; single-label rows hold one 1.
    settings : FlagSettings
    multi_label : bool
        Then the margin is that of the one label that is least expected.
    """
    if multi_label:
        strength = np.clip(2 * contradiction(proba, given) - 1, 0, 1)
    else:
        strength = proba.max(axis=1) - (proba * given).sum(axis=1)
    return Reason(LABEL, strength, strength >= settings.label_margin)


def set_reasons(proba: FloatArray, inside: BoolArray) -> list[Reason]:
    """Return the reasons that lie in sets of classes, for classes that exclude each other.

    Parameters
    ----------
    proba : array, shape (n, n_classes)
    inside : array of bool, shape (n, n_classes)
        Which classes are in the set.
    """
    size = inside.sum(axis=1)
    more = np.clip(size - 1, 0, None) / (proba.shape[1] - 1)
    return [
        Reason(SEVERAL, more, size > 1),
        Reason(NONE, np.where(size == 0, 1 - proba.max(axis=1), 0.0), size == 0),
    ]


def contradiction(evidence: FloatArray, given: npt.NDArray[Any]) -> FloatArray:
    """Return how far evidence speaks against labels, shape (n,): 0 not at all, 1 wholly.

    Parameters
    ----------
    evidence : array, shape (n, n_classes)
        Probabilities, or shares of votes.
    given : array of 0 and 1, shape (n, n_classes)
        For one label an image, this is 1 minus the probability of that label.
    """
    return np.asarray(np.abs(evidence - given).max(axis=1))
