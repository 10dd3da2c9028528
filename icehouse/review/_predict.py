"""``predict``: answers for images, and which of them are ambiguous."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from icehouse.errors import UsageError
from icehouse.heads import StoredHead
from icehouse.review._beyond import Ground, sets_of
from icehouse.review._reasons import FlagSettings, uncertainty
from icehouse.search import vectors_of
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
        Also empty where an answer was refused.
    probabilities : dict
        By class, falling; calibrated.
    reasons : dict
        Why it is ambiguous: strength by reason; empty where it is not.
    error : str or None
    possible : tuple of str or None
        The set of classes that holds the right one as often as was asked, the most probable
        first; None where no coverage was asked, or an answer was refused.
    unfamiliarity : float or None
        Share of the training images that lie nearer to the others than this one does to them; 0
        for a training image. None where nobody knows.
    """

    name: str
    image_id: str
    predicted: tuple[str, ...]
    probabilities: dict[str, float]
    reasons: dict[str, float]
    error: str | None = None
    possible: tuple[str, ...] | None = None
    unfamiliarity: float | None = None


def predict_files(
    store: Store,
    stored: StoredHead,
    paths: Sequence[Path],
    settings: FlagSettings | None = None,
    *,
    refuse: bool = False,
) -> list[Prediction]:
    """Predict files; they are not stored.

    Parameters
    ----------
    store : Store
    stored : StoredHead
    paths : sequence of Path
    settings : FlagSettings, optional
    refuse : bool
        Give no answer and no set for images that are unfamiliar.

    Returns
    -------
    list of Prediction
        One for each path, in their order; a file that is no picture has an error.

    Raises
    ------
    UsageError
        What is asked for takes more than an earlier version kept of the head.
    """
    found = vectors_of(store, stored.card.encoder_id, paths)
    names = [str(path) for path in found.paths]
    predicted = Predictor(store, stored, settings).predict(found.features, names, refuse=refuse)
    made = dict(zip(names, predicted, strict=True))
    wrong = {
        str(path): Prediction(str(path), "", (), {}, {}, str(error))
        for path, error in found.errors.items()
    }
    answers = made | wrong
    return [answers[str(path)] for path in paths]


def predict_dataset(
    store: Store,
    stored: StoredHead,
    dataset: str,
    settings: FlagSettings | None = None,
    *,
    refuse: bool = False,
) -> list[Prediction]:
    """Predict the images of a dataset from their stored features, in the order of their keys.

    See :func:`predict_files`.
    """
    rows = store.catalog.rows(dataset, ["key", "image_id"])
    rows = rows.filter(rows["image_id"].is_valid()).sort_by("key")
    features = store.features(stored.card.encoder_id).load()
    ids = ids_from_arrow(rows["image_id"])
    where = positions(ids, features.ids)
    names = [key for key, at in zip(rows["key"].to_pylist(), where, strict=True) if at >= 0]
    where = where[where >= 0]
    chosen = FeatureMatrix(features.encoder_id, features.ids[where], features.vectors[where])
    return Predictor(store, stored, settings).predict(chosen, names, refuse=refuse)


class Predictor:
    """A head that is asked again and again: what it was trained on is read once.

    Parameters
    ----------
    store : Store
    stored : StoredHead
    settings : FlagSettings, optional
    """

    def __init__(
        self, store: Store, stored: StoredHead, settings: FlagSettings | None = None
    ) -> None:
        self.stored = stored
        self._store = store
        self._settings = settings or FlagSettings()

    @cached_property
    def _ground(self) -> Ground | None:
        return Ground.of(self._store, self.stored)

    def predict(
        self, features: FeatureMatrix, names: Sequence[str], *, refuse: bool = False
    ) -> list[Prediction]:
        """Predict images by their features.

        Parameters
        ----------
        features : FeatureMatrix
            Of the head's encoder.
        names : sequence of str
            What each is called.
        refuse : bool
            Give no answer and no set for images that are unfamiliar.

        Raises
        ------
        UsageError
            What is asked for takes more than an earlier version kept of the head.
        """
        if not len(features):
            return []
        stored = self.stored
        far = self._ground.unfamiliar(features) if self._ground else None
        if refuse and far is None:
            raise UsageError(
                f"it is not known how far images lay from each other that head "
                f"{stored.card.name!r} was trained on, or they are gone. Fit it again: "
                f"{stored.card.command}"
            )
        proba = stored.predict_proba(features)
        inside, reasons = sets_of(stored, proba, self._settings)
        multi_label = stored.head.multi_label_
        reasons += uncertainty(proba, stored.threshold, self._settings, multi_label=multi_label)
        reasons += [far] if far else []
        answers = stored.answers(proba)
        refused = far.counts if refuse and far else np.zeros(len(proba), np.bool_)
        classes = stored.card.classes
        order = np.argsort(-proba, axis=1, kind="stable")
        return [
            Prediction(
                name=name,
                image_id=features.ids[row].tobytes().hex(),
                predicted=() if refused[row] else answers[row],
                probabilities={classes[i]: float(proba[row, i]) for i in order[row]},
                reasons={r.name: float(r.strength[row]) for r in reasons if r.counts[row]},
                possible=None
                if inside is None or refused[row]
                else tuple(classes[i] for i in order[row] if inside[row, i]),
                unfamiliarity=None if far is None else float(far.strength[row]),
            )
            for row, name in enumerate(names)
        ]
