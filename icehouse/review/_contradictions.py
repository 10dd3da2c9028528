"""One file under two labels: what a source says of an image twice, and differently."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from icehouse.review._neighbours import Neighbour, as_neighbour
from icehouse.store import Place, Store

SOURCE = "source"


def contradictions(
    store: Store, task: str, datasets: list[str]
) -> dict[bytes, tuple[Neighbour, ...]]:
    """Find images whose rows in the catalog have different labels, in a single-label task.

    What a person has said of an image since settles it.

    Parameters
    ----------
    store : Store
    task : str
    datasets : list of str
        Those that label the task.

    Returns
    -------
    dict
        By image_id the rows that are labelled otherwise than the label in force.
    """
    columns = ["image_id", "dataset", "key", "source", "labels"]
    rows = pa.concat_tables([store.catalog.rows(name, columns) for name in datasets])
    rows = rows.filter(pc.is_valid(pc.field("image_id")) & pc.is_valid(pc.field("labels")))
    counts = rows["image_id"].value_counts()
    several = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    rows = rows.filter(pc.is_in(rows["image_id"], value_set=several)).sort_by(
        [(name, "ascending") for name in columns[:3]]
    )
    if not len(rows):
        return {}
    in_force = store.labels.in_force(task)
    found = {}
    for image, group in groupby(rows.to_pylist(), key=itemgetter("image_id")):
        event = in_force.get(image)
        if event is None or event.labels is None or event.origin != SOURCE:
            continue
        others = [row for row in group if row["labels"] and row["labels"][0] not in event.labels]
        if others:
            found[image] = tuple(map(_describe, others))
    return found


def _describe(row: dict[str, Any]) -> Neighbour:
    labels = tuple(row.pop("labels"))
    return as_neighbour(Place(**row), 1.0, labels)
