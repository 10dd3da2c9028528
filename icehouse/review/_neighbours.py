"""Nearest neighbours of an image: how a person decides about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from icehouse.heads import StoredHead, training_set
from icehouse.search import Query, search
from icehouse.store import FeatureMatrix, Place, Store, nearest, positions


@dataclass(frozen=True)
class Neighbour:
    """An image near another.

    Attributes
    ----------
    image_id : str
        Hexadecimal.
    dataset, key : str
    source : str or None
        That the key belongs to.
    path : str or None
        Its file, where the source is a folder or manifest of this machine.
    labels : tuple of str or None
        In the task asked about.
    similarity : float
        Cosine, in [-1, 1].
    """

    image_id: str
    dataset: str
    key: str
    source: str | None
    path: str | None
    labels: tuple[str, ...] | None
    similarity: float


@dataclass(frozen=True)
class Surroundings:
    """The nearest labelled images of many.

    Attributes
    ----------
    shares : array of float32, shape (n, n_classes)
        Share of the neighbours that have a label.
    """

    shares: npt.NDArray[np.float32]
    _similarity: npt.NDArray[np.float32]
    _index: npt.NDArray[np.int64]
    _ids: list[bytes]
    _labels: list[tuple[str, ...]]

    def of(self, row: int, places: dict[bytes, Place]) -> tuple[Neighbour, ...]:
        """Return the neighbours of one image, nearest first."""
        return tuple(
            as_neighbour(places[self._ids[i]], float(similarity), self._labels[i])
            for similarity, i in zip(self._similarity[row], self._index[row], strict=True)
        )


def near_labelled(store: Store, stored: StoredHead, images: FeatureMatrix, k: int) -> Surroundings:
    """Find the k nearest labelled images of each image, itself left out.

    Parameters
    ----------
    store : Store
    stored : StoredHead
        Whose task and encoder are meant.
    images : FeatureMatrix
    k : int
    """
    data = training_set(store, stored.card)
    itself = positions(images.ids, data.ids)
    similarity, index = nearest(images.vectors, data.X, k, skip=itself)
    indicator = data.y if data.y.ndim == 2 else (data.y[:, None] == stored.classes)
    shares = indicator[index].astype(np.float32).mean(axis=1)
    if data.y.ndim == 2:
        names = [tuple(stored.classes[row == 1].tolist()) for row in data.y]
    else:
        names = [(str(label),) for label in data.y]
    return Surroundings(shares, similarity, index, [i.tobytes() for i in data.ids], names)


def neighbours(
    store: Store, encoder_id: str, query: str, k: int = 5, *, task: str | None = None
) -> list[Neighbour]:
    """Find the images nearest to one.

    Parameters
    ----------
    store : Store
    encoder_id : str
    query : str
        A file, which need not be in the store; or a key or an image_id (or the start of one).
    k : int
    task : str, optional
        Whose labels are shown.

    Returns
    -------
    list of Neighbour
        Nearest first; the image itself is left out.

    Raises
    ------
    LookupFailed
        No such image, or it has no vector of this encoder.
    ImageError
        The file is not a picture.
    """
    found = search(store, encoder_id, Query(like=(query,)), k, task=task)
    return [
        Neighbour(**{name: value for name, value in asdict(hit).items() if name != "rank"})
        for hit in found.hits
    ]


def as_neighbour(
    place: Place, similarity: float, labels: tuple[str, ...] | None = None
) -> Neighbour:
    """Describe the image at a place."""
    return Neighbour(
        image_id=place.image_id.hex(),
        dataset=place.dataset,
        key=place.key,
        source=place.source,
        path=str(place.path) if place.path else None,
        labels=labels,
        similarity=similarity,
    )
