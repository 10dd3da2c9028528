"""Adding to an index what has come since, and to know again what has only moved."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from icehouse.errors import LookupFailed
from icehouse.search import _faiss
from icehouse.search._build import described
from icehouse.search._kinds import FLAT
from icehouse.store import IndexCard, IndexedRows, IndexFiles, Store, positions


def extend_index(store: Store, encoder_id: str) -> tuple[IndexCard, int]:
    """Add the vectors that an index lacks, and return what it is now, and how many came.

    Vectors whose shards were compacted are known again, and not added twice. Those that the store
    has no more stay in the index, unseen, until it is built anew.

    Raises
    ------
    LookupFailed
        There is no index.
    StoreCorrupt
        It is damaged.
    MissingExtra
        FAISS is not installed.
    """
    files = IndexFiles(store.files, encoder_id)
    card = files.card()
    if card is None:
        raise LookupFailed(
            f"encoder {encoder_id} has no index. Make one with: icehouse index build"
        )
    rows = store.features(encoder_id).rows()
    if card.kind == FLAT:
        return card, 0
    indexed = files.indexed(card)
    place = indexed.rows_of(card.shards, rows)
    # An image of which the index has another vector stays uncovered: it cannot hold both.
    new = np.flatnonzero((place < 0) & (positions(rows.ids, indexed.ids) < 0))
    fresh, old = described(rows, new), np.flatnonzero(place >= 0)
    shard = indexed.shard.copy()
    shard[place[old]] = rows.shard[old] + len(card.shards)
    every = IndexedRows(
        np.concatenate([indexed.ids, fresh.ids]),
        np.concatenate([shard, fresh.shard + np.int32(len(card.shards))]),
        np.concatenate([indexed.prints, fresh.prints]),
    )
    used, numbers = np.unique(every.shard, return_inverse=True)
    shards = tuple(np.array([*card.shards, *rows.shards])[used].tolist())
    every = replace(every, shard=numbers.astype(np.int32))
    index = _faiss.whole(files.path(card))
    _faiss.add(index, rows, new)
    with tempfile.TemporaryDirectory(prefix="icehouse-index-") as folder:
        path = Path(folder) / "index"
        _faiss.write(index, path)
        card = replace(card, rows=len(every.ids), shards=shards)
        return files.commit(card, path, every), len(new)
