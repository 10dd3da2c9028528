"""Exact nearest neighbours by cosine similarity, in blocks of bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.store._sketch import Floats, Integers, Rows, is_worth_it, sketched

BLOCK_BYTES = 256 * 2**20
BLOCK_ROWS = 65_536  # that are float32 at once

FloatArray = npt.NDArray[np.floating[Any]]


def unit(vectors: FloatArray) -> npt.NDArray[np.float32]:
    """Return vectors scaled to length 1 as float32, shape (n, D); zero vectors stay zero."""
    wide = np.asarray(vectors, dtype=np.float32)
    length = np.linalg.norm(wide, axis=-1, keepdims=True)
    return np.divide(wide, length, out=np.zeros_like(wide), where=length > 0)


def nearest(
    queries: FloatArray,
    base: FloatArray | Rows,
    k: int,
    *,
    skip: Integers | None = None,
    among: Integers | None = None,
) -> tuple[Floats, Integers]:
    """Find the k rows of ``base`` that are nearest to each query.

    Parameters
    ----------
    queries : array, shape (q, D)
    base : array, shape (n, D), or VectorRows
        It is read by blocks, and never held as float32 as a whole.
    k : int
        At most n rows (n - 1 where ``skip`` leaves one out) are returned.
    skip : array of int64, shape (q,), optional
        One row of ``base`` for each query that must not be its neighbour: itself. -1 for none.
    among : array of int64, shape (m,), optional
        Rows of ``base``, rising, that alone may be neighbours.

    Returns
    -------
    similarity : array of float32, shape (q, k)
        Cosine similarity in [-1, 1], falling; higher is nearer.
    index : array of int64, shape (q, k)
        Rows of ``base``. Equal similarities come in the order of their rows.

    Raises
    ------
    VectorError
        The search is a large one, and a row holds NaN or infinity.

    Examples
    --------
    >>> base = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> similarity, index = nearest(np.array([[2.0, 0.0]]), base, k=2)
    >>> index
    array([[0, 2]])
    >>> similarity.round(3)
    array([[1.   , 0.707]], dtype=float32)
    >>> nearest(np.array([[2.0, 0.0]]), base, k=1, among=np.array([1, 2]))[1]
    array([[2]])
    """
    rows: Rows = _Array(base) if isinstance(base, np.ndarray) else base
    if among is not None:
        rows = _Some(rows, among)
        skip = None if skip is None else _places(skip, among)
    found = max(0, min(k, len(rows) - int(skip is not None and (skip >= 0).any())))
    similarity = np.empty((len(queries), found), np.float32)
    index = np.empty((len(queries), found), np.int64)
    if not similarity.size:
        return similarity, index
    asked, left = unit(queries), np.arange(len(queries))
    if is_worth_it(len(asked), rows, found):
        best = sketched(asked, rows, found, skip)
        similarity[:], index[:] = best.similarity, best.index
        left = np.flatnonzero(~best.settled)
    if len(left):
        own = None if skip is None else skip[left]
        similarity[left], index[left] = _compared(asked[left], rows, found, own)
    if among is not None:
        index = among[index]
    return np.clip(similarity, -1.0, 1.0, out=similarity), index


@dataclass(frozen=True)
class _Array:
    """An array, as rows that are read by parts."""

    _vectors: FloatArray

    @property
    def dim(self) -> int:
        return self._vectors.shape[1]

    def __len__(self) -> int:
        return len(self._vectors)

    def block(self, start: int, stop: int) -> FloatArray:
        return np.ascontiguousarray(self._vectors[start:stop])

    def at(self, rows: Integers) -> FloatArray:
        return self._vectors[rows]


@dataclass(frozen=True)
class _Some:
    """Some of the rows of others."""

    _rows: Rows
    _among: Integers

    @property
    def dim(self) -> int:
        return self._rows.dim

    def __len__(self) -> int:
        return len(self._among)

    def block(self, start: int, stop: int) -> FloatArray:
        return self._rows.at(self._among[start:stop])

    def at(self, rows: Integers) -> FloatArray:
        return self._rows.at(self._among[rows])


def _places(skip: Integers, among: Integers) -> Integers:
    """Return where rows stand among others, which rise, or -1."""
    if not len(among):
        return np.full(len(skip), -1)
    slot = np.minimum(np.searchsorted(among, skip), len(among) - 1)
    return np.where(among[slot] == skip, slot, -1)


def _compared(
    asked: Floats, rows: Rows, found: int, skip: Integers | None
) -> tuple[Floats, Integers]:
    """Compare unit vectors with all rows, block by block.

    Sums are of float64 and rounded once: in float32 the last bit depends on where in memory the
    vectors happen to lie, and two equal rows would not always be equally near.
    """
    score = np.full((len(asked), found), -np.inf, np.float32)
    index = np.zeros((len(asked), found), np.int64)
    for first in range(0, len(rows), BLOCK_ROWS):
        target = rows.block(first, min(first + BLOCK_ROWS, len(rows))).astype(np.float64)
        length = np.sqrt(np.einsum("nd,nd->n", target, target))
        length[length == 0] = np.inf
        step = max(1, BLOCK_BYTES // (16 * len(target)))
        for start in range(0, len(asked), step):
            some = slice(start, start + step)
            block = (asked[some].astype(np.float64) @ target.T / length).astype(np.float32)
            if skip is not None:
                own = skip[some] - first
                known = np.flatnonzero((own >= 0) & (own < len(target)))
                block[known, own[known]] = -np.inf
            new, place = _highest(block, min(found, len(target)))
            if first:  # rows of earlier blocks come first among equals
                new = np.concatenate([score[some], new], axis=1)
                place = np.concatenate([index[some], place + first], axis=1)
                order = np.argsort(-new, axis=1, kind="stable")[:, :found]
                new = np.take_along_axis(new, order, axis=1)
                place = np.take_along_axis(place, order, axis=1)
            score[some, : new.shape[1]], index[some, : place.shape[1]] = new, place
    return score, index


def _highest(block: Floats, found: int) -> tuple[Floats, Integers]:
    """Return the largest of each row of cosines, falling, and where they are."""
    top = np.argpartition(block, block.shape[1] - found, axis=1)[:, block.shape[1] - found :]
    _settle_ties(block, top)
    top.sort(axis=1)
    score = np.take_along_axis(block, top, axis=1)
    order = np.argsort(-score, axis=1, kind="stable")
    return np.take_along_axis(score, order, axis=1), np.take_along_axis(top, order, axis=1)


def _settle_ties(block: npt.NDArray[np.float32], top: npt.NDArray[np.int64]) -> None:
    """Where the last place is shared by several rows, take the first of them."""
    found = top.shape[1]
    last = np.take_along_axis(block, top, axis=1).min(axis=1)
    for row in np.flatnonzero((block >= last[:, None]).sum(axis=1) > found):
        above = np.flatnonzero(block[row] > last[row])
        tied = np.flatnonzero(block[row] == last[row])
        top[row] = np.concatenate([above, tied[: found - len(above)]])
