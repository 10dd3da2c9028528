"""Cosines of an encoder's vectors: a second opinion on duplicates, where somebody asks for it."""

from __future__ import annotations

import numpy as np

from icehouse.embedder import Looks, Pairs, find_similar
from icehouse.store import FeatureMatrix, IdArray, positions, unit


class Cosines:
    """Cosines about the mean of all vectors, as those of an encoder all lie in one direction.

    Parameters
    ----------
    features : FeatureMatrix
    ids : array of V32, shape (n,)
        The images that are meant.
    """

    def __init__(self, features: FeatureMatrix, ids: IdArray) -> None:
        self._ids = ids
        self._where = positions(ids, features.ids)
        vectors = features.vectors[self._where[self._where >= 0]].astype(np.float32)
        self._row = np.cumsum(self._where >= 0) - 1
        self._directions = unit(vectors - vectors.mean(axis=0)) if len(vectors) else vectors

    def pairs(self, thumbnails: FeatureMatrix, least: float) -> tuple[Pairs, int]:
        """Return pairs of at least this cosine, and how many images have no vector."""
        at = positions(self._ids, thumbnails.ids)
        known = np.flatnonzero((self._where >= 0) & (at >= 0))
        looks = Looks(thumbnails.vectors[at[known]])
        found = find_similar(looks, self._directions[self._row[known]], least)
        return found.numbered(known), int((self._where < 0).sum())

    def of(self, one: int, other: int) -> float | None:
        """Return the cosine of two images, by their numbers; None where one has no vector."""
        if self._where[one] < 0 or self._where[other] < 0:
            return None
        return float(self._directions[self._row[one]] @ self._directions[self._row[other]])
