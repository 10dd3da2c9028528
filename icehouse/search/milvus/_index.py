"""A collection of Milvus as an index: which rows of the store it covers, and what it names."""

from __future__ import annotations

import weakref

import numpy as np
import numpy.typing as npt

from icehouse.errors import MilvusError, MissingExtra, UsageError
from icehouse.search.milvus import _stamps
from icehouse.search.milvus._address import Address
from icehouse.search.milvus._client import Client
from icehouse.search.milvus._collection import MOST, Collection
from icehouse.store import VectorRows

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

WIDTH = 2  # candidates for each neighbour that is wanted
AT_LEAST = 10  # neighbours
AT_ONCE = 1024  # candidates of all queries of one question


class MilvusIndex:
    """A collection, and what it has to do with the rows of a store as they are now.

    A question that it does not answer in time is the last one: from then on it names nothing, so
    search is exact, and a note says why.

    Attributes
    ----------
    covered : array of bool, shape (n,)
        Rows of the store that it can name.
    remedy : str
        What adds the others.
    """

    def __init__(self, collection: Collection, rows: VectorRows, where: str) -> None:
        stamps = _stamps.read(collection, collection.answer)
        self._held = collection.count(collection.answer)
        if self._held < _stamps.rows_of(stamps):
            raise MilvusError(
                f"the collection {collection.name} has {self._held:,} rows, and not "
                f"{_stamps.rows_of(stamps):,} as were pushed. Push again: icehouse index push"
            )
        self.covered = _stamps.covered(rows, stamps)
        self.remedy = f"icehouse index push --index {where}"
        self._collection, self._rows = collection, rows
        self._trouble: tuple[str, ...] = ()
        weakref.finalize(self, collection.close)

    @property
    def notes(self) -> tuple[str, ...]:
        """Why it is used no more."""
        return self._trouble

    def candidates(self, queries: Floats, k: int, among: Mask | None) -> Integers:
        """Return rows of the store, shape (q, c), that may be the nearest; -1 for none.

        Milvus knows nothing of filters: labels and splits change where it does not see it. It is
        asked for so many more that enough of them pass; who gets too few is answered exactly.
        """
        allowed = self.covered if among is None else self.covered & among
        share = allowed.sum() / max(self._held, 1)
        count = int(min(np.ceil(WIDTH * max(k, AT_LEAST) / share), self._held, MOST))
        named = np.full((len(queries), count), -1)
        if self._trouble or count < k:
            return named
        step = max(AT_ONCE // count, 1)
        for start in range(0, len(queries), step):
            try:
                found = self._collection.nearest(queries[start : start + step], count)
            except MilvusError as error:
                self._trouble = (unused(error),)
                break
            for row, ids in enumerate(found, start):
                named[row, : len(ids)] = self._rows.find(ids)
        named[~allowed[named]] = -1
        return named


def open_milvus(where: str, rows: VectorRows) -> tuple[MilvusIndex | None, list[str]]:
    """Open what Milvus holds of an encoder's vectors; or say why search has to be exact.

    Raises
    ------
    UsageError
        It is no address of Milvus.
    MissingExtra
        pymilvus or milvus-lite is not installed.
    """
    address = Address.of(where)
    if address.file is not None and not address.file.exists():
        return None, [unused(f"there is no {address}. Make it with: icehouse index push")]
    collection: Collection | None = None
    try:
        collection = Collection(Client(address), rows.encoder_id, rows.dim)
        if not collection.exists():
            raise MilvusError(
                f"Milvus at {address} has no collection {collection.name}. Make it with: "
                "icehouse index push"
            )
        collection.load(collection.answer)
        return MilvusIndex(collection, rows, where), []
    except (MilvusError, UsageError) as error:
        if isinstance(error, MissingExtra):
            raise
        if collection is not None:
            collection.close()
        return None, [unused(error)]


def unused(why: object) -> str:
    """Return the note that an index is not used."""
    return f"the index is not used, and search is exact and slower: {why}"
