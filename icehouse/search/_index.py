"""An index that is open: which rows of the store it covers, and the candidates that it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from icehouse.errors import MissingExtra, StoreCorrupt
from icehouse.search import _faiss
from icehouse.search._kinds import CANDIDATES, FLAT, KINDS
from icehouse.store import IndexCard, IndexFiles, Store, VectorRows

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

MEASURED_AT = 10  # neighbours that the number of candidates was chosen for


class Index(Protocol):
    """An index that is open, whatever keeps it."""

    @property
    def covered(self) -> Mask:
        """Rows of the store that it can name, bool of shape (n,)."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What has happened to it since it was opened, for people."""

    @property
    def remedy(self) -> str:
        """The command that adds the rows that are not covered."""

    def candidates(self, queries: Floats, k: int, among: Mask | None) -> Integers:
        """Return rows of the store, shape (q, c), that may be the nearest; -1 for none.

        Parameters
        ----------
        queries : array of float32, shape (q, D)
            Unit vectors.
        k : int
            How many are wanted in the end.
        among : array of bool, shape (n,), optional
            Rows of the store that alone may be named.
        """


@dataclass(frozen=True)
class FaissIndex:
    """An index of FAISS, and what it has to do with the rows of a store as they are now.

    Attributes
    ----------
    card : IndexCard
    covered : array of bool, shape (n,)
        Rows of the store that it can name.
    """

    card: IndexCard
    covered: Mask
    _faiss: Any
    _row: Integers  # of the store, for each row of the index; -1 for those that are gone
    notes: tuple[str, ...] = ()
    remedy: str = "icehouse index extend"

    @property
    def gone(self) -> int:
        """How many of its rows the store has no more."""
        return int((self._row < 0).sum())

    def candidates(self, queries: Floats, k: int, among: Mask | None) -> Integers:
        """See :meth:`Index.candidates`."""
        allowed = self._row >= 0
        if among is not None:
            allowed &= among[self._row]
        times = max(k, MEASURED_AT) / MEASURED_AT
        share = allowed.mean()
        parameters = KINDS[self.card.kind].widened(self.card.parameters, times / share)
        count = int(np.ceil(parameters[CANDIDATES] * times))
        only = None if share == 1 else allowed
        found = _faiss.candidates(self._faiss, queries, count, parameters, only)
        return np.where(found < 0, -1, self._row[np.maximum(found, 0)])


def open_index(store: Store, rows: VectorRows) -> tuple[FaissIndex | None, list[str]]:
    """Open an encoder's index of FAISS, if there is one that can be used; and what to say of it.

    Whatever is wrong with it is only said: exact search is slower, and right.
    """
    files = IndexFiles(store.files, rows.encoder_id)
    card: IndexCard | None = None
    try:
        while True:
            before, card = card, files.card()
            if card is None or card.kind == FLAT:
                return None, []
            try:
                return _opened(files, card, rows), []
            except StoreCorrupt:
                if card == before:
                    raise  # else another one may have taken its place meanwhile
    except (StoreCorrupt, MissingExtra, RuntimeError) as error:
        return None, [f"the index is not used, and search is exact and slower: {error}"]


def _opened(files: IndexFiles, card: IndexCard, rows: VectorRows) -> FaissIndex:
    if card.dim != rows.dim:
        raise StoreCorrupt(f"the index has dimension {card.dim}, the vectors {rows.dim}")
    indexed = files.indexed(card)
    index = _faiss.mapped(files.path(card))
    if (index.ntotal, index.d) != (card.rows, card.dim):
        raise StoreCorrupt(f"the index has {index.ntotal} rows, and not {card.rows}")
    place = indexed.rows_of(card.shards, rows)
    covered = place >= 0
    row = np.full(card.rows, -1)
    row[place[covered]] = np.flatnonzero(covered)
    return FaissIndex(card, covered, index, row)
