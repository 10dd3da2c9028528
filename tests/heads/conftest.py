"""Stores without pictures: catalog, vectors and labels are written directly, on real disk."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from icehouse.heads import LabelledSet
from icehouse.store import CatalogRow, Store, Task, ids_from_bytes, image_id

ENCODER = "plain-0"
DIM = 8


@dataclass(frozen=True)
class Photo:
    """One image of a source; the same key is the same image, whatever the dataset.

    ``labels`` None: the source says nothing. ``vector`` False: it was never encoded.
    """

    key: str
    labels: tuple[str, ...] | None = None
    split: str | None = None
    vector: bool = True
    gone: bool = False

    @property
    def image_id(self) -> bytes:
        return image_id(self.key.encode())


def vector_of(photo: Photo) -> np.ndarray:
    """A point near the sum of its labels' places, as wide as nothing else is."""
    place = sum((_random(f"label {label}") for label in photo.labels or ()), np.zeros(DIM))
    return (3 * place + _random(f"image {photo.key}")).astype(np.float16)


def _random(text: str) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    return np.random.default_rng(seed).normal(size=DIM)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Problems this small are slower on many threads, and far slower where cores are taken."""
    if importlib.util.find_spec("xgboost"):
        importlib.import_module("xgboost")  # its threads are limited once it is loaded
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture
def fill(store: Store) -> Callable[..., Store]:
    """A function that adds photos to the store, as embedding them would."""

    def fill(
        photos: Iterable[Photo],
        *,
        dataset: str = "shapes",
        task: str = "shapes",
        kind: str = "single",
        encoder: str = ENCODER,
    ) -> Store:
        photos = list(photos)
        rows = [
            CatalogRow(p.key, p.image_id, labels=p.labels, split=p.split, gone=p.gone)
            for p in photos
        ]
        store.catalog.append(dataset, rows)
        features = store.features(encoder)
        features.describe({"spec": {"dim": DIM}, "request": {"name": encoder}})
        encoded = [p for p in photos if p.vector]
        if encoded:
            ids = ids_from_bytes(p.image_id for p in encoded)
            features.append(ids, np.stack([vector_of(p) for p in encoded]), "float16")
        said = [(p.image_id, p.labels) for p in photos if p.labels is not None]
        if said:
            store.labels.ensure_task(task, kind, {name for _, given in said for name in given})
            store.labels.record(task, said, annotator=dataset, origin="source")
        return store

    return fill


@pytest.fixture
def photo() -> type[Photo]:
    return Photo


@pytest.fixture
def shapes() -> Callable[..., list[Photo]]:
    """A function that lists photos of one label each: ``shapes(disc=20, stripes=7)``."""

    def shapes(first: int = 0, **counts: int) -> list[Photo]:
        return [
            Photo(f"{name}/{number}", (name,))
            for name, count in counts.items()
            for number in range(first, first + count)
        ]

    return shapes


@pytest.fixture
def labelled() -> Callable[..., LabelledSet]:
    """A function that makes a labelled set of vectors near their class, out of thin air."""

    def labelled(y: np.ndarray, *, noise: float = 1.0, seed: int = 0) -> LabelledSet:
        y = np.asarray(y)
        random = np.random.default_rng(seed)
        names = [str(n) for n in range(y.shape[1])] if y.ndim == 2 else np.unique(y).tolist()
        member = y if y.ndim == 2 else y[:, None] == np.array(names)
        places = np.stack([_random(f"label {name}") for name in names])
        X = member @ places * 3 + noise * random.normal(size=(len(y), DIM))
        ids = np.sort(ids_from_bytes(image_id(f"{seed}/{i}".encode()) for i in range(len(y))))
        task = Task("thin-air", "multi" if y.ndim == 2 else "single", tuple(names))
        return LabelledSet(
            task,
            ENCODER,
            ids,
            X.astype(np.float32),
            y,
            tuple(names),
            np.full(len(y), "train"),
        )

    return labelled


@pytest.fixture
def encode_noise() -> Callable[..., str]:
    """A function that gives images of a store features that say nothing, or little."""

    def encode_noise(
        store: Store, photos: Iterable[Photo], encoder: str = "noise-0", signal: float = 0.0
    ) -> str:
        photos = list(photos)
        features = store.features(encoder)
        features.describe({"spec": {"dim": DIM}, "request": {"name": encoder}})
        vectors = np.stack(
            [signal * vector_of(p) + _random(f"noise {p.key}") for p in photos], dtype=np.float32
        )
        features.append(ids_from_bytes(p.image_id for p in photos), vectors, "float32")
        return encoder

    return encode_noise
