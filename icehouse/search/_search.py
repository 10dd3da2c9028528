"""The one way to look for images: by images, words or vectors, among all or some of a store."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from icehouse.errors import UsageError
from icehouse.heads import NEAR_DUPLICATE
from icehouse.search._asked import Asked, Query, ask
from icehouse.search._engine import Engine
from icehouse.search._wanted import Filters, Wanted, wanted
from icehouse.store import Store, VectorRows, unit

SAMPLE = 4096  # vectors whose mean is that of all, nearly


@dataclass(frozen=True)
class Hit:
    """An image that was found.

    Attributes
    ----------
    rank : int
        From 1.
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

    rank: int
    image_id: str
    dataset: str
    key: str
    source: str | None
    path: str | None
    labels: tuple[str, ...] | None
    similarity: float


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes
    ----------
    encoder_id : str
    hits : list of Hit
        The most similar first.
    among : int
        How many images it was among.
    notes : tuple of str
        What is to be said of how it was done.
    """

    encoder_id: str
    hits: list[Hit]
    among: int
    notes: tuple[str, ...] = ()


def search(
    store: Store,
    encoder_id: str,
    query: Query,
    k: int = 10,
    *,
    filters: Filters | None = None,
    task: str | None = None,
    distinct: bool = False,
    engine: Engine | None = None,
) -> Found:
    """Find the images that are most like what is asked for.

    Parameters
    ----------
    store : Store
    encoder_id : str
    query : Query
        The images that it names are left out of the answer.
    k : int
        If there are fewer, all of them.
    filters : Filters, optional
        Applied before ranking: k images are found if k pass.
    task : str, optional
        Whose labels are shown, and meant by filters.
    distinct : bool
        Leave out near-duplicates of the images asked for (centred cosine 0.995 and more).
    engine : Engine, optional
        Of this encoder, if it is open already.

    Returns
    -------
    Found

    Raises
    ------
    UsageError
        The query cannot be used: see :func:`ask`; or k is less than 1.
    LookupFailed
        No such image, dataset, task or encoder; or nothing passes the filters.
    ImageError
        A file of the query is not a picture.
    """
    if k < 1:
        raise UsageError(f"a search is for 1 image or more, got k = {k}")
    engine = engine or Engine.open(store, encoder_id)
    among = wanted(store, engine.rows, filters or Filters(), task)
    asked = ask(store, engine.rows, query)
    left = among.rows.copy()
    named = engine.rows.find(asked.ids)
    left[named[named >= 0]] = False
    similarity, rows = _nearest(engine, asked, k, left, distinct)
    images = [engine.rows.ids[row].tobytes() for row in rows]
    hits = _hits(among, images, similarity)
    return Found(engine.rows.encoder_id, hits, int(left.sum()), engine.notes)


def _nearest(
    engine: Engine, asked: Asked, k: int, left: npt.NDArray[np.bool_], distinct: bool
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return the k nearest rows, and what they are worth; of more, where some are left out."""
    total = int(left.sum())
    most = k
    mean = _mean(engine.rows) if distinct and len(asked.near) else None
    while True:
        similarity, index = engine.nearest(asked.direction, most, left)
        if mean is None:
            return similarity[0], index[0]
        vectors = unit(unit(engine.rows.at(index[0])) - mean)
        copies = (vectors @ unit(asked.near - mean).T >= NEAR_DUPLICATE).any(axis=1)
        if (~copies).sum() >= k or most >= total:
            good = np.flatnonzero(~copies)[:k]
            return similarity[0][good], index[0][good]
        most = min(4 * most, total)


def _mean(rows: VectorRows) -> npt.NDArray[np.float32]:
    some = np.unique(np.linspace(0, len(rows) - 1, SAMPLE).astype(np.int64))
    return unit(rows.at(some)).mean(axis=0)


def _hits(among: Wanted, images: list[bytes], similarity: npt.NDArray[np.float32]) -> list[Hit]:
    places = among.place(images)
    return [
        Hit(
            rank=rank,
            image_id=image.hex(),
            dataset=places[image].dataset,
            key=places[image].key,
            source=places[image].source,
            path=str(path) if (path := places[image].path) else None,
            labels=among.labels.get(image),
            similarity=float(score),
        )
        for rank, (image, score) in enumerate(zip(images, similarity, strict=True), 1)
    ]
