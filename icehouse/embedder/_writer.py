"""Collect outcomes and commit them: vectors first, then catalog rows.

In that order a killed run never leaves a row whose vector is missing for good: what has no row
is read again by the next run, and found to have its vector already.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.embedder._pipeline import Outcome
from icehouse.embedder._spec import EncoderSpec
from icehouse.errors import VectorError
from icehouse.store import CatalogRow, IdArray, Store, ids_from_bytes

COMMIT_ROWS = 2048
COMMIT_SECONDS = 5.0


class Writer:
    """Writes what a run finds into a store.

    Parameters
    ----------
    store : Store
    spec : EncoderSpec or None
        None for a run that has nothing to encode.
    dataset : str or None
        That the catalog rows belong to. None: what is written is of images that have theirs.
    done : collection of bytes
        The images that had a vector before the run.
    """

    def __init__(
        self,
        store: Store,
        spec: EncoderSpec | None,
        dataset: str | None,
        done: Collection[bytes],
    ) -> None:
        self._store = store
        self._spec = spec
        self._dataset = dataset
        self._before = done
        self._encoded: set[bytes] = set()
        self._rows: list[CatalogRow] = []
        self._ids: list[bytes] = []
        self._views: list[int] = []
        self._vectors: list[npt.NDArray[np.float32]] = []
        self._twins: list[CatalogRow] = []
        self._failed: dict[bytes, CatalogRow] = {}
        self._last_commit = time.monotonic()
        self.refused: VectorError | None = None
        self.encoded = 0
        self.views = 0
        self.reused = 0
        self.errors: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Take in some inputs, and commit when enough have come together."""
        if outcome.vectors is not None:
            outcome = self._without_copies(outcome)
        if outcome.vectors is not None:
            self._rows += outcome.rows
            self._ids += outcome.ids
            self._views += outcome.views
            self._vectors.append(outcome.vectors)
            self._encoded.update(outcome.ids)
            self.encoded += len(outcome.rows)
            self.views += sum(view > 0 for view in outcome.views)
        for row in outcome.rows if outcome.vectors is None else ():
            if row.error is not None:
                self._add_error(row)
                if outcome.failed:
                    self._failed[outcome.failed] = row
            else:
                self._twins.append(row)
        waited = time.monotonic() - self._last_commit
        if len(self._ids) >= COMMIT_ROWS or waited >= COMMIT_SECONDS:
            self.commit()

    def add_rows(self, rows: list[CatalogRow]) -> None:
        """Take in rows that were counted elsewhere."""
        self._rows += rows

    def commit(self) -> None:
        """Make everything durable that is complete."""
        self._settle_twins()
        self._commit_vectors()
        if self._dataset is not None:
            self._store.catalog.append(self._dataset, self._rows)
        self._rows, self._ids, self._views, self._vectors = [], [], [], []
        self._last_commit = time.monotonic()

    def _commit_vectors(self) -> None:
        """Commit what is sound; keep what is wrong with the rest in ``refused``."""
        if not self._ids or self._spec is None:
            return
        vectors, ids = np.concatenate(self._vectors), ids_from_bytes(self._ids)
        views = np.array(self._views, np.int16)
        self._vectors.clear()
        with np.errstate(over="ignore"):
            stored = vectors.astype(self._spec.stored_as)
        finite = np.isfinite(stored).all(axis=1)
        if not finite.all():
            try:  # to be told what is wrong with them; nothing is written
                self._append(ids[~finite], vectors[~finite], views[~finite])
            except VectorError as error:
                self.refused = error
            bad = {i.tobytes() for i in ids[~finite]}
            sound = np.array([image not in bad for image in self._ids])
            ids, stored, views = ids[sound], stored[sound], views[sound]
            self._rows = [row for row in self._rows if row.image_id not in bad]
            self.encoded -= len(bad)
        del vectors
        self._append(ids, stored, views)

    def _append(
        self, ids: IdArray, vectors: npt.NDArray[np.floating[Any]], views: npt.NDArray[np.int16]
    ) -> None:
        """Commit plain images and augmented views as shards of their own: few readers want both."""
        assert self._spec is not None
        features = self._store.features(self._spec.encoder_id)
        for part in (views == 0, views > 0):  # what has views, has a plain vector before
            if part.all() and part.any():
                features.append(ids, vectors, self._spec.stored_as, views)
            elif part.any():
                features.append(ids[part], vectors[part], self._spec.stored_as, views[part])

    def _settle_twins(self) -> None:
        """Decide on copies of images that were still being decoded when the copy was read."""
        open_ones, self._twins = self._twins, []
        for row in open_ones:
            if row.image_id in self._encoded or row.image_id in self._before:
                self._rows.append(row)
                self.reused += 1
            elif row.image_id in self._failed:
                first = self._failed[row.image_id]
                self._add_error(_as_failed(row, first))
            else:
                self._twins.append(row)

    def _without_copies(self, outcome: Outcome) -> Outcome:
        """Drop vectors of images that came before: two nodes do not know of each other."""
        known = [row.image_id in self._encoded for row in outcome.rows]
        if not any(known):
            return outcome
        self._twins += [row for row, copy in zip(outcome.rows, known, strict=True) if copy]
        return outcome.part([number for number, copy in enumerate(known) if not copy])

    def _add_error(self, row: CatalogRow) -> None:
        self._rows.append(row)
        self.errors[str(row.error)] += 1


def _as_failed(row: CatalogRow, first: CatalogRow) -> CatalogRow:
    return replace(
        row,
        image_id=None,
        error=first.error,
        error_detail=first.error_detail,
        width=None,
        height=None,
        format=None,
    )
