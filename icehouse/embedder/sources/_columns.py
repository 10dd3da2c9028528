"""Files below a folder, listed as columns.

As objects a hundred thousand entries take thirty megabytes; as columns they take four, and a
program that lists many more than it reads at a time needs no more than these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from icehouse.embedder.sources._listing import Entry, Layout
from icehouse.embedder.sources._origins import LocalFile

AT_ONCE = 4096


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


def part(entries: Sequence[Entry], numbers: Sequence[int]) -> Sequence[Entry]:
    """Return the entries at some places, which rise."""
    if len(numbers) == len(entries):
        return entries
    if isinstance(entries, Files):
        return entries.take(numbers)
    return [entries[number] for number in numbers]
