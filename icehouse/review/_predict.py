"""``predict``: answers for images, and which of them are ambiguous."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from icehouse.heads import StoredHead
from icehouse.review._query import vectors_of
from icehouse.review._reasons import FlagSettings, uncertainty
from icehouse.store import FeatureMatrix, Store, ids_from_arrow, positions


@dataclass(frozen=True)
class Prediction:
    """The answer for one image.

    Attributes
    ----------
    name : str
        The file, or the key in the dataset.
    image_id : str
        Hexadecimal; empty for an error.
    predicted : tuple of str
    probabilities : dict
        By class, falling; calibrated.
    reasons : dict
        Why it is ambiguous: strength by reason; empty where it is not.
    error : str or None
    """

    name: str
    image_id: str
    predicted: tuple[str, ...]
    probabilities: dict[str, float]
    reasons: dict[str, float]
    error: str | None = None


def predict_files(
    store: Store,
    stored: StoredHead,
    paths: Sequence[Path],
    settings: FlagSettings | None = None,
) -> list[Prediction]:
    """Predict files; they are not stored.

    Returns
    -------
    list of Prediction
        One for each path, in their order; a file that is no picture has an error.
    """
    found = vectors_of(store, stored.card.encoder_id, paths)
    names = [str(path) for path in found.paths]
    made = dict(zip(names, _predict(stored, found.features, names, settings), strict=True))
    wrong = {
        str(path): Prediction(str(path), "", (), {}, {}, str(error))
        for path, error in found.errors.items()
    }
    answers = made | wrong
    return [answers[str(path)] for path in paths]


def predict_dataset(
    store: Store, stored: StoredHead, dataset: str, settings: FlagSettings | None = None
) -> list[Prediction]:
    """Predict the images of a dataset from their stored features, in the order of their keys."""
    rows = store.catalog.rows(dataset, ["key", "image_id"])
    rows = rows.filter(rows["image_id"].is_valid()).sort_by("key")
    features = store.features(stored.card.encoder_id).load()
    ids = ids_from_arrow(rows["image_id"])
    where = positions(ids, features.ids)
    names = [key for key, at in zip(rows["key"].to_pylist(), where, strict=True) if at >= 0]
    where = where[where >= 0]
    chosen = FeatureMatrix(features.encoder_id, features.ids[where], features.vectors[where])
    return _predict(stored, chosen, names, settings)


def _predict(
    stored: StoredHead,
    features: FeatureMatrix,
    names: Sequence[str],
    settings: FlagSettings | None,
) -> list[Prediction]:
    if not len(features):
        return []
    proba = stored.predict_proba(features)
    reasons = uncertainty(
        proba,
        stored.head.threshold,
        settings or FlagSettings(),
        multi_label=stored.head.multi_label_,
    )
    answers = stored.answers(proba)
    classes = stored.card.classes
    return [
        Prediction(
            name=name,
            image_id=features.ids[row].tobytes().hex(),
            predicted=answers[row],
            probabilities={
                classes[i]: float(proba[row, i]) for i in np.argsort(-proba[row], kind="stable")
            },
            reasons={r.name: float(r.strength[row]) for r in reasons if r.counts[row]},
        )
        for row, name in enumerate(names)
    ]
