"""Which images a search is among: those of datasets, splits and labels, and none twice over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from icehouse.errors import LookupFailed, UsageError
from icehouse.store import Place, Store, VectorRows, ids_from_arrow, ids_from_bytes

COLUMNS = ["dataset", "key", "source", "image_id", "split"]
Mask = npt.NDArray[np.bool_]
Labels = dict[bytes, tuple[str, ...]]


@dataclass(frozen=True)
class Filters:
    """What images have to be; nothing said is anything.

    Attributes
    ----------
    datasets, splits : tuple of str
        One of these.
    labels : tuple of str
        One of these in the task, by the labels in force.
    labelled : bool or None
        Whether they have a label in the task at all.
    """

    datasets: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    labelled: bool | None = None

    @property
    def of_labels(self) -> bool:
        """Whether they are about labels."""
        return bool(self.labels) or self.labelled is not None

    def __str__(self) -> str:
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return ", ".join(
            f"{name}: {', '.join(v) if isinstance(v, tuple) else 'yes' if v else 'no'}"
            for name, v in said.items()
            if v not in ((), None)
        )


@dataclass(frozen=True)
class Wanted:
    """The images that a search is among.

    Attributes
    ----------
    rows : array of bool, shape (n,)
        Of all vectors.
    places : pyarrow.Table
        Rows of the catalog that name them.
    labels : dict
        In force in the task, by image_id; empty without a task.
    """

    rows: Mask
    places: pa.Table
    labels: Labels

    def place(self, images: Sequence[bytes]) -> dict[bytes, Place]:
        """Return where each image is to be found; of several places the first."""
        some = self.places.filter(
            pc.is_in(self.places["image_id"], pa.array(images, pa.binary(32)))
        )
        some = some.select(COLUMNS[:-1]).sort_by([("dataset", "descending"), ("key", "descending")])
        return {row["image_id"]: Place(**row) for row in some.to_pylist()}


def wanted(store: Store, rows: VectorRows, filters: Filters, task: str | None) -> Wanted:
    """Find the images that pass all filters, stand in a dataset and have a vector.

    Raises
    ------
    LookupFailed
        There are none, or a dataset or task that is named is not there.
    UsageError
        Filters are about labels, and no task is named; or a label is no class of it.
    """
    datasets = filters.datasets or store.catalog.datasets()
    tables = [store.catalog.rows(name, COLUMNS) for name in dict.fromkeys(datasets)]
    if not tables:
        raise LookupFailed("the store has no datasets. Make one with: icehouse embed")
    places = pa.concat_tables(tables).filter(pc.is_valid(pc.field("image_id")))
    if filters.splits:
        places = places.filter(pc.is_in(places["split"], pa.array(filters.splits)))
    place = rows.find(ids_from_arrow(places["image_id"]))
    mask = np.zeros(len(rows), np.bool_)
    mask[place[place >= 0]] = True
    labels = _labels(store, filters, task)
    if filters.of_labels:
        good = filters.labels
        named = [i for i, has in labels.items() if not good or not set(good).isdisjoint(has)]
        place = rows.find(ids_from_bytes(named))
        has = np.zeros(len(rows), np.bool_)
        has[place[place >= 0]] = True
        mask &= ~has if filters.labelled is False else has
    if not mask.any():
        said = str(filters) or "none"
        raise LookupFailed(f"no image with a vector of {rows.encoder_id} passes (filters: {said})")
    return Wanted(mask, places, labels)


def _labels(store: Store, filters: Filters, task: str | None) -> Labels:
    if task is None:
        if filters.of_labels:
            raise UsageError("say in which task the labels are: --task")
        return {}
    if unknown := set(filters.labels) - set(store.labels.task(task).classes):
        known = ", ".join(store.labels.task(task).classes)
        raise UsageError(f"{sorted(unknown)} not among the classes of task {task!r}: {known}")
    if filters.labels and filters.labelled is False:
        raise UsageError("images without a label have none of the labels asked for")
    return store.labels.present(task)
