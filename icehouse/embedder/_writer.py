"""Collect outcomes and commit them: vectors first, then catalog rows.

In that order a killed run never leaves a row whose vector is missing for good: what has no row
is read again by the next run, and found to have its vector already.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from icehouse.embedder._pipeline import Outcome
from icehouse.embedder._spec import EncoderSpec
from icehouse.errors import VectorError
from icehouse.store import CatalogRow, Store, ids_from_bytes

COMMIT_ROWS = 8192
COMMIT_SECONDS = 5.0


class Writer:
    """Writes what a run finds into a store.

    Parameters
    ----------
    store : Store
    spec : EncoderSpec or None
        None for a run that has nothing to encode.
    dataset : str
    done : frozenset of bytes
        The images that had a vector before the run.
    """

    def __init__(
        self,
        store: Store,
        spec: EncoderSpec | None,
        dataset: str,
        done: frozenset[bytes],
    ) -> None:
        self._store = store
        self._spec = spec
        self._dataset = dataset
        self._done = set(done)
        self._rows: list[CatalogRow] = []
        self._ids: list[bytes] = []
        self._vectors: list[npt.NDArray[np.float32]] = []
        self._twins: list[CatalogRow] = []
        self._failed: dict[bytes, CatalogRow] = {}
        self._last_commit = time.monotonic()
        self.refused: VectorError | None = None
        self.encoded = 0
        self.reused = 0
        self.errors: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Take in some inputs, and commit when enough have come together."""
        if outcome.vectors is not None:
            outcome = self._without_copies(outcome)
        if outcome.vectors is not None:
            ids = [row.image_id for row in outcome.rows if row.image_id]
            self._rows += outcome.rows
            self._ids += ids
            self._vectors.append(outcome.vectors)
            self._done.update(ids)
            self.encoded += len(ids)
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
        self._store.catalog.append(self._dataset, self._rows)
        self._rows, self._ids, self._vectors = [], [], []
        self._last_commit = time.monotonic()

    def _commit_vectors(self) -> None:
        """Commit what is sound; keep what is wrong with the rest in ``refused``."""
        if not self._ids or self._spec is None:
            return
        features = self._store.features(self._spec.encoder_id)
        vectors, ids = np.concatenate(self._vectors), ids_from_bytes(self._ids)
        try:
            features.append(ids, vectors, self._spec.stored_as)
        except VectorError as error:
            with np.errstate(over="ignore"):
                sound = np.isfinite(vectors.astype(self._spec.stored_as)).all(axis=1)
            if sound.any():
                features.append(ids[sound], vectors[sound], self._spec.stored_as)
            bad = {i.tobytes() for i in ids[~sound]}
            self._rows = [row for row in self._rows if row.image_id not in bad]
            self.encoded -= len(bad)
            self.refused = error

    def _settle_twins(self) -> None:
        """Decide on copies of images that were still being decoded when the copy was read."""
        open_ones, self._twins = self._twins, []
        for row in open_ones:
            if row.image_id in self._done:
                self._rows.append(row)
                self.reused += 1
            elif row.image_id in self._failed:
                first = self._failed[row.image_id]
                self._add_error(_as_failed(row, first))
            else:
                self._twins.append(row)

    def _without_copies(self, outcome: Outcome) -> Outcome:
        """Drop vectors of images that came before: two nodes do not know of each other."""
        known = [row.image_id in self._done for row in outcome.rows]
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
