"""What there is to learn: views of images, and what the teacher says of each.

The teacher's vectors come out of an icehouse store. They are centred, turned to their principal
components, partly whitened and brought to length one, so that what tells two dogs apart is not
drowned by what tells a dog from a field.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from icehouse.embedder import choose_encoder
from icehouse.store import FeatureMatrix, Store, ids_from_arrow, positions

SAMPLE = 20_000


@dataclass(frozen=True)
class Lesson:
    """One row a view.

    Attributes
    ----------
    pixels : array of uint8, shape (n, S, S, 3)
    targets : array of float32, shape (n, K)
        Of length one.
    turns : array of bool, shape (n,)
        Whether a quarter turn of the view is a view as good.
    """

    pixels: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.float32]
    turns: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.pixels)

    def save(self, folder: Path) -> None:
        """Write the arrays into a folder, which is there when they all are."""
        part = folder.with_suffix(".part")
        part.mkdir(exist_ok=True)
        for field in fields(self):
            np.save(part / f"{field.name}.npy", getattr(self, field.name))
        part.rename(folder)

    @classmethod
    def open(cls, folder: Path) -> Lesson:
        """Map what was saved into memory."""
        return cls(*(np.load(folder / f"{f.name}.npy", mmap_mode="r") for f in fields(cls)))


def make_lesson(store: Store, views: dict[Path, bool], dim: int, power: float) -> Lesson:
    """Join view folders with their vectors in the store.

    Parameters
    ----------
    store : Store
        Holds each folder as a dataset of its name.
    views : dict
        From a folder to whether its views may be turned.
    dim : int
        Components of a target.
    power : float
        0 leaves the principal components as they are, 1 whitens them.
    """
    features = store.features(choose_encoder(store)).load()
    known = {folder: _known(store, features, folder) for folder in views}
    vectors = np.concatenate([features.vectors[at] for _, at in known.values()])
    pixels = [_read(folder / key) for folder, (keys, _) in known.items() for key in keys]
    turns = np.repeat(list(views.values()), [len(at) for _, at in known.values()])
    return Lesson(np.stack(pixels), whitened(vectors, dim, power), turns)


def whitened(vectors: npt.NDArray[Any], dim: int, power: float) -> npt.NDArray[np.float32]:
    """Return the first principal components, partly whitened, of length one."""
    sample = np.random.default_rng(0).permutation(len(vectors))[:SAMPLE]
    known = vectors[sample].astype(np.float32)
    variance, axes = np.linalg.eigh(np.cov(known.T))
    first = np.argsort(-variance)[:dim]
    turn = (axes[:, first] * variance[first] ** (-power / 2)).astype(np.float32)
    made = (vectors.astype(np.float32) - known.mean(axis=0)) @ turn
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def digests(store: Store) -> dict[str, dict[str, Any]]:
    """Return the number of images of each dataset, and the SHA-256 of their names and bytes."""
    told = {}
    for dataset in store.catalog.datasets():
        rows = store.catalog.rows(dataset, ["key", "image_id"]).sort_by("key")
        pairs = zip(rows["key"].to_pylist(), rows["image_id"].to_pylist(), strict=True)
        text = "".join(f"{key}\0{identity.hex()}\n" for key, identity in pairs)
        told[dataset] = {"images": len(rows), "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return told


def _known(
    store: Store, features: FeatureMatrix, folder: Path
) -> tuple[list[str], npt.NDArray[np.int64]]:
    rows = store.catalog.rows(folder.name, ["key", "image_id"]).sort_by("key")
    if missing := rows["image_id"].null_count:
        raise SystemExit(f"{missing} of {len(rows)} views in {folder} are no pictures")
    return rows["key"].to_pylist(), positions(ids_from_arrow(rows["image_id"]), features.ids)


def _read(path: Path) -> npt.NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)
