"""Which images of a store are looked at, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from icehouse.embedder import choose_encoder
from icehouse.errors import LookupFailed
from icehouse.review.curation._near import Centre, Integers
from icehouse.review.curation._records import Picture
from icehouse.search import Engine
from icehouse.store import Place, Store, ids_from_arrow, ids_from_bytes

COLUMNS = ["dataset", "key", "source", "image_id", "split"]


@dataclass(frozen=True)
class Scope:
    """Images with vectors.

    Attributes
    ----------
    engine : Engine
    rows : array of int64, shape (n,)
        Those that are looked at, of the engine; rising.
    centre : Centre
    task : str or None
        Whose labels are shown.
    labels : dict
        In force in the task, by image_id; empty without a task.
    notes : tuple of str
        What is to be said of how it was done.
    """

    engine: Engine
    rows: Integers
    centre: Centre
    task: str | None
    labels: dict[bytes, tuple[str, ...]]
    notes: tuple[str, ...]
    _places: pa.Table

    def describe(self, *several: Integers) -> dict[int, Picture]:
        """Describe some rows of the engine; of an image's places the first counts."""
        rows = np.unique(np.concatenate(several)).tolist()
        images = {self.engine.rows.ids[row].tobytes(): row for row in rows}
        named = pc.is_in(self._places["image_id"], pa.array(images, pa.binary(32)))
        some = self._places.filter(named).select(COLUMNS[:-1])
        some = some.sort_by([("dataset", "descending"), ("key", "descending")])
        places = [Place(**row) for row in some.to_pylist()]  # the last one stays
        return {images[place.image_id]: self._picture(place) for place in places}

    def _picture(self, place: Place) -> Picture:
        return Picture(
            image_id=place.image_id.hex(),
            dataset=place.dataset,
            key=place.key,
            source=place.source,
            path=str(place.path) if place.path else None,
            labels=self.labels.get(place.image_id),
        )

    def of(self, column: str, name: str) -> Integers:
        """Return those of the rows that a dataset or split holds, rising.

        Raises
        ------
        LookupFailed
            There are none.
        """
        some = self._places.filter(pc.field(column) == name)
        found = np.intersect1d(self.rows, self.engine.rows.find(ids_from_arrow(some["image_id"])))
        if not len(found):
            have = sorted(filter(None, pc.unique(self._places[column]).to_pylist()))
            raise LookupFailed(
                f"no image with a vector of {self.engine.rows.encoder_id} is in the {column} "
                f"{name!r} ({column}s that images are in: {', '.join(have) or 'none'})"
            )
        return found


def scope_of(
    store: Store, encoder: str | None, task: str | None, datasets: tuple[str, ...] = ()
) -> Scope:
    """Find the images of some datasets, or of all, that have a vector.

    Parameters
    ----------
    store : Store
    encoder : str or None
        None: the store's only one.
    task : str or None
        Whose labels are shown; None: the only one, if there is one.
    datasets : tuple of str

    Raises
    ------
    LookupFailed
        No such task, encoder or dataset, or no image of them has a vector.
    """
    labels: dict[bytes, tuple[str, ...]] = {}
    known = [each.name for each in store.labels.tasks()] if store.has_labels else []
    task = store.labels.task(task).name if task else known[0] if len(known) == 1 else None
    if task is not None:
        labels = store.labels.present(task)
    engine = Engine.open(store, choose_encoder(store, encoder))
    if datasets:
        places = pa.concat_tables(store.catalog.rows(name, COLUMNS) for name in datasets)
    else:
        places = store.catalog.everything(COLUMNS)
    places = places.filter(pc.is_valid(pc.field("image_id")))
    found = engine.rows.find(np.unique(ids_from_arrow(places["image_id"])))
    rows = np.sort(found[found >= 0])
    if not len(rows):
        said = f"dataset {', '.join(datasets)}" if datasets else "any dataset"
        raise LookupFailed(
            f"no image of {said} has a vector of {engine.rows.encoder_id}. Make them with: "
            "icehouse embed"
        )
    centre = Centre.of(engine, rows)
    notes = list(engine.notes)
    if lacking := int((found < 0).sum()):
        notes.append(f"left out, without a vector of {engine.rows.encoder_id}: {_images(lacking)}")
    if empty := int(centre.empty[rows].sum()):
        notes.append(f"left out, as their vector is 0 and has no direction: {_images(empty)}")
        rows = rows[~centre.empty[rows]]
    return Scope(engine, rows, centre, task, labels, tuple(notes), places)


def rows_of(scope: Scope, images: list[bytes]) -> Integers:
    """Return those of a scope's rows that some images have, rising."""
    return np.intersect1d(scope.rows, scope.engine.rows.find(ids_from_bytes(images)))


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"
