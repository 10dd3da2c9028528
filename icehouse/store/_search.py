"""Exact nearest neighbours by cosine similarity, in blocks of bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BLOCK_BYTES = 256 * 2**20
STRIDES = 32

FloatArray = npt.NDArray[np.floating[Any]]


def unit(vectors: FloatArray) -> npt.NDArray[np.float32]:
    """Return vectors scaled to length 1 as float32, shape (n, D); zero vectors stay zero."""
    wide = np.asarray(vectors, dtype=np.float32)
    length = np.linalg.norm(wide, axis=-1, keepdims=True)
    return np.divide(wide, length, out=np.zeros_like(wide), where=length > 0)


def nearest(
    queries: FloatArray,
    base: FloatArray,
    k: int,
    *,
    skip: npt.NDArray[np.int64] | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Find the k rows of ``base`` that are nearest to each query.

    Parameters
    ----------
    queries : array, shape (q, D)
    base : array, shape (n, D)
    k : int
        At most n rows (n - 1 where ``skip`` leaves one out) are returned.
    skip : array of int64, shape (q,), optional
        One row of ``base`` for each query that must not be its neighbour: itself. -1 for none.

    Returns
    -------
    similarity : array of float32, shape (q, k)
        Cosine similarity in [-1, 1], falling; higher is nearer.
    index : array of int64, shape (q, k)
        Rows of ``base``. Equal similarities come in the order of their rows.

    Examples
    --------
    >>> base = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> similarity, index = nearest(np.array([[2.0, 0.0]]), base, k=2)
    >>> index
    array([[0, 2]])
    >>> similarity.round(3)
    array([[1.   , 0.707]], dtype=float32)
    """
    found = min(k, len(base) - int(skip is not None and (skip >= 0).any()))
    similarity = np.empty((len(queries), max(found, 0)), np.float32)
    index = np.empty((len(queries), max(found, 0)), np.int64)
    if found <= 0:
        return similarity, index
    target = unit(base).T
    step = max(1, BLOCK_BYTES // (8 * len(base)))
    for start in range(0, len(queries), step):
        rows = slice(start, min(start + step, len(queries)))
        block = unit(queries[rows]) @ target
        if skip is not None:
            known = np.flatnonzero(skip[rows] >= 0)
            block[known, skip[rows][known]] = -np.inf
        top = _highest(block, found)
        _settle_ties(block, top)
        top.sort(axis=1)
        score = np.take_along_axis(block, top, axis=1)
        order = np.argsort(-score, axis=1, kind="stable")
        similarity[rows] = np.take_along_axis(score, order, axis=1)
        index[rows] = np.take_along_axis(top, order, axis=1)
    return np.clip(similarity, -1.0, 1.0, out=similarity), index


def _highest(block: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int64]:
    """Return the columns of the k highest values in each row, in no order.

    Columns a stride apart make a group. The k groups with the highest maxima hold the k highest
    values, but for ties: what is in no such group is at most what each of them has. So only the
    maxima of all groups are taken, at the speed of memory, and few values are partitioned.
    """
    columns = block.shape[1]
    if columns < 2 * STRIDES * k:
        return _partitioned(block, k)
    stride = columns // STRIDES
    maxima = block[:, : STRIDES * stride].reshape(-1, STRIDES, stride).max(axis=1)
    members = _partitioned(maxima, k)[:, None, :] + stride * np.arange(STRIDES)[:, None]
    rest = np.arange(STRIDES * stride, columns)
    rest = np.broadcast_to(rest, (len(block), len(rest)))
    candidates = np.concatenate([members.reshape(len(block), -1), rest], axis=1)
    chosen = _partitioned(np.take_along_axis(block, candidates, axis=1), k)
    return np.take_along_axis(candidates, chosen, axis=1)


def _partitioned(values: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int64]:
    columns = values.shape[1]
    return np.argpartition(values, columns - k, axis=1)[:, columns - k :]


def _settle_ties(block: npt.NDArray[np.float32], top: npt.NDArray[np.int64]) -> None:
    """Where the last place is shared by several rows, take the first of them."""
    found = top.shape[1]
    last = np.take_along_axis(block, top, axis=1).min(axis=1)
    for row in np.flatnonzero((block >= last[:, None]).sum(axis=1) > found):
        above = np.flatnonzero(block[row] > last[row])
        tied = np.flatnonzero(block[row] == last[row])
        top[row] = np.concatenate([above, tied[: found - len(above)]])
