"""Images whose gradients are long and point different ways."""

from __future__ import annotations

import numpy as np

from icehouse.review.strategies._apart import Batch
from icehouse.review.strategies._distances import Distances
from icehouse.review.strategies._pool import FloatArray, IntArray, Pool
from icehouse.review.strategies._space import Rows, blocks

BADGE = "badge"


def badge(pool: Pool, batch: Batch, size: int, random: np.random.Generator) -> None:
    """Draw images by k-means++ on the gradients that their own answers would cause.

    BADGE of Ash et al. (2020), "Deep batch active learning by diverse, uncertain gradient lower
    bounds". The gradient of the last layer's loss, were the answer right, is the outer product of
    q = p - answer and the features x. It is never written down: the inner product of two of them is
    (q_i . q_j) (x_i . x_j). As in the authors' code the longest gradient comes first, and each next
    one is drawn with a probability in proportion to the squared distance to the nearest one in the
    batch (see :class:`Distances`).

    Other than there, x has its mean subtracted and length 1: of a frozen encoder the length says
    how unusual an image is, not how much a head has to learn of it. And p is squared and normed: a
    head on few labels is strongly regularised and less sure than it could be, which would draw
    images that are answered well. Both save labels on EuroSAT (docs/active-learning.md). The score
    is the length of the gradient.

    Parameters
    ----------
    pool : Pool
        With probabilities.
    batch : Batch
    size : int
        How many are to be in the batch in the end.
    random : numpy.random.Generator

    Raises
    ------
    UsageError
        There are no probabilities.
    """
    proba, space, free = pool.proba_for(BADGE), batch.space, pool.free
    if not len(free):
        return

    def residuals(rows: Rows) -> FloatArray:
        return residual(proba[rows], multi_label=pool.multi_label)

    lengths = np.empty(len(pool))
    for rows in blocks(proba):
        block = residuals(rows)
        lengths[rows] = np.linalg.norm(block, axis=1)
    wider = proba if proba.shape[1] > space.features.shape[1] else space.features
    distances = Distances(space.units, residuals, free=free, like=wider)
    if len(batch):
        distances.add(batch.rows)
    else:
        batch.offer(row := int(free[lengths[free].argmax()]), float(lengths[row]), BADGE)
        distances.add(batch.rows)
    while len(batch) < size and (row := distances.draw(random)) >= 0:
        if batch.offer(row, float(lengths[row]), BADGE):
            distances.add(batch.rows[-1:])
        else:
            distances.ban(np.array([row]))
    if len(batch) < size:  # all others have the gradient of one that is in it, as where all is sure
        left = free[distances.bound[free] >= 0]
        left = left[random.permutation(len(left))]
        batch.fill(left, lengths[left], BADGE, size)


def residual(proba: FloatArray, *, multi_label: bool) -> FloatArray:
    """Return sharpened probabilities less the answer that follows, float64, (n, n_classes).

    Examples
    --------
    >>> residual(np.array([[0.75, 0.25]]), multi_label=False)
    array([[-0.1,  0.1]])
    """
    found = proba.astype(np.float64) ** 2
    if multi_label:
        found /= found + (1 - proba.astype(np.float64)) ** 2
        return np.asarray(found - (found >= 0.5))
    found /= found.sum(axis=1, keepdims=True)
    answers: IntArray = found.argmax(axis=1)
    found[np.arange(len(found)), answers] -= 1
    return found
