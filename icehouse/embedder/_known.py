"""What the catalog knows of a dataset, to be compared with what a source lists.

Rows are objects only while they are looked at: a hundred thousand of them take eighty megabytes,
and as a table twelve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat

import pyarrow as pa
import pyarrow.compute as pc

from icehouse.store import CatalogRow, Store

AT_ONCE = 4096


class Known:
    """The rows in force of one dataset.

    Parameters
    ----------
    table : pyarrow.Table
        With all columns of the catalog, no key twice.
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table
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
