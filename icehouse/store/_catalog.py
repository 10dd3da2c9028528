"""The catalog: one row for every input ever seen, as append-only Parquet shards.

A later row for the same key replaces the earlier one. A key that vanished from its source
gets a last row with ``gone`` set. Of the rows in force, each names an image or carries a
typed error, never both: ``n_inputs = n_images + n_errors``.

A compacted shard holds the rows in force of many, whose names are in its footer: where it is,
they count no more. It has the number of the last of them and an underscore, so that shards
which it does not name come after it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from icehouse.errors import LookupFailed, StoreCorrupt
from icehouse.store._files import Files, read_listed
from icehouse.store._ids import ID_TYPE
from icehouse.store._shard import DAMAGE, REMEDY, bare

SHARD = re.compile(r"\d{8}[-_][0-9a-f]{12}\.parquet")
REPLACES = b"icehouse.replaces"
AT_ONCE = 4096
SCHEMA = pa.schema(
    [
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("image_id", ID_TYPE),
        pa.field("error", pa.string()),
        pa.field("error_detail", pa.string()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("format", pa.string()),
        pa.field("bytes", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        pa.field("labels", pa.list_(pa.string())),
        pa.field("split", pa.string()),
        pa.field("extra", pa.string()),
        pa.field("source", pa.string()),
        pa.field("gone", pa.bool_(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """One input of a dataset.

    Attributes
    ----------
    key : str
        Path or name inside its source.
    image_id : bytes or None
        SHA-256 of the file, 32 bytes; None where there is an error.
    error, error_detail : str or None
        Kind (a value of :class:`icehouse.errors.ImageErrorKind`) and what was found.
    width, height : int or None
        Pixels, as stored in the file (before its orientation is applied).
    format : str or None
    bytes, mtime_ns : int or None
        Size and time of change of the file that was read.
    labels : tuple of str or None
        What the source says the image shows: one label, any number of them, or nothing.
    split : str or None
    extra : str or None
        Further columns of a manifest, as a JSON object.
    source : str or None
        Where the key is to be found: the folder, or the manifest.
    gone : bool
        The source no longer has this key.
    """

    key: str
    image_id: bytes | None = None
    error: str | None = None
    error_detail: str | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    bytes: int | None = None
    mtime_ns: int | None = None
    labels: tuple[str, ...] | None = None
    split: str | None = None
    extra: str | None = None
    source: str | None = None
    gone: bool = False

    @classmethod
    def from_table(cls, table: pa.Table) -> list[CatalogRow]:
        """Rebuild the rows of a table that has all columns."""
        columns = {name: table[name].to_pylist() for name in cls.__slots__}
        columns["labels"] = [None if each is None else tuple(each) for each in columns["labels"]]
        return [cls(*values) for values in zip(*columns.values(), strict=True)]

    @classmethod
    def to_table(cls, rows: Iterable[CatalogRow], dataset: str) -> pa.Table:
        """Return rows of a dataset as a table that has all columns."""
        records = (
            {name: getattr(row, name) for name in cls.__slots__} | {"dataset": dataset}
            for row in rows
        )
        tables = [SCHEMA.empty_table()]
        while some := list(islice(records, AT_ONCE)):  # ten times the memory of a table
            tables.append(pa.Table.from_pylist(some, SCHEMA))
        return pa.concat_tables(tables)


class Catalog:
    """The catalogs of all datasets of a store.

    Parameters
    ----------
    files : Files
    """

    def __init__(self, files: Files) -> None:
        self._files = files

    def datasets(self) -> list[str]:
        """Return the names of the datasets, sorted."""
        return [name for name in self._files.folders("catalog") if self.shards(name)]

    def shards(self, dataset: str) -> list[str]:
        """Return the committed shards of a dataset, sorted, as names relative to the store."""
        names = self._files.names(f"catalog/{dataset}", ".parquet")
        return [name for name in names if SHARD.fullmatch(bare(name))]

    def append(self, dataset: str, rows: Iterable[CatalogRow]) -> None:
        """Commit rows of one dataset as one shard; no rows, no shard."""
        table = CatalogRow.to_table(rows, dataset)
        if not len(table):
            return
        shards = self.shards(dataset)
        number = 1 + number_of(shards[-1]) if shards else 0
        self._commit(f"catalog/{dataset}/{number:08d}-", table)

    def rows(self, dataset: str, columns: list[str] | None = None) -> pa.Table:
        """Return the rows in force of one dataset.

        Parameters
        ----------
        dataset : str
        columns : list of str, optional
            Which columns; all when None.

        Returns
        -------
        pyarrow.Table
            One row a key, in the order in which the keys were last written.

        Raises
        ------
        LookupFailed
            No such dataset.
        """
        wanted = list(columns or SCHEMA.names)
        needed = list(dict.fromkeys([*wanted, "key", "gone"]))
        return in_force(self.history(dataset, needed)).select(wanted)

    def history(self, dataset: str, columns: list[str]) -> pa.Table:
        """Return all rows that are stored of one dataset, those no longer in force too.

        Raises
        ------
        LookupFailed
            No such dataset.
        """

        def read(names: list[str]) -> pa.Table:
            if not names:
                have = ", ".join(self.datasets()) or "none"
                raise LookupFailed(f"the store has no dataset {dataset!r}; it has: {have}")
            return pa.concat_tables(self._read(names, columns))

        return read_listed(lambda: self.shards(dataset), read)

    def rows_of(self, names: list[str]) -> pa.Table:
        """Return all rows of some shards of a dataset, in their order."""
        return pa.concat_tables(self._read(names, SCHEMA.names))

    def replace(self, names: list[str], table: pa.Table) -> str:
        """Commit rows that take the place of those of some shards of a dataset, if not their files.

        Parameters
        ----------
        names : list of str
            Shards, sorted.
        table : pyarrow.Table
            With all columns: the rows of those shards that are in force.

        Returns
        -------
        str
            The new shard's name.
        """
        folder, number = names[-1].rpartition("/")[0], number_of(names[-1])
        replaced = json.dumps([bare(name) for name in names])
        table = table.cast(SCHEMA.with_metadata({REPLACES: replaced}))
        return self._commit(f"{folder}/{number:08d}_", table)

    def everything(self, columns: list[str]) -> pa.Table:
        """Return the rows in force of all datasets (an empty table for an empty store)."""
        tables = []
        for dataset in self.datasets():
            with suppress(LookupFailed):  # its last row was forgotten meanwhile
                tables.append(self.rows(dataset, columns))
        empty = pa.schema([SCHEMA.field(name) for name in columns]).empty_table()
        return pa.concat_tables([empty, *tables])

    def _commit(self, beginning: str, table: pa.Table) -> str:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        data = memoryview(sink.getvalue())
        name = f"{beginning}{tag_of(data)}.parquet"
        self._files.commit(name, data)
        return name

    def _read(self, names: list[str], columns: list[str]) -> list[pa.Table]:
        """Read shards, but for those that another one replaces, in the order of their rows."""

        def replaced(name: str) -> list[str]:
            with _opened(self._files, name) as shard:
                metadata = shard.schema_arrow.metadata or {}
                return [each for each in json.loads(metadata[REPLACES]) if each != bare(name)]

        def read(name: str) -> pa.Table:
            with _opened(self._files, name) as shard:
                return shard.read(columns).select(columns).replace_schema_metadata()

        compacted = [name for name in names if is_compacted(name)]
        dropped = {each for some in self._files.each(compacted, replaced) for each in some}
        ordered = sorted(names, key=lambda name: (not is_compacted(name), name))
        return list(self._files.each([n for n in ordered if bare(n) not in dropped], read))


@contextmanager
def _opened(files: Files, name: str) -> Iterator[pq.ParquetFile]:
    """Open a shard; FileNotFoundError where it is gone, StoreCorrupt where it is damaged."""
    try:
        with pq.ParquetFile(files.open(name)) as shard:
            yield shard
    except FileNotFoundError:
        raise
    except DAMAGE as error:
        raise StoreCorrupt(f"catalog shard {name} is damaged: {error}. {REMEDY}") from error


def in_force(history: pa.Table) -> pa.Table:
    """Return the last row of each key, but for keys that are gone."""
    codes = history["key"].combine_chunks().dictionary_encode()
    latest = np.full(len(codes.dictionary), -1)
    latest[codes.indices.to_numpy()] = np.arange(len(history))  # the last one stays
    stays = np.zeros(len(history), np.bool_)
    stays[latest] = True
    return history.filter(pa.array(stays & ~history["gone"].to_numpy()))


def is_compacted(name: str) -> bool:
    """Whether a shard is a compacted one, by its name."""
    return bare(name)[8] == "_"


def number_of(name: str) -> int:
    """Return the number at the beginning of a shard's name."""
    return int(bare(name)[:8])


def tag_of(data: bytes | memoryview) -> str:
    """Return what the name of a shard ends with, by its bytes."""
    return hashlib.sha256(data).hexdigest()[:12]
