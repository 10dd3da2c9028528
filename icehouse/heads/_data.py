"""Labels and features, joined; which images train and which measure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from icehouse.embedder import units_of
from icehouse.errors import LookupFailed, TrainingDataError
from icehouse.heads._fractions import Fractions
from icehouse.heads._split import SPLITS, TRAIN, make_split
from icehouse.heads._views import Views
from icehouse.store import IdArray, Store, Task, ids_from_arrow, ids_from_bytes, positions

MULTI = "multi"
SOURCE = "source"


@dataclass(frozen=True)
class LabelledSet:
    """Labelled images with their features, one row an image.

    Attributes
    ----------
    task : Task
    encoder_id : str
    ids : array of V32, shape (n,)
        Sorted.
    X : array of float16 or float32, shape (n, D)
    y : array, shape (n,) of class names, or (n, n_classes) of 0 and 1
    classes : tuple of str
        That occur in y, sorted; for multi-label all of the task, in the order of y's columns.
    split : array of str, shape (n,)
        "train", "val", "test", or another name that the source gave.
    notes : tuple of str
        What a person should know about how it came to be.
    views : Views or None
        To balance classes by; of whatever split, so take only those of rows that train.
    first_copies : array of V32, shape (n,), or None
        Of each image the first that it is a duplicate of, where splits are to know of them.
    """

    task: Task
    encoder_id: str
    ids: IdArray
    X: npt.NDArray[np.floating[Any]]
    y: npt.NDArray[Any]
    classes: tuple[str, ...]
    split: npt.NDArray[np.str_]
    notes: tuple[str, ...] = ()
    views: Views | None = None
    first_copies: IdArray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def units(self) -> IdArray:
        """What is divided into splits and folds: images, or all copies of a picture as one."""
        return self.ids if self.first_copies is None else self.first_copies

    @property
    def digest(self) -> str:
        """SHA-256 of identities, labels, splits and copies: what a head was trained on."""
        digest = hashlib.sha256(self.encoder_id.encode())
        digest.update(self.ids.tobytes())
        digest.update("\0".join(map(str, self.y.reshape(-1))).encode())
        digest.update("\0".join(self.split).encode())
        if self.first_copies is not None:
            digest.update(self.first_copies.tobytes())
        return digest.hexdigest()


def choose_task(store: Store, name: str | None = None) -> Task:
    """Return a task of the store by name; without a name the only one."""
    if name is not None:
        return store.labels.task(name)
    store.require_labels()
    tasks = store.labels.tasks() if store.has_labels else []
    if len(tasks) == 1:
        return tasks[0]
    if not tasks:
        raise LookupFailed(
            "the store has no labels. Embed class folders, or a manifest with a column 'label'; or "
            "make a task, for people to label: icehouse labels task NAME --classes A,B"
        )
    names = ", ".join(task.name for task in tasks)
    raise LookupFailed(f"the store has several tasks; choose one with --task: {names}")


def load_labelled(
    store: Store,
    encoder_id: str,
    task: Task,
    *,
    dataset: str | None = None,
    fractions: Fractions | None = None,
    seed: int = 0,
    group_duplicates: bool = False,
) -> LabelledSet:
    """Join the present labels of a task with the features of an encoder.

    Where the source gave splits they are respected; an image that it put on two sides stays in
    training only, and one that it put on none trains. Else the split is made by
    :func:`make_split`.

    Parameters
    ----------
    store : Store
    encoder_id : str
    task : Task
    dataset : str, optional
        Only the images of this dataset.
    fractions : Fractions, optional
        80/10/10 by default.
    seed : int
    group_duplicates : bool
        Put all copies of a picture on the same side of a split that is made here, and into the
        same fold. What the source says is respected.

    Raises
    ------
    TrainingDataError
        No labelled image has features of this encoder, or none has a thumbnail to find duplicates
        by.
    """
    labels = store.labels.present(task.name)
    features = store.features(encoder_id).load()
    rows = _catalog_rows(store, datasets_of(store, task.name, dataset))
    present = np.unique(ids_from_arrow(rows["image_id"]))
    ids = np.sort(ids_from_bytes(labels))
    ids = ids[positions(ids, present) >= 0]
    where = positions(ids, features.ids)
    missing = int((where < 0).sum())
    ids, where = ids[where >= 0], where[where >= 0]
    if not len(ids):
        raise TrainingDataError(
            f"no labelled image of task {task.name!r} has features of encoder {encoder_id}. "
            "Run icehouse embed with this encoder first"
        )
    notes = [f"{missing} labelled images have no features of this encoder"] if missing else []
    said = [labels[i.tobytes()] for i in ids]
    if task.kind == MULTI:
        classes = task.classes
        if len(classes) < 2:
            raise TrainingDataError(
                f"the multi-label task {task.name!r} has one class only: {', '.join(classes)}. "
                "Make it a task of two classes that exclude each other: a column 'label', with "
                "a word for images that lack it"
            )
        y: npt.NDArray[Any] = np.array(
            [[name in given for name in classes] for given in said], dtype=np.int64
        )
        strata = _rarest(y)
    else:
        y = strata = np.array([given[0] for given in said])
        classes = tuple(np.unique(y).tolist())
    rule = (fractions, seed, group_duplicates)
    split, copies, said_of_it = _divide(store, ids, strata, rows, *rule)
    vectors, notes = features.vectors[where], [*notes, *said_of_it]
    return LabelledSet(
        task, encoder_id, ids, vectors, y, classes, split, tuple(notes), first_copies=copies
    )


def strata_of(data: LabelledSet) -> npt.NDArray[Any]:
    """Return what a split is stratified by: the class, or the rarest label of an image."""
    return _rarest(data.y) if data.y.ndim == 2 else data.y


def _rarest(indicator: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    count = indicator.sum(axis=0)
    rank = np.where(indicator > 0, count, len(indicator) + 1)
    return np.where(indicator.any(axis=1), rank.argmin(axis=1), -1)


def datasets_of(store: Store, task: str, dataset: str | None = None) -> list[str]:
    """Return the datasets that a task is about, or the one given.

    They are those whose sources label it (all, where none does), and those that no source labels
    at all, of whose images somebody has labelled one. Another dataset, which may hold the same
    images, has a split that is none of the task's.
    """
    if dataset is not None:
        return [dataset]
    known = store.catalog.datasets()
    sources = store.labels.annotators(task, SOURCE)
    if not sources & set(known):
        return known
    loose = loose_datasets(store)
    present = ids_from_bytes(store.labels.present(task)) if loose else None
    return [
        name
        for name in known
        if name in sources
        or (name in loose and present is not None and _holds_any(store, name, present))
    ]


def loose_datasets(store: Store) -> list[str]:
    """Return the datasets that no source labels, for any task."""
    tasks = store.labels.tasks()
    labelled = {who for task in tasks for who in store.labels.annotators(task.name, SOURCE)}
    return [name for name in store.catalog.datasets() if name not in labelled]


def _holds_any(store: Store, dataset: str, images: IdArray) -> bool:
    column = store.catalog.rows(dataset, ["image_id"])["image_id"].drop_null()
    return bool((positions(ids_from_arrow(column), images) >= 0).any())


def _catalog_rows(store: Store, datasets: list[str]) -> pa.Table:
    columns = ["image_id", "split"]
    empty = pa.schema([("image_id", pa.binary(32)), ("split", pa.string())]).empty_table()
    rows = pa.concat_tables([empty, *(store.catalog.rows(name, columns) for name in datasets)])
    return rows.filter(pc.is_valid(pc.field("image_id")))


def _divide(
    store: Store,
    ids: IdArray,
    strata: npt.NDArray[Any],
    rows: pa.Table,
    fractions: Fractions | None,
    seed: int,
    group_duplicates: bool,
) -> tuple[npt.NDArray[np.str_], IdArray | None, list[str]]:
    """Return the side of each image, its first copy if that is asked for, and notes."""
    notes = []
    given_split, moved = _given_split(ids, rows)
    if moved:
        notes.append(f"in several splits of the source, so only trained on: {moved} images")
    copies = None
    if group_duplicates:
        copies, said_of_them = _copies(store, ids, given_split is not None)
        notes += said_of_them
    if given_split is None:
        units = ids if copies is None else copies
        split = make_split(units, strata, fractions or Fractions(), seed)
    else:
        split = given_split
        others = sorted(set(split.tolist()) - set(SPLITS))
        if others:
            count = int(np.isin(split, others).sum())
            notes.append(
                f"in splits that are not train, val or test, so not used: {count} images "
                f"({', '.join(others)})"
            )
        if fractions is not None:
            notes.append("the source gives the split; --split was not used")
    return split, copies, notes


def _copies(store: Store, ids: IdArray, given: bool) -> tuple[IdArray, list[str]]:
    """Return the first copy of each image, and what a person should know of it."""
    copies, unknown = units_of(store, ids)
    _, count = np.unique(copies, return_counts=True)
    pictures, images = int((count > 1).sum()), int(count[count > 1].sum())
    where = "in folds, as the source gives the split" if given else "in splits and folds"
    notes = [f"duplicates are kept together {where}: {images} images of {pictures} pictures"]
    if unknown:
        notes.append(
            f"{unknown} labelled images have no thumbnail, so nobody knows their duplicates: "
            "icehouse duplicates makes what is missing"
        )
    return copies, notes


def _given_split(ids: IdArray, rows: pa.Table) -> tuple[npt.NDArray[np.str_] | None, int]:
    given = rows.filter(pc.is_valid(pc.field("split")))
    where = positions(ids_from_arrow(given["image_id"]), ids)
    names = given["split"].to_pylist()
    sides: dict[int, set[str]] = {}
    for row, name in zip(where.tolist(), names, strict=True):
        if row >= 0:
            sides.setdefault(row, set()).add(name)
    if not sides:
        return None, 0
    split = np.full(len(ids), TRAIN, dtype=object)
    for row, several in sides.items():
        split[row] = next(iter(several)) if len(several) == 1 else TRAIN
    return split.astype(str), sum(len(several) > 1 for several in sides.values())
