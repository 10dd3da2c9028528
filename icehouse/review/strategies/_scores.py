"""Scores of single images, each a pure function of arrays; higher is more worth a label."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.errors import UsageError
from icehouse.review._reasons import draw_distance, margins
from icehouse.review.strategies._space import Doubles, FloatArray, Space, blocks, by_blocks


def least_confidence(proba: FloatArray, *, multi_label: bool = False) -> Doubles:
    """Return 1 minus the probability of the most probable answer (Lewis & Gale 1994).

    "A sequential algorithm for training text classifiers". Of several labels an image the one
    counts that is answered with the least confidence.

    Parameters
    ----------
    proba : array, shape (n, n_classes)
    multi_label : bool

    Returns
    -------
    array of float64, shape (n,)

    Examples
    --------
    >>> least_confidence(np.array([[0.75, 0.25], [0.5, 0.5]]))
    array([0.25, 0.5 ])
    """

    def score(p: Doubles) -> Doubles:
        return 1 - (np.maximum(p, 1 - p).min(axis=1) if multi_label else p.max(axis=1))

    return by_blocks(score, proba)


def margin(proba: FloatArray) -> Doubles:
    """Return 1 minus the distance of the two highest probabilities, shape (n,).

    Scheffer, Decomain & Wrobel (2001), "Active hidden Markov models for information extraction".
    For classes that exclude each other.
    """
    return by_blocks(lambda p: 1 - margins(p), proba)


def entropy(proba: FloatArray, *, multi_label: bool = False) -> Doubles:
    """Return the entropy as a share of the highest that is possible (Shannon 1948), shape (n,).

    Of several labels an image it is the mean over labels.

    Examples
    --------
    >>> entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).round(3)
    array([0., 1.])
    """

    def score(p: Doubles) -> Doubles:
        return _entropy(p, multi_label) / np.log(2 if multi_label else max(p.shape[1], 2))

    return by_blocks(score, proba)


def near_threshold(
    proba: FloatArray, threshold: float | FloatArray = 0.5, *, multi_label: bool = False
) -> Doubles:
    """Return 1 minus the distance to the threshold, shape (n,).

    Of two classes that of the second one, of several labels an image the smallest: the uncertainty
    sampling of Lewis & Gale (1994) for a threshold that is not a half.

    Raises
    ------
    UsageError
        More than two classes exclude each other, which have no threshold.
    """
    if not multi_label and proba.shape[1] != 2:
        raise UsageError(
            f"'near-threshold' is for two classes, or several labels an image; {proba.shape[1]} "
            "classes have no threshold. Take 'margin'"
        )
    distance = functools.partial(draw_distance, threshold=threshold, multi_label=multi_label)
    return by_blocks(lambda p: 1 - distance(p), proba)


def disagreement(committee: Sequence[FloatArray], *, multi_label: bool = False) -> Doubles:
    """Return how far members are from their consensus, shape (n,).

    The mean Kullback-Leibler divergence of each member from the mean of all, in nats (McCallum &
    Nigam 1998, "Employing EM and pool-based active learning for text classification"), which is
    the entropy of the mean less the mean of the entropies. Of several labels the mean over them.

    Parameters
    ----------
    committee : sequence of arrays, each of shape (n, n_classes)
        Two or more: heads, heads on other encoders, answers by captions.
    multi_label : bool

    Raises
    ------
    UsageError
        Fewer than two members, or members with other classes.
    """
    if len(committee) < 2:
        raise UsageError(
            f"'disagreement' takes a committee of two or more, got {len(committee)}. Fit another "
            "head of the task, on this encoder or on another one"
        )
    if len({each.shape for each in committee}) > 1:
        shapes = ", ".join(str(each.shape) for each in committee)
        raise UsageError(f"members of a committee answer about the same classes, got {shapes}")

    def score(*members: Doubles) -> Doubles:
        mean = np.mean(members, axis=0)
        own = np.mean([_entropy(each, multi_label) for each in members], axis=0)
        return np.maximum(_entropy(mean, multi_label) - own, 0)

    return by_blocks(score, *committee)


def expected_error(label_error: npt.NDArray[Any] | None) -> Doubles:
    """Return the probability that the label that an image has is wrong, shape (n,).

    So that it is asked for again: Sheng, Provost & Ipeirotis (2008), "Get another label?". The
    probabilities are those of the list of label issues.

    Raises
    ------
    UsageError
        There is no such list.
    """
    if label_error is None:
        raise UsageError(
            "'label-error' goes by the list of label issues, and there is none. Make it first: "
            "icehouse label-issues"
        )
    return np.asarray(label_error, np.float64)


def density_weighted(
    uncertainty: FloatArray, features: FloatArray | Space, beta: float = 1.0
) -> Doubles:
    """Return uncertainty times density, shape (n,): outliers are uncertain and teach little.

    The density is the mean cosine to all images of the pool, to the power of beta (Settles &
    Craven 2008, "An analysis of active learning strategies for sequence labeling tasks"). It takes
    one pass: it is the product with the mean of all unit vectors.

    Parameters
    ----------
    uncertainty : array, shape (n,)
    features : array, shape (n, D), or Space
    beta : float
    """
    vectors = features.features if isinstance(features, Space) else features
    total = np.zeros(vectors.shape[1])
    for rows in blocks(vectors):
        total += _units(vectors[rows]).sum(axis=0)
    centre = total / max(len(vectors), 1)
    density = by_blocks(lambda block: _units(block) @ centre, vectors)
    return np.asarray(uncertainty * np.maximum(density, 0) ** beta)


def _units(block: FloatArray) -> Doubles:
    wide = block.astype(np.float64)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)


def _entropy(p: Doubles, multi_label: bool) -> Doubles:
    """Return entropies in nats, shape (n,)."""
    if multi_label:
        return (_bits(p) + _bits(1 - p)).mean(axis=1)
    return _bits(p).sum(axis=1)


def _bits(p: Doubles) -> Doubles:
    return -p * np.log(np.clip(p, 1e-12, None))
