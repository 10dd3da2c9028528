"""Images that stand for many of which the head is unsure."""

from __future__ import annotations

import heapq

import numpy as np
import numpy.typing as npt

from icehouse.review.strategies._apart import Batch
from icehouse.review.strategies._pool import FloatArray, IntArray, Pool
from icehouse.review.strategies._scores import least_confidence, margin
from icehouse.review.strategies._space import Doubles

HERDING = "herding"
SEEN, CANDIDATES = 6000, 3000
"""Images that stand for the whole pool, and images of which the batch is chosen."""
KNOWN = 4000  # labelled images that are compared with: of more, so many are drawn
WIDTH = 2.0  # times the median: by 1, three of ten replays did not get to where random got
FAR = 1.0  # the scale while fewer than two images are labelled

Floats = npt.NDArray[np.float32]


def herding(pool: Pool, batch: Batch, size: int, random: np.random.Generator) -> None:
    """Take the images whose labels would say most of those that the head is unsure of.

    Uncertainty herding of Bae, Oliva & Sutherland (2025), "Uncertainty herding: one active learning
    method for all label budgets". Greedily the sum over images of their uncertainty times their
    similarity to the nearest image that is labelled or in the batch is made as large as it gets.
    Similarity is exp(-d^2 / s^2) of distances between unit vectors about the mean; s is twice the
    median distance of a labelled image to the nearest other one, so that it shrinks as labels come
    (the paper takes the least distance, which near-duplicates would make 0). Uncertainty is that of
    ``margin``; of several labels an image that of ``least-confidence``.

    The sum is over a sample of 6,000 images, and the batch is chosen from the 3,000 free images
    of the highest uncertainty: so it takes the same memory and about the same time in any pool. As
    each gain can only fall while the batch grows, only the gains that may be the highest are
    worked out anew (Minoux 1978). The score is the gain.

    Parameters
    ----------
    pool : Pool
        With probabilities.
    batch : Batch
        What is in it already counts as labelled.
    size : int
        How many are to be in the batch in the end.
    random : numpy.random.Generator

    Raises
    ------
    UsageError
        There are no probabilities.
    """
    unsure, free = _unsure(pool), pool.free
    if not len(free) or len(batch) >= size:
        return
    free = free[random.permutation(len(free))]  # of equal ones it is drawn which are candidates
    some = free[np.argsort(-unsure[free], kind="stable")[: max(CANDIDATES, 2 * size)]]
    seen = np.sort(random.permutation(len(pool))[:SEEN])
    known = np.concatenate([random.permutation(pool.known)[:KNOWN], batch.rows])
    scale = _scale(_units(batch, known))
    weight = unsure[seen].astype(np.float32)
    near = _similar(_units(batch, some), _units(batch, seen), scale)
    covered = np.zeros(len(seen), np.float32)
    if len(known):
        covered = _similar(_units(batch, seen), _units(batch, known), scale).max(axis=1)

    def gain(place: int) -> float:
        return float(np.maximum(near[place] - covered, 0) @ weight)

    queue = [(-gain(place), place) for place in range(len(some))]
    heapq.heapify(queue)
    while len(batch) < size and queue:
        _, place = heapq.heappop(queue)
        now = -gain(place)
        if queue and now > queue[0][0]:
            heapq.heappush(queue, (now, place))
        elif batch.offer(int(some[place]), -now, HERDING):
            np.maximum(covered, near[place], out=covered)


def _unsure(pool: Pool) -> Doubles:
    proba = pool.proba_for(HERDING)
    alone = pool.multi_label or proba.shape[1] < 2
    return least_confidence(proba, multi_label=True) if alone else margin(proba)


def _units(batch: Batch, rows: IntArray) -> Floats:
    return batch.space.units(rows).astype(np.float32)


def _scale(units: Floats) -> float:
    """Return twice the median distance of an image to the nearest other one."""
    if len(units) < 2:
        return FAR
    cosine = units @ units.T
    np.fill_diagonal(cosine, -np.inf)
    middle = float(np.median(np.sqrt(np.maximum(2 - 2 * cosine.max(axis=1), 0))))
    return WIDTH * middle or FAR  # all of them are copies


def _similar(some: Floats, others: Floats, scale: float) -> FloatArray:
    """Return exp(-d^2 / scale^2), shape (len(some), len(others))."""
    found: Floats = some @ others.T
    found -= 1
    found *= np.float32(2 / scale**2)
    return np.exp(found, out=found)
