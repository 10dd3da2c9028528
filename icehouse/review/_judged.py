"""What a head says of all images of its task, without what it has memorised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.heads import StoredHead, datasets_of, folds_of, training_set
from icehouse.review._honest import honest_proba
from icehouse.store import FeatureMatrix, IdArray, Store, ids_from_arrow, positions


@dataclass(frozen=True)
class Judged:
    """All images that a head can be asked about, and what is known of each.

    Attributes
    ----------
    ids : array of V32, shape (n,)
    features : FeatureMatrix
        Of these images.
    proba : array of float32, shape (n, n_classes)
        Calibrated; out-of-fold where ``folded``.
    labelled : array of bool, shape (n,)
    given : array of 0 and 1, shape (n, n_classes)
        Labels, or the answer where there are none.
    answered : array of 0 and 1, shape (n, n_classes)
        What the head says.
    folded : array of bool, shape (n,)
    """

    ids: IdArray
    features: FeatureMatrix
    proba: npt.NDArray[np.float32]
    labelled: npt.NDArray[np.bool_]
    given: npt.NDArray[np.int64]
    answered: npt.NDArray[np.int64]
    folded: npt.NDArray[np.bool_]


def judge(store: Store, stored: StoredHead, folds: int) -> Judged:
    """Ask a head about every image that has its features and stands in a dataset of its task.

    Raises
    ------
    TrainingDataError
        Too few labelled images for the folds.
    """
    card = stored.card
    data = training_set(store, card)
    honest = folds_of(store, stored, folds=folds)
    features = store.features(card.encoder_id).load()
    scope = _in_scope(store, data.ids, datasets_of(store, card.task, card.training["dataset"]))
    rows = np.flatnonzero(positions(features.ids, scope) >= 0)
    features = FeatureMatrix(features.encoder_id, features.ids[rows], features.vectors[rows])
    proba, folded = honest_proba(stored, honest, features)
    answered = indicator(stored, stored.decide(proba))
    at = positions(features.ids, data.ids)
    given = np.where((at >= 0)[:, None], indicator(stored, data.y)[at], answered)
    return Judged(features.ids, features, proba, at >= 0, given, answered, folded)


def _in_scope(store: Store, labelled: IdArray, datasets: list[str]) -> IdArray:
    scope = []
    for name in datasets:
        column = store.catalog.rows(name, ["image_id"])["image_id"].drop_null()
        ids = np.unique(ids_from_arrow(column))
        if (positions(ids, labelled) >= 0).any():
            scope.append(ids)
    return np.unique(np.concatenate(scope))


def indicator(stored: StoredHead, labels: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Return labels as 0 and 1, shape (n, n_classes)."""
    if labels.ndim == 2:
        return labels.astype(np.int64)
    return (labels[:, None] == stored.classes).astype(np.int64)


def sure_of(
    stored: StoredHead, proba: npt.NDArray[np.floating[Any]], answered: npt.NDArray[np.int64]
) -> npt.NDArray[np.floating[Any]]:
    """Return the probability of answers, shape (n,); in multi-label of the least sure label."""
    if stored.head.multi_label_:
        return np.asarray(np.where(answered == 1, proba, 1 - proba).min(axis=1))
    return np.asarray((proba * answered).sum(axis=1))
