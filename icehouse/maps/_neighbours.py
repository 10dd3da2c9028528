"""The nearest neighbours of many images, by blocks, of which it is known how far it has come."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from icehouse.store import VectorRows, nearest

BLOCK = 8192
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]


def neighbours_of(
    rows: VectorRows, wanted: Integers, base: Integers, k: int, progress: Progress | None = None
) -> tuple[Floats, Integers]:
    """Find the k images of ``base`` that are nearest to each image that is wanted, but itself.

    Parameters
    ----------
    rows : VectorRows
    wanted, base : array of int64, shapes (m,) and (b,)
        Rows; ``base`` rises.
    k : int
        Less than b.
    progress : callable, optional
        Called with the images done and their number.

    Returns
    -------
    distance : array of float32, shape (m, k)
        1 - cosine, rising.
    place : array of int64, shape (m, k)
        Places in ``base``.
    """
    distance = np.empty((len(wanted), k), np.float32)
    place = np.empty((len(wanted), k), np.int64)
    for start in range(0, len(wanted), BLOCK):
        some = slice(start, start + BLOCK)
        own = wanted[some]
        cosine, found = nearest(rows.at(own), rows, k, skip=own, among=base)
        distance[some] = np.maximum(1 - cosine, 0)
        place[some] = np.searchsorted(base, found)
        if progress:
            progress(min(start + BLOCK, len(wanted)), len(wanted))
    return distance, place
