"""A map of all images of a store: computed once, kept, and completed by what is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from icehouse.errors import LookupFailed, StoreCorrupt, StoreUnwritable, UsageError
from icehouse.maps._layout import Step, completed, laid_out, present
from icehouse.maps._neighbours import Integers
from icehouse.maps._pca import principal_plane
from icehouse.store import (
    IdArray,
    MapFiles,
    Store,
    StoredMap,
    VectorRows,
    ids_from_arrow,
    positions,
)

UMAP, PCA = "umap", "pca"
METHODS = (UMAP, PCA)
FEWEST = 16  # below it neighbours say nothing, and the principal components are drawn
MANY = 0.5  # of the images: where as many are newer than a map, it is no longer theirs
REVISION = 1  # of what is computed for a map that is kept


@dataclass(frozen=True)
class MapOptions:
    """How a map is made.

    Attributes
    ----------
    method : {"umap", "pca"}
        The second takes seconds, and is not kept.
    neighbours : int
        Of each image; more of them show the whole better, and fewer its parts.
    min_dist : float
        How near points may come, from 0 to 1.
    seed : int
    most : int
        Images that a map is made of. Of more, as many are chosen at random, and the others are
        placed among them.
    """

    method: str = "umap"
    neighbours: int = 15
    min_dist: float = 0.1
    seed: int = 0
    most: int = 100_000

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(f"a map is made by {' or '.join(METHODS)}, got {self.method!r}")
        if not 2 <= self.neighbours <= 200:
            raise UsageError(f"a map takes 2 to 200 neighbours, got {self.neighbours}")
        if not 0 <= self.min_dist < 1:
            raise UsageError(f"min_dist is from 0 to below 1, got {self.min_dist}")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"a seed is from 0 to {2**32 - 1}, got {self.seed}")
        if self.most < FEWEST:
            raise UsageError(f"a map is made of {FEWEST} images or more, got {self.most}")


@dataclass(frozen=True)
class Map:
    """Images as points in the plane.

    Attributes
    ----------
    encoder_id : str
    method : {"umap", "pca"}
    ids : array of V32, shape (n,)
        In the order of the store's vectors.
    xy : array of float32, shape (n, 2)
        Distances have no unit; that images are near each other is what counts.
    placed : array of bool, shape (n,)
        Images that came later, or were too many, and were placed among the others.
    kept : float or None
        Share of each image's nearest neighbours that are as many nearest on the map: the mean over
        all of which the map was made. The plane has room for little: 0.1 to 0.3 is usual.
    notes : tuple of str
    """

    encoder_id: str
    method: str
    ids: IdArray
    xy: npt.NDArray[np.float32]
    placed: npt.NDArray[np.bool_]
    kept: float | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)


def read_map(store: Store, encoder_id: str) -> Map | None:
    """Return the map that is kept of an encoder, of those images that the store still has.

    Images without a place on it are left out. None where none is kept, or it is damaged.
    """
    stored = _kept_map(store, encoder_id)
    if stored is None:
        return None
    rows = store.features(encoder_id).rows()
    found = _as_map(present(rows, stored), rows, _in_force(store, rows))
    return None if found.placed.all() else found


def options_of(store: Store, encoder_id: str) -> MapOptions:
    """Return how the map that is kept was made, or else how one is made."""
    stored = _kept_map(store, encoder_id)
    return MapOptions() if stored is None else MapOptions(**stored.said["options"])


def of_datasets(store: Store, drawn: Map, datasets: Sequence[str]) -> Map:
    """Return the part of a map that stands in one of some datasets.

    Raises
    ------
    LookupFailed
        No such dataset, or none of its images is on the map.
    """
    tables = [store.catalog.rows(name, ["image_id"])["image_id"].drop_null() for name in datasets]
    at = positions(np.concatenate([ids_from_arrow(table) for table in tables]), drawn.ids)
    here = np.unique(at[at >= 0])
    if not len(here):
        raise LookupFailed(f"no image of {', '.join(datasets)} is on the map")
    return _part(drawn, here)


def make_map(
    store: Store,
    encoder_id: str,
    options: MapOptions | None = None,
    *,
    anew: bool = False,
    step: Step | None = None,
) -> Map:
    """Return a map of all images of an encoder that stand in a dataset.

    The one that is kept is taken where it was made in the same way, and what is new since then is
    placed on it, so that a map that people know stays as it is. The same vectors and options give
    the same map. Of a store without any dataset all vectors are drawn.

    Parameters
    ----------
    store : Store
    encoder_id : str
    options : MapOptions, optional
        By default those of the map that is kept. Others make another map, which takes its place.
    anew : bool
        Make it of all images again.
    step : callable, optional
        Called with what is being done, how many images are done, and their number.

    Raises
    ------
    LookupFailed
        The store has no vectors of this encoder, or none of an image that stands in a dataset.
    StoreCorrupt
        A shard is damaged.
    """
    options = options or options_of(store, encoder_id)
    rows = store.features(encoder_id).rows()
    if not len(rows):
        raise LookupFailed(f"the store has no features of encoder {encoder_id}")
    wanted = _in_force(store, rows)
    if not len(wanted):
        raise LookupFailed(f"no image that encoder {encoder_id} has seen is in a dataset now")
    if options.method == PCA or len(wanted) < FEWEST:
        return _plane(rows, wanted, options)
    files, notes = MapFiles(store.files, encoder_id), []
    before, kept = None, None
    try:
        before = files.read(UMAP)
    except StoreCorrupt as error:
        notes.append(f"{error}. It has been made anew")
    if before is not None and _is_ours(before) and not anew:
        if before.said["options"] == asdict(options):
            kept = present(rows, before)
        else:
            notes.append(f"this takes the place of the map that was kept, of {_told(before)}")
    if kept is None or kept.placed.all():
        said = {"options": asdict(options), "revision": REVISION}
        kept = laid_out(rows, wanted, said, step)
    whole = present(rows, completed(rows, wanted, kept, step))
    if before is None or before.said != whole.said or not np.array_equal(before.ids, whole.ids):
        try:
            files.write(UMAP, whole)
        except StoreUnwritable as error:
            notes.append(f"this map could not be kept, and the next one begins again: {error}")
    found = _as_map(whole, rows, wanted)
    return replace(found, notes=(*notes, *found.notes))


def _kept_map(store: Store, encoder_id: str) -> StoredMap | None:
    try:
        stored = MapFiles(store.files, encoder_id).read(UMAP)
    except StoreCorrupt:
        return None
    return stored if stored is not None and _is_ours(stored) else None


def _is_ours(stored: StoredMap) -> bool:
    return bool(stored.said["revision"] == REVISION)


def _told(stored: StoredMap) -> str:
    said = {name: value for name, value in stored.said["options"].items() if name != "method"}
    return ", ".join(f"{name} {value}" for name, value in said.items())


def _in_force(store: Store, rows: VectorRows) -> Integers:
    """Return the rows of images that stand in a dataset, rising; without any dataset all."""
    if not store.catalog.datasets():
        return np.arange(len(rows))
    images = store.catalog.everything(["image_id"])["image_id"].drop_null()
    at = rows.find(ids_from_arrow(images))
    return np.unique(at[at >= 0])


def _plane(rows: VectorRows, wanted: Integers, options: MapOptions) -> Map:
    notes: tuple[str, ...] = ()
    if options.method != PCA:
        few = "1 image is" if len(wanted) == 1 else f"{len(wanted)} images are"
        notes = (f"{few} too few for {options.method}: these are principal components ({PCA})",)
    placed = np.zeros(len(wanted), np.bool_)
    xy = principal_plane(rows, wanted)
    return Map(rows.encoder_id, PCA, rows.ids[wanted], xy, placed, None, notes)


def _as_map(stored: StoredMap, rows: VectorRows, wanted: Integers) -> Map:
    """Return what of a map is wanted, and say so where most of it is newer than the map."""
    said = stored.said
    whole = Map(rows.encoder_id, UMAP, stored.ids, stored.xy, stored.placed, said["kept"])
    found = _part(whole, np.flatnonzero(np.isin(rows.find(stored.ids), wanted)))
    # Those that were too many when it was made were placed, but are not newer than it.
    of_then = (~found.placed).sum() * (said["images"] / said["made_of"])
    newer = round(max(len(found) - of_then, 0))
    if newer <= MANY * len(found):
        return found
    words = (
        f"{newer:,} of {len(found):,} images are newer than this map, and were placed on it. "
        "To make it of all of them: icehouse map --anew"
    )
    return replace(found, notes=(words,))


def _part(whole: Map, rows: Integers) -> Map:
    return replace(whole, ids=whole.ids[rows], xy=whole.xy[rows], placed=whole.placed[rows])
