"""What a difference of two accuracies is worth: intervals and tests over the same images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

LEVEL = 0.95
RESAMPLES = 10_000

Counts = npt.NDArray[np.integer[Any]]


def interval(right: Counts, asked: Counts, *, seed: int = 0) -> tuple[float, float]:
    """Return a 95 % interval of an accuracy by the bootstrap over images (Efron 1979).

    Percentiles of 10,000 resamples. An image that was asked about several times is drawn or left
    out as a whole. Where all answers are right, or all wrong, resamples have no spread, and the
    exact interval of Clopper and Pearson (1934) is given instead.

    Parameters
    ----------
    right : array of int, shape (n,)
        How many answers on each image were right.
    asked : array of int, shape (n,)
        How many were given; at least one.
    seed : int

    Examples
    --------
    >>> low, high = interval(np.array([1] * 90 + [0] * 10), np.ones(100, int))
    >>> round(low, 2), round(high, 2)
    (0.84, 0.95)
    """
    n = len(right)
    if not right.any():
        return 0.0, float(1 - ((1 - LEVEL) / 2) ** (1 / n))
    if (right == asked).all():
        return float(((1 - LEVEL) / 2) ** (1 / n)), 1.0
    # Images that were answered alike are drawn together: one multinomial instead of n draws.
    kinds, count = np.unique(np.stack([right, asked], axis=1), axis=0, return_counts=True)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(n, count / n, size=RESAMPLES) @ kinds
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], [tail, 100 - tail])
    return float(low), float(high)


def paired_p(difference: Counts) -> float:
    """Return the probability of so large a difference between two that are equally good.

    If they are, each image could as well have spoken for the other one: the exact distribution
    over all signs of the differences (Fisher 1935, Pitman 1937), by convolution. With one answer
    an image this is the exact test of McNemar (1947). It is about these fits, and says nothing of
    other training images.

    Parameters
    ----------
    difference : array of int, shape (n,)
        Right answers of one less those of the other, on each image.

    Returns
    -------
    float
        Two-sided.

    Examples
    --------
    >>> round(paired_p(np.array([1] * 5 + [0] * 95)), 4)
    0.0625
    """
    sizes, count = np.unique(np.abs(difference[difference != 0]), return_counts=True)
    total = np.ones(1)
    for size, images in zip(sizes.tolist(), count.tolist(), strict=True):
        steps = np.zeros(size * images + 1)
        steps[::size] = binom.pmf(np.arange(images + 1), images, 0.5)
        total = np.convolve(total, steps)
    distance = np.abs(2 * np.arange(len(total)) - (len(total) - 1))
    return min(1.0, float(total[distance >= abs(int(difference.sum()))].sum()))


def holm(p: Sequence[float]) -> list[float]:
    """Return p values raised for being several (Holm 1979), in the order given.

    Examples
    --------
    >>> holm([0.02, 0.5, 0.01])
    [0.04, 0.5, 0.03]
    """
    adjusted, floor = [0.0] * len(p), 0.0
    for rank, which in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        floor = max(floor, min(1.0, p[which] * (len(p) - rank)))
        adjusted[which] = floor
    return adjusted
