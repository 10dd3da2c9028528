"""What a head says of all images of a task, at one moment, ready to be looked up image by image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.heads import StoredHead, folds_of
from icehouse.review import honest_proba, in_scope
from icehouse.store import LabelEvent, Store, unit

FOLDS = 5
PER_CLASS = 3
CLASSES = 6
ALIKE = 0.98
BARS = 8


@dataclass(frozen=True)
class Near:
    """A labelled image near another one.

    Attributes
    ----------
    image_id : bytes
    similarity : float
        Cosine, the mean of all vectors subtracted.
    labels : tuple of str
    """

    image_id: bytes
    similarity: float
    labels: tuple[str, ...]


class View:
    """A head's answers and the neighbourhood of images; made anew when the head is refitted.

    Parameters
    ----------
    store : Store
    task, encoder_id : str
    stored : StoredHead or None
        None: there are neighbours, and no probabilities.
    """

    def __init__(self, store: Store, task: str, encoder_id: str, stored: StoredHead | None) -> None:
        features = in_scope(store, task, encoder_id)
        self.stored = stored
        self._ids = [row.tobytes() for row in features.ids]
        self._row = {image: row for row, image in enumerate(self._ids)}
        wide = features.vectors.astype(np.float32)
        self._unit = unit(wide - wide.mean(axis=0))
        self._proba: npt.NDArray[np.floating[Any]] | None = None
        if stored is not None:
            folds = folds_of(store, stored, folds=FOLDS)
            self._proba, _ = honest_proba(stored, folds, features)

    def bars(self, image_id: bytes) -> list[tuple[str, float]]:
        """Return the most probable classes of an image, the most probable first."""
        row = self._row.get(image_id)
        if row is None or self._proba is None or self.stored is None:
            return []
        proba = self._proba[row]
        order = np.argsort(-proba, kind="stable")[:BARS]
        return [(self.stored.card.classes[i], float(proba[i])) for i in order]

    def near(
        self, image_id: bytes, labels: Mapping[bytes, LabelEvent]
    ) -> tuple[dict[str, list[Near]], list[Near]]:
        """Return the nearest labelled images of each of the nearest classes, and what is alike.

        Parameters
        ----------
        image_id : bytes
        labels : mapping
            In force.
        """
        row = self._row.get(image_id)
        if row is None:
            return {}, []
        cosine = self._unit @ self._unit[row]
        by_class: dict[str, list[Near]] = {}
        alike: list[Near] = []
        for place in np.argsort(-cosine, kind="stable"):
            if place == row:
                continue
            image, event = self._ids[place], labels.get(self._ids[place])
            near = Near(image, float(cosine[place]), event.labels or () if event else ())
            if near.similarity >= ALIKE:
                alike.append(near)
            for label in near.labels:
                some = by_class.setdefault(label, [])
                if len(some) < PER_CLASS:
                    some.append(near)
            full = sum(len(some) == PER_CLASS for some in by_class.values())
            if near.similarity < ALIKE and full >= CLASSES:
                break
            if len(by_class) > 4 * CLASSES:
                break
        best = sorted(by_class.items(), key=lambda pair: -pair[1][0].similarity)[:CLASSES]
        return dict(best), alike[:PER_CLASS]
