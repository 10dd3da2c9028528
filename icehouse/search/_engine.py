"""Search in all vectors of an encoder: by an index where it helps, exact where it does not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from icehouse.errors import LookupFailed, UsageError
from icehouse.search._index import Index, open_index
from icehouse.search._rerank import reranked
from icehouse.search.milvus import open_milvus
from icehouse.store import Store, VectorRows, nearest, unit

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

RARE = 0.1  # of the rows of an index: where fewer are allowed, it would name too few of them
AT_HAND = 64 * 2**20  # bytes of float32: as much may stay in memory once it was compared
LARGE_SHARE = 0.05  # of the rows: where as many are wanted, exact search is as fast
BEHIND = 0.2  # of all rows: where an index lacks as many, it is time to extend it


@dataclass(frozen=True)
class Engine:
    """The vectors of an encoder as they were when it was opened, ready to be searched.

    Attributes
    ----------
    rows : VectorRows
    index : Index or None
    opened : tuple of str
        What was to be said of the index when it was opened.
    """

    rows: VectorRows
    index: Index | None
    opened: tuple[str, ...] = ()

    @classmethod
    def open(
        cls, store: Store, encoder_id: str, *, exact: bool = False, index: str | None = None
    ) -> Engine:
        """Open the vectors of an encoder, and its index unless search is to be exact.

        Parameters
        ----------
        store : Store
        encoder_id : str
        exact : bool
            Use no index.
        index : str, optional
            A Milvus to use, ``milvus:photos.db`` or ``milvus:http://host:19530``, and not the index
            that the store may have. Where it fails, search is exact, and :attr:`notes` say why.

        Raises
        ------
        LookupFailed
            The store has no vectors of this encoder.
        StoreCorrupt
            A shard is damaged.
        UsageError
            What names the index is no address of Milvus, or search is to be exact too.
        MissingExtra
            Milvus is asked for, and its client is not installed.
        """
        if exact and index is not None:
            raise UsageError("an exact search uses no index: ask for one or the other")
        rows = store.features(encoder_id).rows()
        if not len(rows):
            raise LookupFailed(f"the store has no features of encoder {encoder_id}")
        if exact:
            return cls(rows, None)
        found: Index | None
        if index is None:
            found, notes = open_index(store, rows)
        else:
            found, notes = open_milvus(index, rows)
        if found is not None and (lacks := int((~found.covered).sum())) > BEHIND * len(rows):
            notes.append(
                f"the index lacks {lacks:,} of {len(rows):,} vectors, which are compared one by "
                f"one. Add them: {found.remedy}"
            )
        return cls(rows, found, tuple(notes))

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the index, for people."""
        return self.opened if self.index is None else (*self.opened, *self.index.notes)

    def nearest(
        self, queries: npt.NDArray[np.floating], k: int, among: Mask | None = None
    ) -> tuple[Floats, Integers]:
        """Find the k rows that are nearest to each query.

        Parameters
        ----------
        queries : array, shape (q, D)
        k : int
            If there are fewer rows, all of them.
        among : array of bool, shape (n,), optional
            Rows that alone may be neighbours.

        Returns
        -------
        similarity : array of float32, shape (q, k)
            Cosines of the vectors as they are stored, falling.
        index : array of int64, shape (q, k)

        Raises
        ------
        UsageError
            Queries of another dimension, or not finite.
        """
        check_vectors(queries, self.rows.dim)
        allowed = len(self.rows) if among is None else int(among.sum())
        k = min(k, allowed)
        if self.index is None or k > LARGE_SHARE * len(self.rows):
            return self._exact(queries, k, among)
        covered = self.index.covered if among is None else self.index.covered & among
        if covered.sum() < RARE * len(self.rows):
            return self._exact(queries, k, among)
        asked = unit(queries)
        named = self.index.candidates(asked, k, among)
        similarity, found = _padded(*reranked(asked, self.rows, named, k), k)
        rest = ~self.index.covered if among is None else among & ~self.index.covered
        if rest.any():
            similarity, found = _merged(
                (similarity, found), self._exact(queries, min(k, int(rest.sum())), rest), k
            )
        few = np.flatnonzero((found < 0).any(axis=1))
        if len(few):
            similarity[few], found[few] = self._exact(queries[few], k, among)
        return similarity, found

    def _exact(
        self, queries: npt.NDArray[np.floating], k: int, among: Mask | None
    ) -> tuple[Floats, Integers]:
        which = None if among is None or among.all() else np.flatnonzero(among)
        return nearest(queries, self._base, k, among=which)

    @cached_property
    def _base(self) -> VectorRows | Floats:
        """The rows as they are compared: to make float32 of float16 is half of an exact search."""
        if 4 * self.rows.dim * len(self.rows) > AT_HAND:
            return self.rows
        return self.rows.block(0, len(self.rows)).astype(np.float32)


def check_vectors(vectors: npt.NDArray[np.floating], dim: int) -> None:
    """Raise UsageError for vectors that cannot be compared with those of the store."""
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise UsageError(f"a query takes {dim} numbers, got vectors of shape {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise UsageError("a query vector holds NaN or infinity")


def _padded(similarity: Floats, found: Integers, k: int) -> tuple[Floats, Integers]:
    lacks = ((0, 0), (0, k - found.shape[1]))
    return (
        np.pad(similarity, lacks, constant_values=-np.inf),
        np.pad(found, lacks, constant_values=-1),
    )


def _merged(
    one: tuple[Floats, Integers], other: tuple[Floats, Integers], k: int
) -> tuple[Floats, Integers]:
    similarity = np.concatenate([one[0], other[0]], axis=1)
    found = np.concatenate([one[1], other[1]], axis=1)
    order = np.lexsort((found, -similarity), axis=1)[:, :k]
    return np.take_along_axis(similarity, order, axis=1), np.take_along_axis(found, order, axis=1)
