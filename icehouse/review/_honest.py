"""What a head says of images, without what it has memorised of those that it was fitted on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from icehouse.heads import OutOfFold, StoredHead
from icehouse.store import FeatureMatrix, positions

AT_ONCE = 65_536


def honest_proba(
    stored: StoredHead, folds: OutOfFold, images: FeatureMatrix
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return out-of-fold probabilities of labelled images, and predicted ones of others.

    Parameters
    ----------
    stored : StoredHead
    folds : OutOfFold
        Of this head.
    images : FeatureMatrix
        Of the head's encoder.

    Returns
    -------
    proba : array of float32, shape (n, n_classes)
    folded : array of bool, shape (n,)
        Which of them are out-of-fold.
    """
    where = positions(images.ids, folds.ids)
    folded = where >= 0
    proba = np.empty((len(images), len(stored.card.classes)), np.float32)
    proba[folded] = folds.proba[where[folded]]
    rest = np.flatnonzero(~folded)
    for start in range(0, len(rest), AT_ONCE):  # a copy of all vectors would be a large one
        some = rest[start : start + AT_ONCE]
        part = FeatureMatrix(images.encoder_id, images.ids[some], images.vectors[some])
        proba[some] = stored.predict_proba(part)
    return proba, folded
