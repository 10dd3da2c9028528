"""What the store knows of its images, at hand for those who ask over HTTP, and kept up with it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.errors import LookupFailed, StoreCorrupt
from icehouse.search import Engine
from icehouse.service.inference._images import Images
from icehouse.store import (
    IndexFiles,
    LabelEvent,
    LabelState,
    Place,
    Store,
    ids_from_bytes,
    parts_of,
)

AGAIN = 0.5  # seconds after a look for what was not known, in which there is no other one
LOG = logging.getLogger(__name__)

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


@dataclass(frozen=True)
class _Opened:
    """The vectors of an encoder as they were at one moment.

    Attributes
    ----------
    stamp : tuple
        What they were read from.
    engine : Engine or None
        None where there are none.
    there : array of bool, shape (n,)
        Rows of images that stand in a dataset.
    """

    stamp: tuple[Any, ...]
    engine: Engine | None
    there: npt.NDArray[np.bool_]

    def rows(self, images: Sequence[bytes]) -> list[int]:
        """Return the row of each image, or -1."""
        if self.engine is None:
            return [-1] * len(images)
        return self.engine.rows.find(ids_from_bytes(images)).tolist()


class Library:
    """Vectors, places and labels, each read when it is first asked for.

    Who asks for an image that is not known lets the store be looked at, as it may have come just
    now; but not more often than every half second, whatever is asked.

    Parameters
    ----------
    store : Store
    clock : callable
        Seconds.
    index : str, optional
        A Milvus to search by; see :meth:`icehouse.search.Engine.open`.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float] = time.monotonic,
        index: str | None = None,
    ) -> None:
        self.store = store
        self._index = index
        self.images = Images(store)
        self._lock, self._looking = threading.Lock(), threading.RLock()
        self._clock, self._looked = clock, -math.inf
        self._opened: dict[str, _Opened] = {}
        self._labels: dict[str, LabelState] = {}
        self._said: set[str] = set()

    def open(self, encoder_id: str) -> None:
        """Read the vectors of an encoder, and connect to their index, before anybody asks.

        Raises
        ------
        UsageError, MissingExtra
            The index is no address of Milvus, or its client is not installed.
        """
        self._open(encoder_id)

    def has(self, image: bytes) -> bool:
        """Whether an image stands in a dataset."""
        if image not in self.images:
            self._look_again()
        return image in self.images

    def place(self, image: bytes) -> Place:
        """Return where an image is.

        Raises
        ------
        LookupFailed
            The store does not have it, or no more.
        """
        self.has(image)
        return self.images.place(image)

    def jpeg(self, image: bytes, size: int) -> bytes:
        """Return a picture; see :meth:`Images.jpeg`."""
        self.has(image)
        return self.images.jpeg(image, size)

    def has_vector(self, encoder_id: str, image: bytes) -> bool:
        """Whether an encoder has a vector of an image."""
        return self._open(encoder_id).rows([image])[0] >= 0

    def vectors(self, encoder_id: str, images: Sequence[bytes]) -> list[Vectors | LookupFailed]:
        """Return the vectors of images, each of shape (D,), or why there is none."""
        found = self._vectors(encoder_id, images)
        if any(isinstance(each, LookupFailed) for each in found):
            self._look_again()
            found = self._vectors(encoder_id, images)
        return found

    def _vectors(self, encoder_id: str, images: Sequence[bytes]) -> list[Vectors | LookupFailed]:
        opened = self._open(encoder_id)
        found: list[Vectors | LookupFailed] = []
        for image, row in zip(images, opened.rows(images), strict=True):
            try:
                self.images.place(image)
            except LookupFailed as error:  # the store does not know it at all
                found.append(error)
                continue
            if opened.engine is None or row < 0:
                words = f"image {image.hex()[:12]} has no vector of encoder {encoder_id}"
                found.append(LookupFailed(words))
            else:
                found.append(opened.engine.rows.at(np.array([row]))[0])
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
        skip: Sequence[bytes | None],
        task: str | None = None,
    ) -> list[list[Match]]:
        """Return the images nearest to each of some vectors, nearest first.

        Parameters
        ----------
        encoder_id : str
        vectors : array, shape (n, D)
        k : int
        skip : sequence of bytes or None
            An image_id for each that is left out: its own.
        task : str, optional
            Whose labels are shown.
        """
        opened = self._open(encoder_id)
        if opened.engine is None:
            return [[] for _ in vectors]
        among = None if opened.there.all() else opened.there
        similarity, index = opened.engine.nearest(vectors, k + 1, among)
        self._say(encoder_id, opened.engine)
        labels = self.labels(task) if task else {}
        found = []
        for own, scores, rows in zip(skip, similarity.tolist(), index, strict=True):
            matches = []
            for score, row in zip(scores, rows, strict=True):
                image = opened.engine.rows.ids[row].tobytes()
                place = None if image == own else self.images.get(image)
                if place is not None:
                    event = labels.get(image)
                    matches.append(Match(place, None if event is None else event.labels, score))
            found.append(matches[:k])
        return found

    # How it is kept up with the store.

    def refresh(self) -> None:
        """Read again what has changed in the store."""
        with self._looking:
            self.images.refresh()
            for encoder_id, opened in list(self._opened.items()):
                if self._stamp(encoder_id) != opened.stamp:
                    self._opened[encoder_id] = self._read(encoder_id)

    def _look_again(self) -> None:
        asked = self._clock()
        with self._looking:
            if asked - self._looked >= AGAIN:  # else somebody has looked since, or just before
                self._looked = self._clock()
                self.store.check_format()
                self.refresh()

    def _open(self, encoder_id: str) -> _Opened:
        opened = self._opened.get(encoder_id)
        if opened is None:
            with self._looking:
                opened = self._opened.get(encoder_id) or self._read(encoder_id)
                self._opened[encoder_id] = opened
        return opened

    def _read(self, encoder_id: str) -> _Opened:
        stamp = self._stamp(encoder_id)
        try:
            engine = Engine.open(self.store, encoder_id, index=self._index)
        except LookupFailed:  # all that it had are forgotten
            return _Opened(stamp, None, np.empty(0, np.bool_))
        self._said.clear()
        self._say(encoder_id, engine)
        there = np.zeros(len(engine.rows), np.bool_)
        rows = engine.rows.find(ids_from_bytes(self.images.every()))
        there[rows[rows >= 0]] = True
        return _Opened(stamp, engine, there)

    def _say(self, encoder_id: str, engine: Engine) -> None:
        """Write to the log what is to be said of an index, once while it is open."""
        for note in engine.notes:
            words = f"search by {encoder_id}: {note}"
            if words not in self._said:
                self._said.add(words)
                LOG.warning("%s", words)

    def _stamp(self, encoder_id: str) -> tuple[Any, ...]:
        """Return what the vectors of an encoder, and what is said of them, are read from."""
        files, found = self.store.files, []
        for part in parts_of(encoder_id):
            folder = f"features/{part}"
            stones = files.names(f"{folder}/_forgotten", ".parquet")
            found.append((*stones, *files.names(folder, ".parquet")))
        try:
            card = IndexFiles(files, encoder_id).card()
        except StoreCorrupt:  # which is said when it is opened
            card = None
        return (self.images.stamp, card, *found)
