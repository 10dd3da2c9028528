"""What a source says of its images, as events of the label log.

A source's claim about an image is made of all rows of a dataset that show it. Only a claim that
differs from the last one is recorded, so reading the same source again, under other names or
from another place, never overrides what a person has said since.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

import pyarrow as pa
import pyarrow.compute as pc

from icehouse.store._catalog import Catalog
from icehouse.store._labels import AT_ONCE, SINGLE, LabelLog, Statement

SOURCE = "source"


@dataclass(frozen=True)
class Claims:
    """What was recorded.

    Attributes
    ----------
    events : int
        That were news.
    contested : tuple of (str, tuple of str)
        Images that have several labels, of which one is to count: the first key of each, and its
        labels in the order of the keys.
    """

    events: int
    contested: tuple[tuple[str, tuple[str, ...]], ...]


def record_claims(catalog: Catalog, log: LabelLog, dataset: str, task: str) -> Claims:
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
    Claims
    """
    rows = catalog.rows(dataset, ["key", "image_id", "labels"])
    rows = rows.filter(pc.is_valid(pc.field("image_id")) & pc.is_valid(pc.field("labels")))
    single = log.task(task).kind == SINGLE
    contested = []

    def said() -> Iterator[tuple[bytes, Statement]]:
        for image, key, labels in _by_image(rows):
            statement = _claim(labels, single)
            if statement[1] is not None:
                contested.append((key, tuple(dict.fromkeys(labels))))
            yield image, statement

    events = log.claim(task, said(), annotator=dataset, origin=SOURCE)
    return Claims(events, tuple(sorted(contested)))


def _by_image(rows: pa.Table) -> Iterator[tuple[bytes, str, tuple[str, ...]]]:
    """Yield the first key of each image, and its labels; few are in memory as Python objects."""
    rows = rows.combine_chunks()
    order = pc.sort_indices(rows, [("image_id", "ascending"), ("key", "ascending")])
    parts = (rows.take(order.slice(at, AT_ONCE)) for at in range(0, len(rows), AT_ONCE))
    columns = ("image_id", "key", "labels")
    listed = (
        row
        for part in parts
        for row in zip(*(part[name].to_pylist() for name in columns), strict=True)
    )
    for image, group in groupby(listed, key=itemgetter(0)):
        _, keys, labels = zip(*group, strict=True)
        yield image, keys[0], tuple(label for several in labels for label in several)


@lru_cache(maxsize=4096)
def _claim(labels: tuple[str, ...], single: bool) -> Statement:
    distinct = tuple(dict.fromkeys(labels))
    if not single or len(distinct) == 1:
        return distinct, None
    return distinct[:1], f"the source also says: {', '.join(distinct[1:])}"
