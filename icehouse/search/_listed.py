"""The indexes that a store has, and how far they are behind it."""

from __future__ import annotations

from dataclasses import dataclass

from icehouse.errors import StoreCorrupt
from icehouse.search._index import open_index
from icehouse.search._kinds import FLAT
from icehouse.store import IndexCard, IndexFiles, Store


@dataclass(frozen=True)
class IndexState:
    """The index of an encoder.

    Attributes
    ----------
    encoder_id : str
    card : IndexCard or None
        None where it is damaged.
    vectors, lacks, gone : int
        Vectors that the store has; of these, that the index does not have; and rows of the index
        that the store does not have. Exact search, "flat", lacks nothing.
    notes : tuple of str
        Why it is not used.
    """

    encoder_id: str
    card: IndexCard | None
    vectors: int
    lacks: int
    gone: int
    notes: tuple[str, ...]


def list_indexes(store: Store) -> list[IndexState]:
    """Return the indexes of all encoders."""
    found = []
    for encoder_id in store.files.folders("indexes"):
        try:
            card = IndexFiles(store.files, encoder_id).card()
        except StoreCorrupt as error:
            found.append(IndexState(encoder_id, None, 0, 0, 0, (str(error),)))
            continue
        if card is None:
            continue
        rows = store.features(encoder_id).rows()
        if card.kind == FLAT:
            found.append(IndexState(encoder_id, card, len(rows), 0, 0, ()))
            continue
        index, notes = open_index(store, rows)
        lacks = len(rows) if index is None else int((~index.covered).sum())
        gone = 0 if index is None else index.gone
        found.append(IndexState(encoder_id, card, len(rows), lacks, gone, tuple(notes)))
    return found


def drop_index(store: Store, encoder_id: str) -> list[str]:
    """Remove the index of an encoder, damaged or not, and return the names of its files."""
    return IndexFiles(store.files, encoder_id).drop()
