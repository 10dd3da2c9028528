"""Which of many pictures are alike: every pair is looked at, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from icehouse.embedder._threads import cores
from icehouse.embedder.alike._looks import MAX_DISTANCE, MIN_CORRELATION, Looks, Probe, Rows
from icehouse.embedder.alike._pairs import Pairs

BLOCK = 512  # pictures against as many: what is computed of them stays in the cache

Found = tuple[Rows, Rows]


def find_alike(
    looks: Looks, max_distance: int = MAX_DISTANCE, min_correlation: float = MIN_CORRELATION
) -> Pairs:
    """Find the pictures that are alike, as pairs that connect them.

    Two are alike where their hashes differ in few bits, one of them mirrored or cut at its edges
    if need be, and their pixels, so seen, are much the same. Pictures of one colour are like none.

    Parameters
    ----------
    looks : Looks
    max_distance : int
        Bits, of 63.
    min_correlation : float

    Returns
    -------
    Pairs
        Of pictures that are connected by several pairs the closest ones: one less than pictures.
    """
    sharp = np.flatnonzero(~looks.flat)
    tasks = [(probe, start) for probe in looks.probes for start in range(0, len(sharp), BLOCK)]

    def look(task: tuple[Probe, int]) -> Pairs:
        probe, start = task
        parts = [
            _verified(looks, probe, *pair, min_correlation)
            for pair in _near(looks, probe, sharp, start, max_distance)
        ]
        return Pairs.joined(parts)

    # Of each part only what is needed is kept: ten thousand copies of one picture are fifty
    # million pairs.
    found = Pairs.joined([])
    with ThreadPoolExecutor(cores()) as threads:
        for pairs in threads.map(look, tasks):
            found = needed(len(looks), Pairs.joined([found, pairs])) if len(pairs) else found
    return found


def find_similar(looks: Looks, directions: npt.NDArray[np.float32], min_cosine: float) -> Pairs:
    """Find the pictures whose vectors of some encoder are similar, as pairs that connect them.

    Parameters
    ----------
    looks : Looks
        Of the same pictures.
    directions : array of float32, shape (n, D)
        Of length 1.
    min_cosine : float
    """
    found = Pairs.joined([])
    for start in range(0, len(directions), BLOCK):
        similar = directions[start : start + BLOCK] @ directions[start:].T >= min_cosine
        one, other = np.nonzero(np.triu(similar, 1))
        pairs = describe(looks, one + start, other + start)
        found = needed(len(looks), Pairs.joined([found, pairs]))
    return found


def describe(looks: Looks, one: Rows, other: Rows) -> Pairs:
    """Return what is known of pairs, by the way to look at them in which they are most alike."""
    best: Pairs | None = None
    for probe in looks.probes:
        for a, b in ((one, other), (other, one)):
            seen = _pairs(looks, probe, a, b)
            seen = Pairs(one, other, seen.distance, seen.correlation, seen.mirrored)
            if best is not None:
                better = seen.correlation > best.correlation
                seen = Pairs.joined([best, seen]).take(
                    np.arange(len(one)) + len(one) * better.astype(np.int64)
                )
            best = seen
    assert best is not None
    return best


def needed(n: int, pairs: Pairs) -> Pairs:
    """Return the closest of pairs that connect what all of them connect.

    That is the minimum spanning forest: the closest pair of every cluster is in it.
    """
    # Of a pair that was found in several ways, the closest.
    order = pairs.closest()
    low, high = np.minimum(pairs.one, pairs.other), np.maximum(pairs.one, pairs.other)
    _, first = np.unique(low[order] * n + high[order], return_index=True)
    pairs = pairs.take(order[np.sort(first)])
    # The rank stands for the cost, so that no two pairs cost the same.
    cost = coo_matrix((np.arange(1.0, len(pairs) + 1), (pairs.one, pairs.other)), shape=(n, n))
    return pairs.take(np.sort(minimum_spanning_tree(cost.tocsr()).data.astype(np.int64)) - 1)


def clusters_of(n: int, pairs: Pairs) -> npt.NDArray[np.int64]:
    """Return the number of the cluster that each of n pictures is in; shape (n,)."""
    links = coo_matrix((np.ones(len(pairs)), (pairs.one, pairs.other)), shape=(n, n))
    _, numbers = connected_components(links, directed=False)
    return np.asarray(numbers, np.int64)


def _near(
    looks: Looks, probe: Probe, sharp: Rows, start: int, max_distance: int
) -> Iterator[Found]:
    """Yield pairs of some pictures, seen by a probe, with others whose hash is near."""
    rows = sharp[start : start + BLOCK]
    seen = probe.hashes[rows][:, None]
    for begin in range(start if probe.symmetric else 0, len(sharp), BLOCK):
        columns = sharp[begin : begin + BLOCK]
        bits = np.bitwise_count(seen ^ looks.hashes[columns])
        at_row, at_column = np.nonzero(bits <= max_distance)
        one, other = rows[at_row], columns[at_column]
        apart = one < other if probe.symmetric else one != other
        if apart.any():
            yield one[apart], other[apart]


def _verified(looks: Looks, probe: Probe, one: Rows, other: Rows, least: float) -> Pairs:
    pairs = _pairs(looks, probe, one, other)
    return pairs.take(pairs.correlation >= least)


def _pairs(looks: Looks, probe: Probe, one: Rows, other: Rows) -> Pairs:
    return Pairs(
        one,
        other,
        np.bitwise_count(probe.hashes[one] ^ looks.hashes[other]),
        looks.correlation(probe, one, other),
        np.full(len(one), probe.mirrored),
    )
