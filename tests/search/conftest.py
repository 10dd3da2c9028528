"""Stores with vectors that need no encoder, and what brute force finds in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from icehouse.search import BuildOptions, build_index
from icehouse.search._kinds import KINDS
from icehouse.store import IndexFiles, Store, ids_from_bytes, image_id, sealed

ENCODER = "some-0123456789ab"
Array = npt.NDArray[Any]


def ids(numbers: npt.ArrayLike) -> Array:
    return ids_from_bytes(image_id(str(n).encode()) for n in np.asarray(numbers).tolist())


def drawn(rows: int, dim: int = 8, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float16)


def add(store: Store, numbers: npt.ArrayLike, seed: int = 0, dim: int = 8) -> str:
    """Commit vectors of images as one shard; another seed is another vector."""
    return store.features(ENCODER).append(ids(numbers), drawn(len(numbers), dim, seed), "float16")


def brute(store: Store, queries: Array, k: int, among: Array | None = None) -> tuple[Array, list]:
    """Return similarities in float64 and image_ids, by the definition."""
    held = store.features(ENCODER).load()
    vectors, asked = held.vectors.astype(float), queries.astype(float)
    cosine = asked @ vectors.T
    cosine /= np.linalg.norm(asked, axis=1)[:, None] * np.linalg.norm(vectors, axis=1)
    if among is not None:
        cosine[:, ~among] = -np.inf
    best = np.argsort(-cosine, axis=1, kind="stable")[:, :k]
    found = np.take_along_axis(cosine, best, axis=1)
    return found, [[held.ids[i].tobytes() for i in row] for row in best]


def thorough(store: Store) -> None:
    """Let the index be searched so that it passes over nothing."""
    files = IndexFiles(store.files, ENCODER)
    card = files.card()
    assert card is not None
    parameters = {**KINDS[card.kind].most(card.rows), "candidates": 10_000}
    card = replace(card, parameters=parameters)
    store.files.commit(f"{files.folder}/index.json", sealed(asdict(card)))


@pytest.fixture
def build() -> Callable[..., None]:
    """Build an index of a kind that finds everything."""

    def run(store: Store, kind: str) -> None:
        build_index(store, ENCODER, BuildOptions(target_recall=0.01, kinds=(kind,)))
        thorough(store)

    return run


class Server:
    """A Milvus behind HTTP: the server of Milvus Lite, in threads, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        from milvus_lite.adapter.grpc.server import start_server_in_thread

        self._server, self._db, self.port = start_server_in_thread(str(folder))
        self.where = f"milvus:http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it, at once and for all."""
        self._server.stop(grace=2).wait()
        self._db.close()


@pytest.fixture
def where(tmp_path: Path) -> str:
    """A file of Milvus Lite, as ``--index`` takes it; there is none yet."""
    return f"milvus:{tmp_path}/photos.db"
