"""Search in two passes: products in few bits choose candidates, float32 says which they are.

Where the processor multiplies bfloat16, it does so about twice as fast as float32. A product of two
unit vectors in bfloat16 is off by no more than a bound, which follows from what rounding takes from
each of them. So the k-th best product less its bound is a *floor*: whatever lies below it by more
than its own bound is none of the best, and the few that are left are compared exactly.

Vectors are made unit and rounded by blocks, once for all queries, so that beside them no more than
a block is held. Of the products of a block, only the largest of each 32 is looked at, unless it
reaches the floor.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from icehouse.errors import VectorError

if TYPE_CHECKING:
    import torch

LARGE = 10**10  # products; below, loading torch would take longer than it saves
TURNED = 100  # products that take as long as making a vector unit
BLOCK, CHUNK = 8192, 2048  # rows that are multiplied, and made unit, at once
HALF = 1.001 * 2**-9  # of the last of bfloat16's 8 bits; unit vectors are so within rounding
TILE = 1024  # queries at once
GROUP = 32
SPARE = 64  # beside what is asked for, where rows are few
CROWD = 4096  # candidates of a query that are too many
PAIRS = 2048  # that are compared at once: they stay in the cache
FEW = 16  # queries for which rounding takes longer than it saves

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


class Rows(Protocol):
    """Vectors that are read by parts."""

    @property
    def dim(self) -> int:
        """Numbers in each."""

    def __len__(self) -> int: ...

    def block(self, start: int, stop: int) -> npt.NDArray[np.floating[Any]]:
        """Return rows that follow each other."""

    def at(self, rows: Integers) -> npt.NDArray[np.floating[Any]]:
        """Return rows in any order."""


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


def sketched(queries: Floats, base: Rows, k: int, skip: Integers | None) -> Best:
    """Find the k rows nearest to each unit vector, shape (q, D), but those to be skipped.

    Raises
    ------
    VectorError
        A row holds NaN or infinity.
    """
    short = _is_fast() and len(queries) >= FEW
    tiles = [
        _Tile(queries[i : i + TILE], k, None if skip is None else skip[i : i + TILE], short)
        for i in range(0, len(queries), TILE)
    ]
    with _single_threads() as pool:
        turned = _Turned(base, short, pool)
        for start in range(0, len(base), BLOCK):
            rows = turned.block(start)
            for tile in tiles:
                tile.see(rows, start, min(BLOCK, len(base) - start))
    best = [tile.best(base) for tile in tiles]
    return Best(
        np.concatenate([each.similarity for each in best]),
        np.concatenate([each.index for each in best]),
        np.concatenate([each.settled for each in best]),
    )


def is_worth_it(queries: int, base: Rows, k: int) -> bool:
    """Whether a search is large enough, and asks for few enough rows, for two passes."""
    size = len(base) * base.dim
    return (queries + TURNED) * size >= LARGE and GROUP * (k + SPARE) <= len(base)


class _Turned:
    """Rows as unit vectors, rounded to bfloat16 if asked."""

    def __init__(self, base: Rows, short: bool, pool: ThreadPoolExecutor) -> None:
        import torch

        self._base, self._pool = base, pool
        kept = torch.bfloat16 if short else torch.float32
        self._turned = torch.empty((BLOCK, base.dim), dtype=kept)

    def block(self, start: int) -> torch.Tensor:
        """Return a block of a multiple of GROUP rows."""
        import torch

        vectors = torch.from_numpy(self._base.block(start, start + BLOCK))
        rows = len(vectors)
        padded = -(-rows // GROUP) * GROUP
        self._turned[rows:padded] = 0

        def turn(first: int) -> None:
            wide = vectors[first : first + CHUNK].float()
            length = torch.linalg.vector_norm(wide, dim=1, keepdim=True)
            if not torch.isfinite(length.sum()):
                raise VectorError(
                    "vectors to be searched hold NaN or infinity. Find out which: icehouse fsck"
                )
            wide *= torch.where(length > 0, 1 / length, 0.0)
            self._turned[first : first + len(wide)] = wide

        list(self._pool.map(turn, range(0, rows, CHUNK)))
        return self._turned[:padded]


class _Tile:
    """Some queries, and the candidates for them so far."""

    def __init__(self, queries: Floats, k: int, skip: Integers | None, short: bool) -> None:
        import torch

        self._queries, self._k, self._skip = queries, k, skip
        self._asked = torch.from_numpy(queries)
        # Of the rounding in a sum of D products.
        self._bound = torch.full((len(queries),), queries.shape[1] * 2**-23)
        if short:
            wide, self._asked = self._asked, self._asked.bfloat16()
            lost = torch.linalg.vector_norm(wide - self._asked, dim=1)
            # |qx - q'x'| <= |q - q'| |x| + |q'| |x - x'|, |q'| <= 1 + |q - q'|, and rounding takes
            # HALF of a number at most; the product itself is rounded too.
            self._bound += lost + HALF * (1 + lost) + HALF
        # Products that k rows reach at least, the best first.
        self._floor = torch.full((len(queries), k), -torch.inf)
        self._settled = torch.ones(len(queries), dtype=torch.bool)
        self._found: list[tuple[Any, Any, Any]] = []
        self._count = 0

    def see(self, rows: torch.Tensor, start: int, real: int) -> None:
        """Look for candidates in a block of rows, of which the first ``real`` are no padding."""
        import torch

        products = self._asked @ rows.T
        products[:, real:] = -torch.inf
        if self._skip is not None:
            own = np.flatnonzero((self._skip >= start) & (self._skip < start + real))
            products[own, self._skip[own] - start] = -torch.inf
        bound = self._bound
        groups = products.view(len(products), GROUP, -1)
        peaks = groups.amax(1)
        highest = peaks.amax(1).float() - bound
        up = torch.nonzero(self._settled & (highest > self._floor[:, -1])).squeeze(1)
        if len(up):
            both = torch.cat([self._floor[up], peaks[up].float() - bound[up, None]], dim=1)
            self._floor[up] = both.topk(self._k, dim=1).values
        # Finite, so that padding and what is skipped never reach it.
        needed = (self._floor[:, -1] - bound).clamp(min=-2).masked_fill(~self._settled, torch.inf)
        query, group = torch.nonzero(peaks >= needed[:, None], as_tuple=True)
        values = groups[query, :, group].float()
        which, place = torch.nonzero(values >= needed[query, None], as_tuple=True)
        value, query = values[which, place], query[which]
        row = start + place * groups.shape[2] + group[which]
        self._found.append((query, row, value + bound[query]))
        self._count += len(query)
        if self._count > CROWD * len(products):
            self._thin_out()

    def _thin_out(self) -> None:
        """Drop candidates that have fallen below the floor, and queries that have too many."""
        import torch

        query, row, most = (torch.cat(each) for each in zip(*self._found, strict=True))
        keep = most >= self._floor[query, -1]
        counts = torch.bincount(query[keep], minlength=len(self._queries))
        self._settled &= counts <= CROWD
        keep &= self._settled[query]
        self._found = [(query[keep], row[keep], most[keep])]
        self._count = int(keep.sum())

    def best(self, base: Rows) -> Best:
        """Compare what is left exactly."""
        self._thin_out()
        query, column, _ = (each.numpy() for each in self._found[0])
        exact = self._compare(base, query, column)
        order = np.lexsort((column, -exact, query))
        settled = self._settled.numpy()
        similarity = np.zeros((len(settled), self._k), np.float32)
        index = np.zeros((len(settled), self._k), np.int64)
        # The pairs of a query now follow each other, the best first; each has k or more.
        counts = np.bincount(query, minlength=len(settled))
        first = order[(np.cumsum(counts) - counts)[settled][:, None] + np.arange(self._k)]
        similarity[settled], index[settled] = exact[first], column[first]
        return Best(similarity, index, settled)

    def _compare(self, base: Rows, query: Integers, column: Integers) -> Floats:
        """Return the cosines of pairs, shape (p,)."""
        import torch

        cosine = torch.empty(len(query))
        asked = torch.from_numpy(self._queries)
        for start in range(0, len(query), PAIRS):
            some = slice(start, start + PAIRS)
            wide = torch.from_numpy(base.at(column[some])).float()
            length = torch.linalg.vector_norm(wide, dim=1)
            dot = torch.linalg.vecdot(asked[torch.from_numpy(query[some])], wide)
            cosine[some] = torch.where(length > 0, dot / length, 0.0)
        return cosine.numpy()


@contextmanager
def _single_threads() -> Iterator[ThreadPoolExecutor]:
    """Yield workers in which torch uses one thread: at small steps they would wait for others."""
    import torch

    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)


def _is_fast() -> bool:
    import torch

    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
