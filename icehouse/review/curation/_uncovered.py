"""What of a set of images another set does not cover.

It takes two measures. Of 6,000 images of EuroSAT (features of MobileNetV2) as A, distance alone
finds every photograph of fields and roads that is in B, and 97 of 100 dogs; but of forests, if A
has none, not one: they are near to sea and pasture, much nearer than factories are to each other.
The ratio finds 94 % of the forests and 80 % of the dogs, who are few. By local outlier factors of B
among A it is 26 % of the forests and no dog. Both together: 91 % of forests, 97 % of dogs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from icehouse.errors import UsageError
from icehouse.review.curation._near import NOISE, Centre, Floats, Integers, Pictures, near
from icehouse.search import Engine

NEIGHBOURS = 10
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Uncovered:
    """The images of B that A does not cover.

    Attributes
    ----------
    rows : array of int64, shape (u,)
        Of the engine.
    distance : array of float64, shape (u,)
    ratio : array of float64, shape (u,), or None
        None where A or B is too small to have one.
    nearest : array of int64, shape (u,)
        What is nearest in A.
    limit : float
    ratio_limit : float or None
        Beyond which an image is not covered.
    pictures : int
        Different ones in A.
    """

    rows: Integers
    distance: Doubles
    ratio: Doubles | None
    nearest: Integers
    limit: float
    ratio_limit: float | None
    pictures: int


def uncovered(
    engine: Engine, centre: Centre, a: Integers, b: Integers, quantile: float
) -> Uncovered:
    """Find the images of B that A does not cover; see :func:`icehouse.review.find_gaps`.

    Parameters
    ----------
    engine : Engine
    centre : Centre
    a, b : array of int64, shape (n,) and (m,)
        Rows, rising. What is in both is covered.
    quantile : float
        Share of A's own pictures that is within both limits, or a little more.

    Raises
    ------
    UsageError
        A has one picture only.
    """
    ours = Pictures.of(engine, a, NEIGHBOURS, centre)
    theirs = Pictures.of(engine, b, NEIGHBOURS, centre)
    if len(ours) < 2:
        raise UsageError(
            f"what is compared with has one picture only ({len(a):,} images; near-duplicates count "
            "once), so nothing says how far its images lie from each other. Name a larger A"
        )
    new = np.setdiff1d(b, a)
    similarity, index = near(engine, new, ours.index.shape[1], ours.rows)
    distance, held = _distance(similarity), _distance(ours.similarity)
    rest, ratio, ratio_limit = 1 - quantile, None, None
    if min(len(ours), len(theirs)) > NEIGHBOURS:
        rest /= 2
        beside = _distance(near(engine, ours.rows, NEIGHBOURS, theirs.rows)[0])
        own = _distance(theirs.similarity)[theirs.member[np.searchsorted(b, new)]]
        # Where A is as dense as B it covers it, though it be denser yet elsewhere: at least 1.
        ratio, ratio_limit = distance / own, max(float(np.quantile(held / beside, 1 - rest)), 1.0)
    limit = float(np.quantile(held, 1 - rest))
    beyond = distance > limit
    if ratio is not None and ratio_limit is not None:
        beyond |= ratio > ratio_limit
    far = np.flatnonzero(beyond)
    return Uncovered(
        rows=new[far],
        distance=distance[far],
        ratio=None if ratio is None else ratio[far],
        nearest=index[far, 0],
        limit=limit,
        ratio_limit=ratio_limit,
        pictures=len(ours),
    )


def by_chance(n_a: int, n_b: int, share: float) -> float:
    """Return how many of B may lie beyond a quantile of A although both are of one kind.

    The mean and two standard deviations of a count of ``n_b`` draws, with what the quantile of
    ``n_a`` draws is itself uncertain by.

    Parameters
    ----------
    n_a, n_b : int
    share : float
        Of A beyond the quantile.

    Examples
    --------
    >>> round(by_chance(1000, 1000, 0.01), 1)
    18.9
    """
    deviation = np.sqrt(share * (1 - share) * n_b * (1 + n_b / n_a))
    return float(share * n_b + 2 * deviation)


def _distance(similarity: Floats) -> Doubles:
    """Return mean distances, shape (n,), of similarities of shape (n, k); none is 0."""
    return np.maximum(1 - similarity.astype(np.float64).mean(axis=1), NOISE)
