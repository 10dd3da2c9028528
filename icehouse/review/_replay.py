"""One replay of active learning on images whose labels are known: pure functions of arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.heads import Head, make_head
from icehouse.review.strategies import Pool, Space, choose, parse_strategy

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]
COMMITTEE = "logistic", "knn"
GROWTH = 1.3
LEAST = 10  # labels of a batch


@dataclass(frozen=True)
class Known:
    """Images whose labels are known, of which those of a pool are given out one batch at a time.

    Attributes
    ----------
    X, y : arrays
        Features (n, D) and labels (n,), or (n, n_classes) of 0 and 1, of the pool.
    X_test, y_test : arrays
        What is measured on.
    """

    X: FloatArray
    y: npt.NDArray[Any]
    X_test: FloatArray
    y_test: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.X)

    @property
    def multi_label(self) -> bool:
        """Whether an image may have several labels."""
        return self.y.ndim == 2

    @cached_property
    def space(self) -> Space:
        """The features of the pool, as strategies look at them."""
        return Space(self.X)

    def accuracy(self, head: Head) -> float:
        """Return the share of right answers; of several labels an image all have to be right."""
        right = head.predict(self.X_test) == self.y_test
        return float((right.all(axis=1) if right.ndim == 2 else right).mean())


def sizes_of(start: int, budget: int, batch: int | None) -> list[int]:
    """Return the numbers of labels to measure at.

    Parameters
    ----------
    start, budget : int
        The first and the last of them.
    batch : int or None
        How many are added each time. None: three in ten of what there is, 10 at least, so that a
        replay takes few fits.

    Examples
    --------
    >>> sizes_of(20, 100, None)
    [20, 30, 40, 52, 67, 87, 100]
    >>> sizes_of(20, 100, 50)
    [20, 70, 100]
    """
    sizes = [start]
    while sizes[-1] < budget:
        grown = sizes[-1] + (batch or max(LEAST, int(sizes[-1] * (GROWTH - 1))))
        sizes.append(min(grown, budget))
    return sizes


def start_of(known: Known, count: int, seed: int) -> IntArray:
    """Draw the images that are labelled at the beginning, the same for all strategies of a seed.

    If all are labelled alike, the last makes room for the first drawn that is not: no head could
    be fitted. So a count is 2 or more.
    """
    order = np.random.default_rng([seed, 0]).permutation(len(known))
    other = known.y[order] != known.y[order[0]]
    other = other.any(axis=1) if other.ndim == 2 else other
    first = max(int(other.argmax()), count - 1)
    return np.append(order[: count - 1], order[first])


def replay(known: Known, strategy: str, kind: str, sizes: list[int], seed: int) -> Iterator[float]:
    """Yield the accuracy at each number of labels, as a strategy would have asked for them.

    Parameters
    ----------
    known : Known
    strategy, kind : str
        Of choosing, and of the head.
    sizes : list of int
        Of labels; the first are those of :func:`start_of`.
    seed : int
    """
    random = np.random.default_rng([seed, 1])
    labelled = np.zeros(len(known), bool)
    labelled[start_of(known, sizes[0], seed)] = True
    for size, following in zip(sizes, [*sizes[1:], 0], strict=True):
        head = fit(known, labelled, kind, seed)
        yield known.accuracy(head)
        if following:
            wanted = following - size
            pool = _pool(known, labelled, head, strategy, seed)
            chosen = choose(pool, strategy, wanted, random).rows
            labelled[chosen] = True
            # Of a pool of near-duplicates a batch may be short; what is missing is drawn.
            free = np.flatnonzero(~labelled)
            labelled[random.permutation(free)[: wanted - len(chosen)]] = True


def fit(known: Known, labelled: npt.NDArray[np.bool_], kind: str, seed: int) -> Head:
    """Fit a head of a kind, its settings as they are by default, from nothing."""
    head = make_head(kind)
    if "seed" in head.get_params():
        head.set_params(seed=seed)
    return head.fit(known.X[labelled], known.y[labelled])


def _pool(
    known: Known, labelled: npt.NDArray[np.bool_], head: Head, strategy: str, seed: int
) -> Pool:
    """Return what a strategy may see."""
    parts = parse_strategy(strategy)
    committee = []
    if "disagreement" in parts:
        others = (kind for kind in COMMITTEE if kind != head.kind)
        committee = [_answers(fit(known, labelled, kind, seed), known) for kind in others]
    proba = None if set(parts) <= {"random", "coreset", "typical"} else _answers(head, known)
    return Pool(
        known.X,
        proba,
        labelled,
        multi_label=known.multi_label,
        threshold=head.threshold,
        committee=committee,
        space=known.space,
    )


def _answers(head: Head, known: Known) -> FloatArray:
    return head.predict_proba(known.X)
