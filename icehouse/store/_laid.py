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
    first, begins : arrays of int64, shape (m,)
        Of each run of rows that follow each other: its first row, rising, and where in ``data``
        that begins.
    rows : int
        How many there are.
    row_bytes : int
        Of one vector.
    mapped : bool
        ``data`` is a whole file that is mapped, and not in memory.
    """

    data: npt.NDArray[np.uint8]
    first: Offsets
    begins: Offsets
    rows: int
    row_bytes: int
    mapped: bool = False

    def __len__(self) -> int:
        return self.rows

    def take(self, rows: Offsets, out: npt.NDArray[np.uint8]) -> None:
        """Copy some rows, in any order, to ``out`` of shape (len(rows), row_bytes)."""
        every = np.lib.stride_tricks.sliding_window_view(self.data, self.row_bytes)
        out[:] = every[self._at(rows)]

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
        gaps = np.flatnonzero(np.diff(rows) != 1) + 1
        cuts = np.union1d(gaps, np.searchsorted(rows, self.first))
        cuts = np.concatenate([[0], cuts[(cuts > 0) & (cuts < len(rows))]])
        flat, ends = out.reshape(-1), [*cuts[1:].tolist(), len(rows)]
        at = self._at(rows[cuts])
        for begin, start, end in zip(at.tolist(), cuts.tolist(), ends, strict=True):
            yield begin, flat[start * self.row_bytes : end * self.row_bytes]

    def _at(self, rows: Offsets) -> Offsets:
        """Return where rows begin in ``data``."""
        run = np.searchsorted(self.first, rows, side="right") - 1
        found: Offsets = self.begins[run] + (rows - self.first[run]) * self.row_bytes
        return found

    def all_as(self, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return all of them as values of a type, shape (n,)."""
        out = np.empty((len(self), self.row_bytes), np.uint8)
        self.copy(np.arange(len(self)), out)
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
    rows = count // length
    return Laid(data, np.cumsum(rows) - rows, start, int(rows.sum()), length * width)


def in_memory(vectors: npt.NDArray[Any]) -> Laid:
    """Return the rows of an array, shape (n, D)."""
    size, none = vectors.shape[1] * vectors.itemsize, np.zeros(1, np.int64)
    return Laid(vectors.reshape(-1).view(np.uint8), none, none, len(vectors), size)
