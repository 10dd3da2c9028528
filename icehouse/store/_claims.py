"""What a source says of its images, as events of the label log.

A source's claim about an image is made of all rows of a dataset that show it. Only a claim that
differs from the last one is recorded, so reading the same source again, under other names or
from another place, never overrides what a person has said since.
"""

from __future__ import annotations

from functools import lru_cache

import pyarrow.compute as pc

from icehouse.store._catalog import Catalog
from icehouse.store._labels import SINGLE, LabelLog, Statement

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
    rows = rows.sort_by("key")
    said: dict[bytes, tuple[str, ...]] = {}
    for image, labels in zip(rows["image_id"].to_pylist(), rows["labels"].to_pylist(), strict=True):
        said[image] = (*said.get(image, ()), *labels)
    single = log.task(task).kind == SINGLE
    claims = {image: _claim(said.pop(image), single) for image in list(said)}
    return log.claim(task, claims, annotator=dataset, origin=SOURCE)


@lru_cache(maxsize=4096)
def _claim(labels: tuple[str, ...], single: bool) -> Statement:
    distinct = tuple(dict.fromkeys(labels))
    if not single or len(distinct) == 1:
        return distinct, None
    return distinct[:1], f"the source also says: {', '.join(distinct[1:])}"
