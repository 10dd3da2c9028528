"""Images that stand for many others, for the time before there are labels."""

from __future__ import annotations

import warnings

import numpy as np

from icehouse.review.strategies._apart import Batch
from icehouse.review.strategies._pool import IntArray, Pool
from icehouse.review.strategies._space import Doubles
from icehouse.store import nearest

TYPICAL = "typical"
NEIGHBOURS = 20
MOST_CLUSTERS = 500
SAMPLE = 20_000  # images that are clustered


def typical(pool: Pool, batch: Batch, size: int, random: np.random.Generator) -> None:
    """Take the most typical image of each cluster in which nothing is labelled.

    TypiClust of Hacohen, Dekel & Weinshall (2022), "Active learning on a budget: opposite
    strategies suit high and low budgets". There are as many clusters (k-means on unit vectors) as
    images labelled and wanted together, 500 at most. Those with the fewest labels come first, of
    these the largest; an image is typical if it is near to its 20 nearest ones in the cluster. The
    score is 1 / (mean distance). Needs no head.

    Parameters
    ----------
    pool : Pool
        Of more than 20,000 images so many are drawn, and the labelled ones among them count.
    batch : Batch
        What is in it already counts as labelled.
    size : int
        How many are to be in the batch in the end.
    random : numpy.random.Generator
    """
    free = pool.free
    if not len(free) or len(batch) >= size:
        return
    rows = np.sort(random.permutation(len(pool))[:SAMPLE])
    known = np.zeros(len(pool), bool)
    known[pool.known] = True
    known[batch.rows] = True
    clusters = min(int(known[rows].sum()) + size - len(batch), MOST_CLUSTERS, len(rows))
    units = np.concatenate([batch.space.units(some) for some in np.array_split(rows, 64)])
    member = _cluster(units.astype(np.float32), clusters, random)
    labels = np.bincount(member[known[rows]], minlength=clusters)
    count = np.bincount(member, minlength=clusters)
    score = np.full(len(rows), -1.0)
    while len(batch) < size:
        left = [c for c in range(clusters) if count[c]]
        if not left:
            return
        chosen = min(left, key=lambda c: (labels[c], -count[c]))
        whole = np.flatnonzero(member == chosen)
        inside = whole[~known[rows[whole]]]
        if not len(inside) or not _take(batch, units, rows, inside, whole, score):
            count[chosen] = 0  # all of it is labelled, or like what is in the batch
            continue
        labels[chosen] += 1
        known[batch.rows[-1]] = True


def typicality(units: Doubles, inside: IntArray) -> Doubles:
    """Return 1 / (mean distance to the 20 nearest), of images of one cluster among each other.

    Parameters
    ----------
    units : array, shape (n, D)
    inside : array of int64, shape (k,)
        The cluster.

    Returns
    -------
    array of float64, shape (k,)
    """
    if len(inside) < 2:
        return np.ones(len(inside))
    some = units[inside]
    cosine, _ = nearest(some, some, NEIGHBOURS, skip=np.arange(len(inside)))
    distance = np.sqrt(np.maximum(2 - 2 * cosine.astype(np.float64), 0)).mean(axis=1)
    return np.asarray(1 / np.maximum(distance, 1e-6))


def _take(
    batch: Batch,
    units: Doubles,
    rows: IntArray,
    inside: IntArray,
    whole: IntArray,
    score: Doubles,
) -> bool:
    """Offer the images of a cluster, the most typical first, until one is taken."""
    if (score[inside] < 0).any():
        score[whole] = typicality(units, whole)
    for place in inside[np.argsort(-score[inside], kind="stable")].tolist():
        if batch.offer(int(rows[place]), float(score[place]), TYPICAL):
            return True
    return False


def _cluster(units: Doubles, clusters: int, random: np.random.Generator) -> IntArray:
    """Return the cluster of each vector, shape (n,)."""
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    means = MiniBatchKMeans(
        clusters,
        batch_size=1024,
        n_init=1,
        max_iter=10,
        random_state=int(random.integers(2**31)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different images than clusters
        return np.asarray(means.fit_predict(units), np.int64)
