"""Stores of vectors without pictures, so that the right answers are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from icehouse.store import CatalogRow, Store, ids_from_bytes, image_id

ENCODER = "some-0123456789ab"
CARD = {"request": {"name": "some", "stored_as": "float32"}, "spec": {"dim": 16}}

Array = npt.NDArray[Any]
Build = Callable[..., Store]


def around(seed: int, rows: int, spread: float, *, dim: int = 16, axis: int = 0) -> Array:
    """Vectors around the sum of one axis and what all images have in common."""
    centre = np.zeros(dim)
    centre[[axis, -1]] = 1
    return centre + spread * np.random.default_rng(seed).normal(size=(rows, dim)) / np.sqrt(dim)


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """A function that makes a store of vectors by dataset; keys are DATASET-NUMBER."""

    def build(
        labels: dict[str, Sequence[Any]] | None = None,
        splits: dict[str, Sequence[str]] | None = None,
        kind: str = "single",
        **datasets: Array,
    ) -> Store:
        store = Store.create(tmp_path / "store")
        features = store.features(ENCODER)
        features.describe(CARD)
        for name, vectors in datasets.items():
            keys = [f"{name}-{number}" for number in range(len(vectors))]
            images = [image_id(key.encode()) for key in keys]
            features.append(ids_from_bytes(images), vectors, "float32")
            said = (splits or {}).get(name, [None] * len(keys))
            rows = zip(keys, images, said, strict=True)
            store.catalog.append(name, [CatalogRow(k, i, split=s) for k, i, s in rows])
            if labels is not None and name in labels:
                given = [(each,) if isinstance(each, str) else each for each in labels[name]]
                events = [(i, e) for i, e in zip(images, given, strict=True) if e is not None]
                store.labels.ensure_task("things", kind, sorted({n for _, e in events for n in e}))
                store.labels.record("things", events, annotator=name, origin="source")
        return store

    return build
