"""``duplicates``: which files show one picture, and where they are said to be two things."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from icehouse.embedder import (
    MAX_DISTANCE,
    MIN_CORRELATION,
    THUMBNAIL,
    Completed,
    Looks,
    Pairs,
    choose_encoder,
    embed_stored,
    find_alike,
    needed,
)
from icehouse.errors import UsageError
from icehouse.review.duplicates._clusters import make_clusters
from icehouse.review.duplicates._cosines import Cosines
from icehouse.review.duplicates._records import DuplicateReport
from icehouse.review.duplicates._told import Told
from icehouse.store import FeatureMatrix, IdArray, Store, ids_from_arrow, positions

BITS = 63
COLUMNS = ["dataset", "key", "source", "image_id", "labels", "split"]


@dataclass(frozen=True)
class DuplicateOptions:
    """What counts as a duplicate, and among what.

    Attributes
    ----------
    task : str or None
        Whose labels and splits are meant. None: the only one, or to each dataset its own.
    dataset : str or None
        Only files of this one.
    max_distance : int
        Bits in which two hashes of 63 may differ.
    min_correlation : float
        Of two thumbnails, at least.
    encoder : str or None
        Whose cosines count too; None: the only one.
    cosine : float or None
        Pairs whose centred cosine is at least this are duplicates too. None: cosines do not count.
    """

    task: str | None = None
    dataset: str | None = None
    max_distance: int = MAX_DISTANCE
    min_correlation: float = MIN_CORRELATION
    encoder: str | None = None
    cosine: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.max_distance <= BITS:
            raise UsageError(f"hashes differ in 0 to {BITS} bits, got {self.max_distance}")
        for name in ("min_correlation", "cosine"):
            value = getattr(self, name)
            if value is not None and not -1 <= value <= 1:
                raise UsageError(f"a {name.removeprefix('min_')} is -1 to 1, got {value}")
        if self.encoder is not None and self.cosine is None:
            raise UsageError("say from which cosine on its vectors are duplicates: --cosine 0.99")


def find_duplicates(
    store: Store,
    options: DuplicateOptions | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> DuplicateReport:
    """Find the files that show one picture, in clusters.

    Files of the same bytes are duplicates; so are pictures that are alike by their thumbnails
    (:func:`icehouse.embedder.find_alike`). Thumbnails that the store lacks are made first, from
    where the images came; that is all that changes.

    Parameters
    ----------
    store : Store
    options : DuplicateOptions, optional
    progress : callable, optional
        Of making thumbnails: images done, their number, and those that could not be read.

    Raises
    ------
    LookupFailed
        No such task, dataset or encoder.
    Interrupted
        Ctrl-C while thumbnails were made; they are kept.
    """
    options = options or DuplicateOptions()
    if options.task is not None:
        store.labels.task(options.task)
    encoder = choose_encoder(store, options.encoder) if options.cosine is not None else None
    made = embed_stored(store, THUMBNAIL, dataset=options.dataset, progress=progress)
    rows = _rows(store, options.dataset)
    ids = ids_from_arrow(rows["image_id"].unique())
    notes = _notes(made)
    similar = None
    pairs = Pairs.joined([])
    if made.encoder_id is not None:
        thumbnails = store.features(made.encoder_id).load()
        pairs = _alike(ids, thumbnails, options)
        if encoder is not None and options.cosine is not None:
            similar = Cosines(store.features(encoder).load(), ids)
            found, lacking = similar.pairs(thumbnails, options.cosine)
            pairs = needed(len(ids), Pairs.joined([pairs, found]))
            if lacking:
                notes.append(f"{lacking:,} images have no vector of {encoder} to compare")
    told = Told(store, options.task, made.encoder_id)
    clusters = make_clusters(rows, ids, pairs, told, similar)
    return DuplicateReport(told.task, len(ids), clusters, tuple(notes))


def _rows(store: Store, dataset: str | None) -> pa.Table:
    if dataset is None:
        rows = store.catalog.everything(COLUMNS)
    else:
        rows = store.catalog.rows(dataset, COLUMNS)
    return rows.filter(pc.is_valid(pc.field("image_id")))


def _alike(ids: IdArray, thumbnails: FeatureMatrix, options: DuplicateOptions) -> Pairs:
    where = positions(ids, thumbnails.ids)
    known = np.flatnonzero(where >= 0)
    looks = Looks(thumbnails.vectors[where[known]])
    return find_alike(looks, options.max_distance, options.min_correlation).numbered(known)


def _notes(made: Completed) -> list[str]:
    if not made.lost:
        return []
    count = "1 image" if len(made.lost) == 1 else f"{len(made.lost):,} images"
    first = made.lost[0]
    return [
        f"{count} cannot be read any more, so only files of the same bytes are known of them. The "
        f"first is {first.key}: {first.detail}"
    ]
