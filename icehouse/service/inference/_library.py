"""What the store knows of its images, at hand for those who ask over HTTP, and kept up with it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.errors import LookupFailed
from icehouse.service.inference._images import Images
from icehouse.store import (
    FeatureMatrix,
    LabelEvent,
    LabelState,
    Place,
    Store,
    ids_from_bytes,
    nearest,
    positions,
)

Vectors = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Match:
    """An image near another, or near words.

    Attributes
    ----------
    place : Place
    labels : tuple of str or None
        In the task that was asked about.
    similarity : float
        Cosine.
    """

    place: Place
    labels: tuple[str, ...] | None
    similarity: float


class Library:
    """Vectors, places and labels, each read when it is first asked for.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.images = Images(store)
        self._lock = threading.Lock()
        self._features: dict[str, FeatureMatrix] = {}
        self._labels: dict[str, LabelState] = {}
        self._listing = self._listed(())

    def features(self, encoder_id: str) -> FeatureMatrix:
        """Return the vectors of all images that stand in a dataset."""
        with self._lock:
            if encoder_id not in self._features:
                self._features[encoder_id] = self._read(encoder_id)
            return self._features[encoder_id]

    def vectors(self, encoder_id: str, images: Sequence[bytes]) -> list[Vectors | LookupFailed]:
        """Return the vectors of images, each of shape (D,), or why there is none."""
        features = self.features(encoder_id)
        rows = positions(ids_from_bytes(images), features.ids)
        found: list[Vectors | LookupFailed] = []
        for image, row in zip(images, rows.tolist(), strict=True):
            try:
                self.images.place(image)
            except LookupFailed as error:  # the store does not know it at all
                found.append(error)
                continue
            words = f"image {image.hex()[:12]} has no vector of encoder {encoder_id}"
            found.append(features.vectors[row] if row >= 0 else LookupFailed(words))
        return found

    def labels(self, task: str) -> dict[bytes, LabelEvent]:
        """Return the labels in force; empty where there is no such task."""
        with self._lock:
            if task not in self._labels:
                self._labels[task] = LabelState(self.store.labels, task)
        return self._labels[task].in_force()

    def near(
        self,
        encoder_id: str,
        vectors: Vectors,
        k: int,
        skip: Sequence[bytes],
        task: str | None = None,
    ) -> list[list[Match]]:
        """Return the images nearest to each of some vectors, nearest first.

        Parameters
        ----------
        encoder_id : str
        vectors : array, shape (n, D)
        k : int
        skip : sequence of bytes
            An image_id for each that is left out: its own.
        task : str, optional
            Whose labels are shown.
        """
        features = self.features(encoder_id)
        itself = positions(ids_from_bytes(skip), features.ids)
        similarity, index = nearest(vectors, features.vectors, k, skip=itself)
        labels = self.labels(task) if task else {}
        found = []
        for scores, rows in zip(similarity, index, strict=True):
            matches = []
            for score, row in zip(scores, rows, strict=True):
                image = features.ids[row].tobytes()
                if image in self.images:
                    event = labels.get(image)
                    said = None if event is None else event.labels
                    matches.append(Match(self.images.place(image), said, float(score)))
            found.append(matches)
        return found

    def refresh(self) -> bool:
        """Read again what has changed in the store; return whether anything has."""
        with self._lock:
            encoders = tuple(self._features)
        listing = self._listed(encoders)
        changed = {name for name, files in listing.items() if self._listing.get(name) != files}
        known = set(self._listing)
        if not changed & known:
            self._listing = listing
            return False
        if "catalog" in changed:
            self.images.refresh()
        fresh = {each: self._read(each) for each in encoders}
        with self._lock:
            self._features.update(fresh)
        self._listing = listing
        return True

    def _read(self, encoder_id: str) -> FeatureMatrix:
        features = self.store.features(encoder_id).load()
        there = np.array([i.tobytes() in self.images for i in features.ids], dtype=np.bool_)
        if there.all():
            return features
        return FeatureMatrix(encoder_id, features.ids[there], features.vectors[there])

    def _listed(self, encoders: Sequence[str]) -> dict[str, list[str]]:
        catalog, files = self.store.catalog, self.store.files
        found = {"catalog": [n for d in catalog.datasets() for n in catalog.shards(d)]}
        for encoder in encoders:
            for part in encoder.split("+"):
                folder = f"features/{part}"
                stones = files.names(f"{folder}/_forgotten", ".parquet")
                found[part] = [*files.names(folder, ".parquet"), *stones]
        return found
