"""Rows of one length as they lie in a piece of memory, such as a file that is mapped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

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
    mapped : bool
        ``data`` is a whole file that is mapped, and not in memory.
    """

    data: npt.NDArray[np.uint8]
    offsets: Offsets
    row_bytes: int
    mapped: bool = False

    def take(self, rows: Offsets, out: npt.NDArray[np.uint8]) -> None:
        """Copy some rows, in any order, to ``out`` of shape (len(rows), row_bytes)."""
        every = np.lib.stride_tricks.sliding_window_view(self.data, self.row_bytes)
        out[:] = every[self.offsets[rows]]

    def copy(self, rows: Offsets, out: npt.NDArray[np.uint8]) -> None:
        """Copy rising rows, most of which follow each other, to ``out``."""
        for at, part in self._runs(rows, out):
            part[:] = self.data[at : at + len(part)]

    def read(self, file: pa.NativeFile, rows: Offsets, out: npt.NDArray[np.uint8]) -> None:
        """Do what :meth:`copy` does from the file that is mapped, or raise EOFError.

        Of much it is faster: the first touch of each mapped page costs more than its copy.
        """
        for at, part in self._runs(rows, out):
            file.seek(at)
            if file.readinto(part) < len(part):
                raise EOFError(f"the file ends before byte {at + len(part):,}")

    def _runs(
        self, rows: Offsets, out: npt.NDArray[np.uint8]
    ) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
        """Yield where rows that follow each other begin, and the part of ``out`` for them."""
        if not len(rows):  # all images of a shard were forgotten
            return
        starts = self.offsets[rows]
        ends = np.flatnonzero(np.diff(starts) != self.row_bytes) + 1
        flat = out.reshape(-1)
        for first, last in zip([0, *ends.tolist()], [*ends.tolist(), len(rows)], strict=True):
            yield int(starts[first]), flat[first * self.row_bytes : last * self.row_bytes]

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
    offsets += np.arange(0, len(offsets) * size, size)
    return Laid(data, offsets, size)


def in_memory(vectors: npt.NDArray[Any]) -> Laid:
    """Return the rows of an array, shape (n, D)."""
    size = vectors.shape[1] * vectors.itemsize
    return Laid(vectors.reshape(-1).view(np.uint8), np.arange(len(vectors)) * size, size)
