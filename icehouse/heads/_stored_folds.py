"""Out-of-fold probabilities on disk, beside the head that they belong to."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from icehouse.errors import HeadCorrupt
from icehouse.heads._card import HeadCard
from icehouse.heads._folds import OutOfFold
from icehouse.store import Store, ids_from_arrow, ids_to_arrow

COLUMN = "p:"  # before a class in oof-*.parquet, which may be called as another column is
DEFAULT = "temperature"


def save_folds(store: Store, card: HeadCard, folds: OutOfFold) -> None:
    """Keep out-of-fold probabilities beside their head."""
    table = pa.table(
        {
            "image_id": ids_to_arrow(folds.ids),
            **{COLUMN + name: folds.proba[:, i] for i, name in enumerate(card.classes)},
        }
    ).replace_schema_metadata({"key": _fold_key(card), "folds": str(folds.folds)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    data = memoryview(sink.getvalue())
    name = f"{card.folder}/oof-{hashlib.sha256(data).hexdigest()[:16]}.parquet"
    store.files.commit(name, data)
    store.files.remove(*(other for other in _fold_files(store, card) if other != name))


def load_folds(store: Store, card: HeadCard) -> OutOfFold | None:
    """Return the out-of-fold probabilities that belong to a head as it is now, if any."""
    for name in _fold_files(store, card):
        if (folds := _read_folds(store, card, name)) is not None:
            return folds
    return None


def _fold_files(store: Store, card: HeadCard) -> list[str]:
    names = store.files.names(card.folder, ".parquet")
    return [name for name in names if name.startswith(f"{card.folder}/oof-")]


def _read_folds(store: Store, card: HeadCard, name: str) -> OutOfFold | None:
    path = store.files.where(name)
    try:
        table = pq.ParquetFile(store.files.open(name)).read()
    except (pa.ArrowException, OSError) as error:
        raise HeadCorrupt(f"{path} is damaged: {error}. Remove it and flag again") from error
    metadata = table.schema.metadata or {}
    if metadata.get(b"key", b"").decode() != _fold_key(card):
        return None
    columns = [table[COLUMN + name].to_numpy() for name in card.classes]
    return OutOfFold(
        ids_from_arrow(table["image_id"]),
        np.stack(columns, axis=1).astype(np.float32),
        int(metadata[b"folds"]),
    )


def _fold_key(card: HeadCard) -> str:
    parts = {"training": card.training, "settings": card.settings, "classes": card.classes}
    if card.calibration.kind != DEFAULT:  # which earlier versions did not name
        parts["calibration"] = card.calibration.kind
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
