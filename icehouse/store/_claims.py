"""What a source says of its images, as events of the label log.

A source's claim about an image is made of all rows of a dataset that show it. Only a claim that
differs from the last one is recorded, so reading the same source again, under other names or
from another place, never overrides what a person has said since.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

import pyarrow as pa
import pyarrow.compute as pc

from icehouse.store._catalog import Catalog
from icehouse.store._labels import AT_ONCE, SINGLE, LabelLog, Statement

SOURCE = "source"


def record_claims(catalog: Catalog, log: LabelLog, dataset: str, task: str) -> int:
    """Record what the source of a dataset says now, where that is news.

    An image that stands in several class folders has, in a single-label task, the label of the
    first of its keys, and a note that names the others; in a multi-label task it has all.

    Parameters
    ----------
    catalog : Catalog
    log : LabelLog
    dataset : str
        Whose name is the annotator of the events.
    task : str

    Returns
    -------
    int
        Events recorded.
    """
    rows = catalog.rows(dataset, ["key", "image_id", "labels"])
    rows = rows.filter(pc.is_valid(pc.field("image_id")) & pc.is_valid(pc.field("labels")))
    single = log.task(task).kind == SINGLE
    claims = ((image, _claim(labels, single)) for image, labels in _by_image(rows))
    return log.claim(task, claims, annotator=dataset, origin=SOURCE)


def _by_image(rows: pa.Table) -> Iterator[tuple[bytes, tuple[str, ...]]]:
    """Yield the labels of all rows of each image; few are in memory as Python objects."""
    rows = rows.combine_chunks()
    order = pc.sort_indices(rows, [("image_id", "ascending"), ("key", "ascending")])
    parts = (rows.take(order.slice(at, AT_ONCE)) for at in range(0, len(rows), AT_ONCE))
    pairs = (
        pair
        for part in parts
        for pair in zip(part["image_id"].to_pylist(), part["labels"].to_pylist(), strict=True)
    )
    for image, group in groupby(pairs, key=itemgetter(0)):
        yield image, tuple(label for _, labels in group for label in labels)


@lru_cache(maxsize=4096)
def _claim(labels: tuple[str, ...], single: bool) -> Statement:
    distinct = tuple(dict.fromkeys(labels))
    if not single or len(distinct) == 1:
        return distinct, None
    return distinct[:1], f"the source also says: {', '.join(distinct[1:])}"
