"""The one way to look for images: by images, words or vectors, among all or some of a store."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from icehouse.errors import UsageError
from icehouse.heads import NEAR_DUPLICATE
from icehouse.search._asked import Asked, Example, Query, ask
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
    examples : tuple of Example
        The images that it was asked for with.
    """

    encoder_id: str
    hits: list[Hit]
    among: int
    notes: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()


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
    found = _settled(engine, asked, _nearest(engine, asked, k, left, distinct))
    hits, notes = _hits(among, found), engine.notes
    if len(hits) < k:
        notes = (*notes, f"{len(hits):,} images instead of {k:,}: there are no more to choose from")
    return Found(engine.rows.encoder_id, hits, int(left.sum()), notes, asked.examples)


def _nearest(
    engine: Engine, asked: Asked, k: int, left: npt.NDArray[np.bool_], distinct: bool
) -> npt.NDArray[np.int64]:
    """Return the k nearest rows; of more, where some are left out."""
    total = int(left.sum())
    most = k
    mean = _mean(engine.rows) if distinct and len(asked.near) else None
    while True:
        [index] = engine.nearest(asked.direction, most, left)[1]
        if mean is None:
            return index
        vectors = unit(unit(engine.rows.at(index)) - mean)
        copies = (vectors @ unit(asked.near - mean).T >= NEAR_DUPLICATE).any(axis=1)
        if (~copies).sum() >= k or most >= total:
            return index[~copies][:k]
        most = min(4 * most, total)


def _settled(
    engine: Engine, asked: Asked, rows: npt.NDArray[np.int64]
) -> list[tuple[bytes, float]]:
    """Return images with their cosines, to the last bit the same wherever vectors lie."""
    vectors = engine.rows.at(rows).astype(np.float64)
    [direction] = asked.direction.astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(direction)
    cosine = (vectors * direction).sum(axis=1) / np.where(lengths > 0, lengths, 1)
    images = [engine.rows.ids[row].tobytes() for row in rows]
    scores = np.clip(cosine, -1, 1).astype(np.float32).tolist()
    return sorted(zip(images, scores, strict=True), key=lambda one: (-one[1], one[0]))


def _mean(rows: VectorRows) -> npt.NDArray[np.float32]:
    some = np.unique(np.linspace(0, len(rows) - 1, SAMPLE).astype(np.int64))
    return unit(rows.at(some)).mean(axis=0)


def _hits(among: Wanted, found: list[tuple[bytes, float]]) -> list[Hit]:
    places = among.place([image for image, _ in found])
    return [
        Hit(
            rank=rank,
            image_id=image.hex(),
            dataset=places[image].dataset,
            key=places[image].key,
            source=places[image].source,
            path=str(path) if (path := places[image].path) else None,
            labels=among.labels.get(image),
            similarity=score,
        )
        for rank, (image, score) in enumerate(found, 1)
    ]
