"""What is asked for, as one vector: images, texts and vectors, and what is not wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from icehouse.embedder import choose_encoder, choose_text_encoder, reopen_text_encoder
from icehouse.errors import LookupFailed, UsageError
from icehouse.search._engine import check_vectors
from icehouse.search._query import vectors_of
from icehouse.store import ID_DTYPE, IdArray, Place, Store, VectorRows, ids_from_bytes, unit

AWAY = 0.5
"""How much the mean of what is not wanted counts against the mean of what is."""


@dataclass(frozen=True)
class Query:
    """What is looked for.

    Attributes
    ----------
    like, unlike : tuple of str
        Images: each a file, which need not be in the store; or a key or an image_id (or the start
        of one) of the store.
    texts, not_texts : tuple of str
        For an encoder with a text tower.
    vectors : array, shape (n, D), optional
        Of the encoder's space.
    """

    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    not_texts: tuple[str, ...] = ()
    vectors: npt.NDArray[np.floating] | None = None

    def __str__(self) -> str:
        said = [*self.like, *(f"“{text}”" for text in self.texts)]
        said += [f"{len(self.vectors)} vectors"] if self.vectors is not None else []
        said += [f"not {image}" for image in self.unlike]
        return ", ".join([*said, *(f"not “{text}”" for text in self.not_texts)])

    @property
    def in_words(self) -> bool:
        """Whether a text tower is needed."""
        return bool(self.texts or self.not_texts)


@dataclass(frozen=True)
class Example:
    """An image that was named.

    Attributes
    ----------
    key : str
    source : str or None
        What the key belongs to.
    path : str or None
        Its file, where there is one on this machine.
    liked : bool
        Whether the answer is to be like it.
    """

    key: str
    source: str | None
    path: str | None
    liked: bool


@dataclass(frozen=True)
class Asked:
    """A query as vectors.

    Attributes
    ----------
    direction : array of float32, shape (1, D)
        What images are compared with.
    near : array of float32, shape (n, D)
        The vectors of all images that are to be like the answer; unit.
    ids : array of V32, shape (m,)
        Of all images that were named: they are no answer.
    examples : tuple of Example
        The images that were named, for people to see.
    """

    direction: npt.NDArray[np.float32]
    near: npt.NDArray[np.float32]
    ids: IdArray
    examples: tuple[Example, ...]


def ask(store: Store, rows: VectorRows, query: Query) -> Asked:
    """Turn a query into a direction.

    With p the mean of the unit vectors of what is wanted and n that of what is not, the direction
    is p - n / 2. This is Rocchio's rule for relevance feedback (in Salton, The SMART Retrieval
    System, 1971). That what is not wanted should count less is the advice of Manning, Raghavan and
    Schütze (Introduction to Information Retrieval, 2008, chapter 9): it points in all directions.

    Raises
    ------
    UsageError
        Nothing is wanted; texts for an encoder without a text tower; vectors of a wrong length or
        not finite; or what is wanted and what is not cancel out.
    LookupFailed
        No such image, or it has no vector.
    ImageError
        A file is no picture.
    """
    like, like_ids, liked = _images(store, rows, query.like)
    unlike, unlike_ids, others = _images(store, rows, query.unlike)
    examples = *liked, *(replace(each, liked=False) for each in others)
    words = _words(store, rows.encoder_id, [*query.texts, *query.not_texts])
    given = np.empty((0, rows.dim), np.float32) if query.vectors is None else query.vectors
    check_vectors(given, rows.dim)
    near = np.concatenate([like, unit(given)])
    positive = np.concatenate([near, words[: len(query.texts)]])
    negative = np.concatenate([unlike, words[len(query.texts) :]])
    if not len(positive):
        raise UsageError(
            "say what is looked for: an image, --text or --vector (--unlike only takes from it)"
        )
    direction = positive.mean(axis=0, keepdims=True)
    if len(negative):
        direction = direction - AWAY * negative.mean(axis=0, keepdims=True)
    if not np.linalg.norm(direction) > 1e-6:
        raise UsageError("what is wanted and what is not cancel out: nothing is left to look for")
    return Asked(direction, near, np.concatenate([like_ids, unlike_ids]), examples)


def choose_searched(store: Store, query: Query, encoder: str | None = None) -> str:
    """Return the encoder_id that a text names; of several, one that takes words if there are some.

    Raises
    ------
    LookupFailed, UsageError
        As :func:`choose_encoder` and :func:`choose_text_encoder`.
    """
    return (choose_text_encoder if query.in_words else choose_encoder)(store, encoder)


def read_vectors(path: Path) -> npt.NDArray[np.floating]:
    """Read vectors from a file of numpy, shape (n, D).

    Raises
    ------
    UsageError
        It is none.
    """
    try:
        vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path} holds no vectors as numpy saves them: {error}") from error
    if not isinstance(vectors, np.ndarray) or vectors.dtype.kind not in "fiu" or vectors.ndim > 2:
        raise UsageError(f"{path} has to hold one vector of numbers or several of equal length")
    return np.atleast_2d(vectors).astype(np.float32)


def _images(
    store: Store, rows: VectorRows, asked: tuple[str, ...]
) -> tuple[npt.NDArray[np.float32], IdArray, tuple[Example, ...]]:
    """Return unit vectors and identities of images that are files or in the store, and them."""
    files = [Path(text) for text in asked if Path(text).is_file()]
    found = vectors_of(store, rows.encoder_id, files, rows) if files else None
    if found is not None and found.errors:
        raise next(iter(found.errors.values()))
    known = [store.find_image(text) for text in asked if not Path(text).is_file()]
    examples = *(Example(str(file), None, str(file), True) for file in files), *map(_of, known)
    ids = ids_from_bytes([place.image_id for place in known])
    missing = rows.find(ids) < 0
    if missing.any():
        raise LookupFailed(
            f"image {known[int(np.argmax(missing))].image_id.hex()[:12]} has no vector of encoder "
            f"{rows.encoder_id}"
        )
    vectors = unit(rows.take(ids)) if len(ids) else np.empty((0, rows.dim), np.float32)
    if found is None:
        return vectors, ids.astype(ID_DTYPE), examples
    both = np.concatenate([unit(found.features.vectors), vectors])
    return both, np.concatenate([found.features.ids, ids]), examples


def _of(place: Place) -> Example:
    return Example(place.key, place.source, str(place.path) if place.path else None, True)


def _words(store: Store, encoder_id: str, texts: list[str]) -> npt.NDArray[np.float32]:
    if not texts:
        return np.empty((0, int(store.features(encoder_id).card["spec"]["dim"])), np.float32)
    if not all(text.strip() for text in texts):
        raise UsageError("a text to look for is empty")
    return unit(reopen_text_encoder(store, encoder_id).encode_text(texts))
