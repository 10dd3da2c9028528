"""What the catalog knows of a dataset, to be compared with what a source lists.

Rows are objects only while they are looked at: a hundred thousand of them take eighty megabytes,
and as a table twelve.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from itertools import repeat

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from icehouse.store import CatalogRow, Store

AT_ONCE = 4096
SAME = ("bytes", "mtime_ns", "split", "extra")


class Known:
    """The rows in force of one dataset.

    Parameters
    ----------
    table : pyarrow.Table
        With all columns of the catalog, no key twice.
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table.combine_chunks()
        self._keys = table["key"].combine_chunks()

    @classmethod
    def of(cls, store: Store, dataset: str) -> Known:
        """Return what a store knows of a dataset: nothing of a new one."""
        if dataset not in store.catalog.datasets():
            return cls(CatalogRow.to_table([], dataset))
        return cls(store.catalog.rows(dataset))

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def sources(self) -> set[str | None]:
        """Where its keys came from."""
        return set(self._table["source"].unique().to_pylist())

    def has_any(self, keys: pa.StringArray) -> bool:
        """Whether it has one of these keys."""
        return bool(len(self) and pc.any(pc.is_in(keys, self._keys)).as_py())

    def unchanged(
        self, said: pa.Table, source: str, held: Container[bytes]
    ) -> npt.NDArray[np.bool_]:
        """Tell the inputs of which nothing changed, and whose image is held.

        Parameters
        ----------
        said : pyarrow.Table
            From :func:`columns_of`.
        source : str
            That says it.
        held : collection of bytes

        Returns
        -------
        array of bool, shape (n,)
        """
        if not len(self):
            return np.zeros(len(said), np.bool_)
        places = pc.index_in(said["key"], self._keys)
        before = self._table.select([*SAME, "labels", "source", "image_id"]).take(places)
        there = pc.and_not(pc.equal(before["source"], source), said["wrong"])
        same = _true(pc.and_(there, pc.is_valid(said["mtime_ns"])))
        for name in SAME:
            unsaid = pc.is_null(said[name])
            both = unsaid if name == "bytes" else pc.and_(unsaid, pc.is_null(before[name]))
            same &= _true(pc.or_(both, pc.fill_null(pc.equal(said[name], before[name]), False)))
        same &= _same_lists(said["labels"], before["labels"])
        for start in range(0, len(same), AT_ONCE):
            images = before["image_id"].slice(start, AT_ONCE).to_pylist()
            same[start : start + AT_ONCE] &= [image in held for image in images]
        return same

    def rows(self, keys: pa.StringArray) -> Iterator[CatalogRow | None]:
        """Yield the row of each key, None where there is none."""
        if not len(self):
            return repeat(None, len(keys))
        places = pc.index_in(keys, self._keys)
        known = places.is_valid().to_numpy(zero_copy_only=False)
        return (row if there else None for row, there in zip(self._at(places), known, strict=True))

    def others(
        self, keys: pa.StringArray, leave_out: Callable[[str], bool]
    ) -> Iterator[CatalogRow]:
        """Yield the rows of all keys but these, and but those that are to be left out."""
        places = pc.indices_nonzero(pc.invert(pc.is_in(self._keys, keys)))
        left = [not leave_out(key) for key in self._keys.take(places).to_pylist()]
        return self._at(places.filter(pa.array(left, pa.bool_())))

    def _at(self, places: pa.Array) -> Iterator[CatalogRow]:
        for start in range(0, len(places), AT_ONCE):
            yield from CatalogRow.from_table(self._table.take(places.slice(start, AT_ONCE)))


def _true(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return pc.fill_null(column, False).to_numpy()


def _same_lists(one: pa.ChunkedArray, other: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    lengths = [pc.fill_null(pc.list_value_length(each), -1).to_numpy() for each in (one, other)]
    same = lengths[0] == lengths[1]
    one, other = (each.filter(pa.array(same)).combine_chunks() for each in (one, other))
    unlike = pc.not_equal(one.flatten(), other.flatten())
    same[np.flatnonzero(same)[pc.list_parent_indices(one).filter(unlike).to_numpy()]] = False
    return same
