"""Search in two passes: products in few bits choose candidates, float32 says which they are.

Where the processor multiplies bfloat16, it does so about twice as fast as float32. A product of two
unit vectors in bfloat16 is off by no more than a bound; so whatever lies further than two bounds
below the k-th best is not among the k best, and the few that are left are compared exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LARGE = 10**10  # products; below, loading torch would take longer than it saves
SPARE = 64  # candidates beside four for each neighbour asked for
PAIRS = 1024  # that are compared at once: they stay in the cache

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Best:
    """The best rows of some queries.

    Attributes
    ----------
    similarity : array of float32, shape (q, k)
        Falling.
    index : array of int64, shape (q, k)
    settled : array of bool, shape (q,)
        Whether it was decided; where not, too many rows were too much alike.
    """

    similarity: Floats
    index: Integers
    settled: npt.NDArray[np.bool_]


class Sketch:
    """Unit vectors, ready to be searched by many queries.

    Parameters
    ----------
    base : array of float32, shape (n, D)
        Of length 1 or 0.
    """

    def __init__(self, base: Floats) -> None:
        self._base = base
        self._short = _bfloat16(base) if _is_fast() else None

    def best(self, queries: Floats, k: int, skip: Integers | None) -> Best:
        """Find the k rows nearest to each unit vector, shape (q, D), but those to be skipped."""
        rough, error = self._products(queries)
        if skip is not None:
            known = np.flatnonzero(skip >= 0)
            rough[known, skip[known]] = -np.inf
        value, index = rough.topk(min(4 * k + SPARE, rough.shape[1]), dim=1)
        value, index = value.float().numpy(), index.numpy()
        last = value[:, k - 1 : k]
        if self._short is not None:  # the product itself is rounded too
            error = error + 2**-9 * np.abs(last)
        near = value >= last - 2 * error
        settled = ~near[:, -1] | (near.shape[1] == rough.shape[1])
        row, column = np.nonzero(near)[0], index[near]
        exact = self._compare(queries, row, column)
        order = np.lexsort((column, -exact, row))
        # The pairs of a row now follow each other, the best first; each row has k or more.
        counts = near.sum(axis=1)
        first = (np.cumsum(counts) - counts)[:, None] + np.arange(k)
        return Best(exact[order[first]], column[order[first]], settled)

    def _products(self, queries: Floats) -> tuple[Any, Any]:
        """Return cosines as a torch tensor, shape (q, n), and how far off they may be."""
        import torch

        sums = queries.shape[1] * 2**-23  # of the rounding in a sum of D products
        if self._short is None:
            return torch.from_numpy(queries @ self._base.T), np.float32(sums)
        # Each number is off by 2^-9 of itself at most, so each vector by 2^-9 of its length.
        return _bfloat16(queries) @ self._short.T, np.float32(2**-8 + 2**-18 + sums)

    def _compare(self, queries: Floats, row: Integers, column: Integers) -> Floats:
        """Return the cosines of pairs, shape (p,)."""
        cosine = np.empty(len(row), np.float32)
        for start in range(0, len(row), PAIRS):
            some = slice(start, start + PAIRS)
            cosine[some] = np.einsum("pd,pd->p", queries[row[some]], self._base[column[some]])
        return cosine


def is_worth_it(queries: int, base: npt.NDArray[Any], k: int) -> bool:
    """Whether a search is large enough, and asks for few enough rows, for two passes."""
    return queries * base.size >= LARGE and 8 * (k + SPARE) <= len(base)


def _is_fast() -> bool:
    import torch

    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def _bfloat16(vectors: Floats) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(vectors)).bfloat16()
