"""Stores that hold vectors only, of images in three clusters, and a map of one of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from icehouse.maps import make_map
from icehouse.store import Store, ids_from_bytes, image_id

ENCODER = "some-0123456789ab"
DIM, CLUSTERS = 12, 3
Array = npt.NDArray[Any]


def ids(numbers: npt.ArrayLike) -> Array:
    """Return images; the remainder of a number by three is the cluster of its image."""
    return ids_from_bytes(image_id(str(n).encode()) for n in np.asarray(numbers).tolist())


def clustered(numbers: npt.ArrayLike, spread: float = 0.15) -> Array:
    """Return the vectors of images: each its own, and the same whenever it is asked for."""
    centres = np.random.default_rng(7).normal(size=(CLUSTERS, DIM))
    noise = [np.random.default_rng([8, n]).normal(size=DIM) for n in np.asarray(numbers).tolist()]
    return (centres[np.asarray(numbers) % CLUSTERS] + spread * np.array(noise)).astype(np.float32)


def add(store: Store, numbers: npt.ArrayLike, vectors: Array | None = None) -> str:
    """Commit images as one shard."""
    vectors = clustered(numbers) if vectors is None else np.asarray(vectors, np.float32)
    return store.features(ENCODER).append(ids(numbers), vectors, "float32")


@pytest.fixture
def filled(tmp_path: Path) -> Callable[..., Store]:
    """Make a store of so many images, or of some vectors."""

    def make(images: int | Array, name: str = "filled") -> Store:
        store = Store.create(tmp_path / name)
        vectors = images if isinstance(images, np.ndarray) else None
        add(store, np.arange(len(images) if vectors is not None else images), vectors)
        return store

    return make


@pytest.fixture(scope="session")
def mapped_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 120 images in two shards, and the map that is kept of them. Read only."""
    store = Store.create(tmp_path_factory.mktemp("mapped") / "store")
    add(store, np.arange(50))
    add(store, np.arange(50, 120))
    make_map(store, ENCODER)
    return Path(store.path)


@pytest.fixture
def mapped(mapped_folder: Path, tmp_path: Path) -> Store:
    """A copy of that store."""
    shutil.copytree(mapped_folder, tmp_path / "mapped")
    return Store.open(tmp_path / "mapped")
