"""How good a map is: what hiding parts in its order does, and whether it depends on the head."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from icehouse.explain._explanation import Floats, Scores
from icehouse.explain._question import Question
from icehouse.explain._sight import Masks, Sight

CELLS = 14  # a side; what is hidden at once
STEPS = 14
ORDERS = 4  # by lot
HEADS = 10  # with shuffled weights
# Rank correlations with maps of such heads. Their mean is 0 but for chance where a map depends on
# the head; their magnitudes are not, as smooth maps have a few parts only, and only tell whether
# a map has done more than to turn its sign.
SAME, SAME_BUT_FOR_SIGN = 0.5, 0.9

IntArray = npt.NDArray[np.int64]


def scores_of(sight: Sight, question: Question, values: Floats, seed: int) -> Scores:
    """Hide and show a picture cell by cell, in the order of a map and by lot.

    Single pixels hidden by lot are noise, which upsets a network more than anything that is
    missing: a comparison with that would say nothing about where. So both orders are of the same
    square cells.
    """
    random = np.random.default_rng(seed)
    grid = _grid(sight.shape)
    best = np.argsort(-cells(values), kind="stable")
    orders = [best, *(random.permutation(len(best)) for _ in range(ORDERS))]
    masks = np.concatenate([_growing(grid, order) for order in orders])
    deletion = _areas(question(sight.vectors(masks)))
    insertion = _areas(question(sight.vectors(~masks)))
    by_lot = (sum(each[1:]) / ORDERS for each in (deletion, insertion))
    return Scores(deletion[0], insertion[0], *by_lot)


def _areas(probabilities: Floats) -> list[float]:
    return [float(np.trapezoid(each) / STEPS) for each in probabilities.reshape(-1, STEPS + 1)]


def _grid(shape: tuple[int, int]) -> IntArray:
    """Return the number of the cell that each pixel lies in, (H, W)."""
    row, column = (np.arange(size) * CELLS // size for size in shape)
    return row[:, None] * CELLS + column


def _growing(grid: IntArray, order: IntArray) -> Masks:
    """Return masks of no cell, then more and more in an order, then all."""
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    ends = np.round(np.linspace(0, len(order), STEPS + 1)).astype(np.int64)
    return rank[grid] < ends[:, None, None]


def cells(values: Floats) -> Floats:
    """Return the mean of a map in each cell, (CELLS * CELLS,)."""
    grid = _grid(values.shape[:2]).reshape(-1)
    total = np.bincount(grid, values.reshape(-1), CELLS * CELLS)
    return total / np.maximum(np.bincount(grid, minlength=CELLS * CELLS), 1)


def likeness(
    answer: Callable[[Question], Floats], question: Question, seed: int
) -> tuple[float, bool]:
    """Compare a map with those of heads whose weights are shuffled.

    Returns
    -------
    correlation : float
        Mean rank correlation, -1 to 1; 1 where the map says nothing, so that nothing shows that it
        depends on the head.
    changed : bool
    """
    random = np.random.default_rng(seed)
    values = cells(answer(question))
    if np.ptp(values) == 0:
        return 1.0, False
    others = [cells(answer(question.shuffled(random))) for _ in range(HEADS)]
    alike = [spearmanr(values, other).statistic if np.ptp(other) else 0.0 for other in others]
    mean, size = float(np.mean(alike)), float(np.mean(np.abs(alike)))
    return mean, mean < SAME and size < SAME_BUT_FOR_SIGN
