"""Features that are looked at in blocks, with their mean subtracted.

All images of an encoder lie in one direction from the origin, so cosines mean something only of
vectors without their mean. A pool of a million is never copied: a block is turned into wider
numbers, used, and given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
Doubles = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]
Rows = slice | IntArray

BLOCK = 2**20  # numbers at once; in float64 they are 8 MiB, which stay in the cache


def blocks(array: npt.NDArray[Any], size: int | None = None) -> Iterator[slice]:
    """Yield slices of rows of about as many numbers as ``size``, which BLOCK is by default."""
    width = max(1, array[:1].size)
    step = max(1, (size or BLOCK) // width)
    for begin in range(0, len(array), step):
        yield slice(begin, min(begin + step, len(array)))


def by_blocks(function: Callable[..., Doubles], *arrays: FloatArray) -> Doubles:
    """Apply a function of rows, shape (n, …) each, to blocks of them; shape (n,)."""
    found = np.empty(len(arrays[0]))
    for rows in blocks(arrays[0]):
        found[rows] = function(*(each[rows].astype(np.float64) for each in arrays))
    return found


class Space:
    """Features with their mean subtracted.

    Parameters
    ----------
    features : array of float16 or float32, shape (n, D)

    Attributes
    ----------
    lengths : array of float64, shape (n,)
        Squared.
    """

    def __init__(self, features: FloatArray) -> None:
        self.features = features
        total = np.zeros(features.shape[1])
        for rows in blocks(features):
            total += features[rows].astype(np.float32).sum(axis=0, dtype=np.float64)
        self.mean: Doubles = total / max(len(features), 1)
        self.lengths = np.empty(len(features))
        for rows in blocks(features):
            block = self.rows(rows, np.float32)
            self.lengths[rows] = np.einsum("nd,nd->n", block, block)

    def __len__(self) -> int:
        return len(self.features)

    def rows(self, rows: Rows, dtype: type[np.floating[Any]] = np.float64) -> FloatArray:
        """Return some of the vectors, shape (k, D)."""
        block = self.features[rows].astype(dtype)
        block -= self.mean.astype(dtype)
        return block

    def units(self, rows: Rows) -> Doubles:
        """Return some of the vectors scaled to length 1; those of length 0 stay it."""
        block = self.rows(rows)
        length = np.sqrt(np.einsum("nd,nd->n", block, block))[:, None]
        return np.asarray(np.divide(block, length, out=np.zeros_like(block), where=length > 0))
