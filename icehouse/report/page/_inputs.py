"""What the catalog says of the inputs of a task: sizes, formats, errors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

from icehouse.store import IdArray, Store, ids_from_arrow, positions

Key = TypeVar("Key", str, tuple[int, int])

COLUMNS = ["image_id", "error", "width", "height", "format", "bytes"]


@dataclass(frozen=True)
class Inputs:
    """Inputs of the datasets of a task.

    Attributes
    ----------
    datasets : tuple of str
    count, images : int
        Inputs in all, and different images among them.
    labelled : int
        Images that have labels and features.
    errors : dict of str to int
        Inputs that are no pictures, by kind.
    sizes : dict of (width, height) to int
        Of labelled images in pixels, as stored, the most frequent first.
    formats : dict of str to int
        Likewise.
    bytes : int
        Of labelled images.
    """

    datasets: tuple[str, ...]
    count: int
    images: int
    labelled: int
    errors: dict[str, int]
    sizes: dict[tuple[int, int], int]
    formats: dict[str, int]
    bytes: int


def inputs_of(store: Store, datasets: list[str], labelled: IdArray) -> Inputs:
    """Count the inputs of some datasets.

    Parameters
    ----------
    store : Store
    datasets : list of str
    labelled : array of V32, shape (n,)
        The images whose sizes and formats count, once each; sorted.
    """
    rows = pa.concat_tables(store.catalog.rows(name, COLUMNS) for name in datasets)
    errors = Counter(kind for kind in rows["error"].to_pylist() if kind is not None)
    rows = rows.filter(rows["image_id"].is_valid())
    sizes: Counter[tuple[int, int]] = Counter()
    formats: Counter[str] = Counter()
    size, seen = 0, set()
    where = positions(ids_from_arrow(rows["image_id"]), labelled).tolist()
    columns = (rows[name].to_pylist() for name in COLUMNS[2:])
    for at, width, height, form, held in zip(where, *columns, strict=True):
        if at >= 0 and at not in seen:
            seen.add(at)
            sizes[width or 0, height or 0] += 1
            formats[form or "unknown"] += 1
            size += held or 0
    return Inputs(
        datasets=tuple(datasets),
        count=len(rows) + sum(errors.values()),
        images=len(rows["image_id"].unique()),
        labelled=len(labelled),
        errors=_ordered(errors),
        sizes=_ordered(sizes),
        formats=_ordered(formats),
        bytes=size,
    )


def _ordered(counts: Counter[Key]) -> dict[Key, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
