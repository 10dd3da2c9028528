"""Images that lie farthest from all that is labelled: k-center greedy."""

from __future__ import annotations

import numpy as np

from icehouse.review.strategies._apart import Batch
from icehouse.review.strategies._distances import Distances
from icehouse.review.strategies._pool import Pool
from icehouse.review.strategies._space import IntArray

CORESET = "coreset"


def coreset(pool: Pool, batch: Batch, size: int) -> None:
    """Take the image farthest from its nearest labelled or chosen one, again and again.

    k-center greedy of Sener & Savarese (2018), "Active learning for convolutional neural networks:
    a core-set approach", with Euclidean distances. It is exact (see :class:`Distances`), and needs
    no head. Where nothing is labelled or chosen it begins with the image nearest to the mean. The
    score is the distance, of the first image 0.

    Parameters
    ----------
    pool : Pool
    batch : Batch
        What is in it already counts as labelled.
    size : int
        How many are to be in the batch in the end.
    """
    space, free = batch.space, pool.free
    if not len(free):
        return
    distances = Distances(space.rows, free=free, like=space.features)
    known: IntArray = pool.known
    distances.add(known)
    if len(batch):
        distances.add(batch.rows)
    elif not len(known):
        first = int(free[space.lengths[free].argmin()])
        batch.offer(first, 0.0, CORESET)
        distances.add(batch.rows)
    distances.measure_all()
    while len(batch) < size and (row := distances.farthest()) >= 0:
        score = float(distances.bound[row]) ** 0.5
        if batch.offer(row, score, CORESET):
            distances.add(batch.rows[-1:])
        else:
            distances.ban(np.array([row]))
