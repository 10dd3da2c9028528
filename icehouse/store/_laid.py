"""Rows of one length as they lie in a piece of memory, such as a file that is mapped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.store._pages import Offsets, page_values


@dataclass(frozen=True)
class Laid:
    """Vectors as they lie in one piece of memory.

    Attributes
    ----------
    data : array of uint8, shape (n_bytes,)
    offsets : array of int64, shape (n,)
        Where each vector begins in ``data``.
    row_bytes : int
        Of one vector.
    """

    data: npt.NDArray[np.uint8]
    offsets: Offsets
    row_bytes: int

    def take(self, rows: Offsets, out: npt.NDArray[np.uint8]) -> None:
        """Copy some rows, in any order, to ``out`` of shape (len(rows), row_bytes)."""
        every = np.lib.stride_tricks.sliding_window_view(self.data, self.row_bytes)
        out[:] = every[self.offsets[rows]]

    def copy(self, rows: Offsets, out: npt.NDArray[np.uint8]) -> None:
        """Copy rising rows, most of which follow each other, to ``out``."""
        if not len(rows):  # all images of a shard were forgotten
            return
        starts = self.offsets[rows]
        ends = np.flatnonzero(np.diff(starts) != self.row_bytes) + 1
        flat = out.reshape(-1)
        for first, last in zip([0, *ends.tolist()], [*ends.tolist(), len(rows)], strict=True):
            size, at = (last - first) * self.row_bytes, int(starts[first])
            flat[first * self.row_bytes :][:size] = self.data[at : at + size]

    def all_as(self, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return all of them as values of a type, shape (n,)."""
        out = np.empty((len(self.offsets), self.row_bytes), np.uint8)
        self.copy(np.arange(len(self.offsets)), out)
        return out.view(dtype).reshape(-1)


def laid_out(
    data: npt.NDArray[np.uint8], footer: Any, column: int, length: int, width: int
) -> Laid | None:
    """Find a column's rows, each of so many values, in a file; None where they are not plain."""
    starts, counts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for group in map(footer.row_group, range(footer.num_row_groups)):
        found = page_values(data.data, group.column(column), width)
        if found is None or group.column(column).num_values != group.num_rows * length:
            return None
        starts.append(found[0])
        counts.append(found[1])
    start, count = np.concatenate(starts), np.concatenate(counts)
    if (count % length).any():  # a row begins in one page and ends in another
        return None
    size, rows = length * width, count // length
    before = np.cumsum(rows) - rows
    offsets = np.repeat(start - before * size, rows)
    offsets += np.arange(len(offsets)) * size
    return Laid(data, offsets, size)


def in_memory(vectors: npt.NDArray[Any]) -> Laid:
    """Return the rows of an array, shape (n, D)."""
    size = vectors.shape[1] * vectors.itemsize
    return Laid(vectors.reshape(-1).view(np.uint8), np.arange(len(vectors)) * size, size)
