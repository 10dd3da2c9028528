"""Files below a folder, listed as columns.

As objects a hundred thousand entries take thirty megabytes; as columns they take four, and a
program that lists many more than it reads at a time needs no more than these.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from icehouse.embedder.sources._listing import Entry, Layout
from icehouse.embedder.sources._origins import LocalFile

AT_ONCE = 4096
SAID = pa.schema(
    [
        pa.field("key", pa.string()),
        pa.field("bytes", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        pa.field("labels", pa.list_(pa.string())),
        pa.field("split", pa.string()),
        pa.field("extra", pa.string()),
    ]
)
Said = tuple[tuple[str, ...] | None, str | None]


@dataclass(frozen=True, eq=False)
class Files(Sequence[Entry]):
    """Entries of the files below a folder, made one by one when they are asked for.

    Attributes
    ----------
    folder : str
    layout : Layout
    keys : pyarrow.StringArray
    sizes, stamps : array of int64, shape (n,)
        Bytes, and nanoseconds.
    odd : mapping of str to Entry
        By key, those of which columns cannot say all: something is wrong with them, or their
        names are not their keys.
    """

    folder: str
    layout: Layout
    keys: pa.StringArray
    sizes: npt.NDArray[np.int64]
    stamps: npt.NDArray[np.int64]
    odd: Mapping[str, Entry]

    def take(self, numbers: Sequence[int] | npt.NDArray[np.integer]) -> Files:
        """Return those at some places, in this order."""
        where = np.asarray(numbers, np.int64)
        return replace(
            self,
            keys=self.keys.take(pa.array(where)),
            sizes=self.sizes[where],
            stamps=self.stamps[where],
        )

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Files: ...
    def __getitem__(self, index: int | slice) -> Entry | Files:
        if isinstance(index, slice):
            return self.take(range(len(self))[index])
        return self._entry(
            self.keys[index].as_py(), int(self.sizes[index]), int(self.stamps[index])
        )

    def __iter__(self) -> Iterator[Entry]:
        for start in range(0, len(self), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            sizes, stamps = self.sizes[some].tolist(), self.stamps[some].tolist()
            yield from map(self._entry, self.keys[some].to_pylist(), sizes, stamps)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def columns(self) -> pa.Table:
        """Return what is said of them; see :func:`columns_of`."""
        codes, said = self._said
        labels = pa.array([labels for labels, _ in said], pa.list_(pa.string()))
        wrong = [key for key, entry in self.odd.items() if entry.error is not None]
        return pa.table(
            {
                "key": self.keys,
                "bytes": self.sizes,
                "mtime_ns": self.stamps,
                "labels": labels.take(codes),
                "split": pa.array([split for _, split in said], pa.string()).take(codes),
                "extra": pa.nulls(len(self), pa.string()),
                "wrong": pc.is_in(self.keys, pa.array(wrong, pa.string())),
            }
        )

    def classes(self) -> set[str]:
        """Return all labels that occur."""
        return {label for labels, _ in self._said[1] for label in labels or ()}

    @cached_property
    def _said(self) -> tuple[pa.Array, list[Said]]:
        """Labels and split of each folder, and the number of the folder of each file."""
        numbers: dict[str, int] = {}
        codes = array("i")
        for key in self.keys.to_pylist():
            place = key if key in self.odd else key[: key.rfind("/") + 1]
            codes.append(numbers.setdefault(place, len(numbers)))
        said = [
            (self.odd[place].labels, self.odd[place].split)
            if place in self.odd
            else self.layout.read(place.split("/"))
            for place in numbers
        ]
        return pa.array(np.array(codes)), said

    def _entry(self, key: str, size: int, stamp: int) -> Entry:
        if key in self.odd:
            return self.odd[key]
        labels, split = self.layout.read(key.split("/"))
        return Entry(key, LocalFile(key, self.folder), size, stamp, labels, split)


def keys_of(entries: Sequence[Entry]) -> pa.StringArray:
    """Return the keys of entries as a column."""
    if isinstance(entries, Files):
        return entries.keys
    return pa.array([entry.key for entry in entries], pa.string())


def columns_of(entries: Sequence[Entry]) -> pa.Table:
    """Return what entries say, as columns with the names and types that the catalog has.

    Returns
    -------
    pyarrow.Table
        key, bytes, mtime_ns, labels, split, extra; and wrong, whether they have an error.
    """
    if isinstance(entries, Files):
        return entries.columns()
    columns = {field.name: [getattr(e, field.name) for e in entries] for field in SAID}
    wrong = pa.array([entry.error is not None for entry in entries], pa.bool_())
    return pa.table(columns, SAID).append_column("wrong", wrong)


def classes_of(entries: Sequence[Entry]) -> set[str]:
    """Return all labels that entries have."""
    if isinstance(entries, Files):
        return entries.classes()
    return {label for entry in entries for label in entry.labels or ()}


def part(entries: Sequence[Entry], numbers: Sequence[int]) -> Sequence[Entry]:
    """Return the entries at some places, which rise."""
    if len(numbers) == len(entries):
        return entries
    if isinstance(entries, Files):
        return entries.take(numbers)
    return [entries[number] for number in numbers]
