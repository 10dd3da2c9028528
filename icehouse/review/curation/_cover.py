"""Few images that stand for many: each covers what lies within a distance of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.store import unit

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.int64]

SAMPLE = 8192  # images among which those that stand for others are looked for
BLOCK = 1024


def cover(vectors: Floats, radius: float, most: int) -> Integers:
    """Choose images so that as many as can be lie within a distance of one of them.

    The greedy one: each covers the most of what those before it have left. That is at least 63 % of
    what any choice of so many could cover (Nemhauser, Wolsey & Fisher 1978). Nothing is drawn; of
    more than 8,192 images so many, evenly from all, are looked at.

    Parameters
    ----------
    vectors : array, shape (n, D)
    radius : float
        1 - cosine.
    most : int

    Returns
    -------
    array of int64, shape (m,)
        Rows, at most ``most``; fewer where nothing is left to cover.

    Examples
    --------
    >>> angle = np.radians([0, 1, 2, 40, 41, 90])
    >>> cover(np.stack([np.cos(angle), np.sin(angle)], axis=1), radius=0.001, most=2)
    array([0, 3])
    """
    rows = np.unique(np.linspace(0, len(vectors) - 1, SAMPLE).astype(np.int64))
    units = unit(vectors[rows])
    left = np.ones(len(rows), np.bool_)
    gain = _within(units, units, radius)
    chosen: list[int] = []
    while len(chosen) < most and left.any():
        best = int(np.argmax(gain))
        covered = left & (units @ units[best] >= 1 - radius)
        covered[best] = left[best]  # rounding must not leave it out
        chosen.append(best)
        left &= ~covered
        gain -= _within(units, units[covered], radius)
        gain[best] = -1
    return rows[chosen]


def assign(vectors: Floats, chosen: Integers, radius: float) -> tuple[Integers, Floats]:
    """Return which of the chosen images each is nearest to, or -1 where none covers it.

    Parameters
    ----------
    vectors : array, shape (n, D)
    chosen : array of int64, shape (m,)
    radius : float

    Returns
    -------
    group : array of int64, shape (n,)
        From 0 to m - 1; a chosen image is of its own.
    similarity : array of float32, shape (n,)
        Cosine to it.
    """
    centres = unit(vectors[chosen])
    group = np.empty(len(vectors), np.int64)
    similarity = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), BLOCK):
        some = slice(start, start + BLOCK)
        cosine = unit(vectors[some]) @ centres.T
        group[some], similarity[some] = cosine.argmax(axis=1), cosine.max(axis=1)
    group[similarity < 1 - radius] = -1
    group[chosen], similarity[chosen] = np.arange(len(chosen)), 1
    return group, similarity


def _within(units: Floats, others: Floats, radius: float) -> Integers:
    """Count for each unit vector the others within a distance, int64 of shape (n,)."""
    count = np.zeros(len(units), np.int64)
    for start in range(0, len(others), BLOCK):
        count += (units @ others[start : start + BLOCK].T >= 1 - radius).sum(axis=1)
    return count
