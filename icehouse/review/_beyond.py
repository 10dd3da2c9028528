"""What is said of images beyond probabilities: sets of classes, and how unfamiliar they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from icehouse.errors import LookupFailed, TrainingDataError
from icehouse.heads import StoredHead, distances, training_set
from icehouse.review._reasons import UNFAMILIAR, FlagSettings, FloatArray, Reason, set_reasons
from icehouse.store import FeatureMatrix, Store, positions


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


def unfamiliar(store: Store, stored: StoredHead, images: FeatureMatrix) -> Reason | None:
    """Say which images lie further from all that the head was trained on than those images do.

    The strength is the share of training images that lie nearer to the others. Of a training
    image it is no reason: one in a hundred would always be the furthest.

    Returns
    -------
    Reason or None
        None where the head does not know how far its images lay, or the store has none of them.
    """
    if stored.familiarity is None or not len(images):
        return None
    try:
        data = training_set(store, stored.card)
    except (LookupFailed, TrainingDataError):  # labels or features were removed since
        return None
    train = data.split == "train"
    if not train.any():
        return None
    rank, far = np.zeros(len(images)), np.zeros(len(images), dtype=bool)
    new = positions(images.ids, data.ids[train]) < 0
    distance = distances(images.vectors[new], data.X[train])
    rank[new] = stored.familiarity.rank(distance)
    far[new] = distance > stored.familiarity.limit
    return Reason(UNFAMILIAR, rank, far)
