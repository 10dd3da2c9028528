"""What is said of images beyond probabilities: sets of classes, and how unfamiliar they are."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.errors import LookupFailed, TrainingDataError
from icehouse.heads import (
    Familiarity,
    StoredHead,
    distances,
    distances_to_units,
    training_set,
)
from icehouse.review._reasons import UNFAMILIAR, FlagSettings, FloatArray, Reason, set_reasons
from icehouse.store import FeatureMatrix, IdArray, Store, positions, unit

FEW = 256  # images for which it pays to have brought the training images to length 1 before


def sets_of(
    stored: StoredHead, proba: FloatArray, settings: FlagSettings
) -> tuple[npt.NDArray[np.bool_] | None, list[Reason]]:
    """Return which classes are in each set, if sets were asked for, and what follows.

    Several labels an image: a set is of all that it may have, which is no reason to look again.
    """
    coverage = stored.card.coverage if settings.coverage is None else settings.coverage
    if coverage is None or (settings.coverage is None and stored.conformal is None):
        return None, []
    inside = stored.sets(proba, coverage)
    return inside, [] if stored.head.multi_label_ else set_reasons(proba, inside)


class Ground:
    """What a head was trained on, as far as the store still has it.

    Parameters
    ----------
    familiarity : Familiarity
        Of the head.
    ids : array of V32, shape (m,)
    vectors : array, shape (m, D)
    """

    def __init__(
        self, familiarity: Familiarity, ids: IdArray, vectors: npt.NDArray[np.floating[Any]]
    ) -> None:
        self._familiarity = familiarity
        self._ids = ids
        self._vectors = vectors

    @classmethod
    def of(cls, store: Store, stored: StoredHead) -> Ground | None:
        """Read it; None where the head does not know how far its images lay, or they are gone."""
        if stored.familiarity is None:
            return None
        try:
            data = training_set(store, stored.card)
        except (LookupFailed, TrainingDataError):  # labels or features were removed since
            return None
        train = data.split == "train"
        return cls(stored.familiarity, data.ids[train], data.X[train]) if train.any() else None

    def unfamiliar(self, images: FeatureMatrix) -> Reason:
        """Say which images lie further from it than its own images do.

        The strength is the share of training images that lie nearer to the others. Of a training
        image it is no reason: one in a hundred would always be the furthest.
        """
        rank, far = np.zeros(len(images)), np.zeros(len(images), dtype=bool)
        new = positions(images.ids, self._ids) < 0
        distance = self._distances(images.vectors[new])
        rank[new] = self._familiarity.rank(distance)
        far[new] = distance > self._familiarity.limit
        return Reason(UNFAMILIAR, rank, far)

    def _distances(self, vectors: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        if len(vectors) > FEW:
            return distances(vectors, self._vectors)
        return distances_to_units(vectors, self._unit)

    @cached_property
    def _unit(self) -> npt.NDArray[np.float32]:
        return unit(self._vectors)


def unfamiliar(store: Store, stored: StoredHead, images: FeatureMatrix) -> Reason | None:
    """Say which images are unfamiliar to a head: see :class:`Ground`; None where nobody knows."""
    ground = Ground.of(store, stored) if len(images) else None
    return None if ground is None else ground.unfamiliar(images)
