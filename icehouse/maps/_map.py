"""A map of all images of a store: computed once, kept, and completed by what is new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.errors import LookupFailed, StoreCorrupt, UsageError
from icehouse.maps._neighbours import neighbours_of
from icehouse.maps._pca import principal_plane
from icehouse.maps._place import placed_among
from icehouse.maps._umap import umap_layout
from icehouse.store import IdArray, MapFiles, Store, StoredMap, VectorRows, ids_from_arrow

UMAP, PCA = "umap", "pca"
METHODS = (UMAP, PCA)
FEWEST = 16  # below it neighbours say nothing, and the principal components are drawn
MANY = 0.5  # of the images: where as many were placed, the map is no longer theirs
REVISION = 1  # of what is computed here
Step = Callable[[str, int, int], None]


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
    try:
        stored = MapFiles(store.files, encoder_id).read(UMAP)
    except StoreCorrupt:
        return None
    if stored is None or stored.said["revision"] != REVISION:
        return None
    found = _as_map(encoder_id, _present(store.features(encoder_id).rows(), stored))
    return None if found.placed.all() else found


def options_of(store: Store, encoder_id: str) -> MapOptions:
    """Return how the map that is kept was made, or else how one is made."""
    try:
        stored = MapFiles(store.files, encoder_id).read(UMAP)
    except StoreCorrupt:
        stored = None
    return MapOptions() if stored is None else MapOptions(**stored.said["options"])


def of_datasets(store: Store, drawn: Map, datasets: Sequence[str]) -> Map:
    """Return the part of a map that stands in one of some datasets.

    Raises
    ------
    LookupFailed
        No such dataset, or none of its images is on the map.
    """
    tables = [store.catalog.rows(name, ["image_id"])["image_id"].drop_null() for name in datasets]
    here = np.isin(drawn.ids, np.concatenate([ids_from_arrow(table) for table in tables]))
    if not here.any():
        raise LookupFailed(f"no image of {', '.join(datasets)} is on the map")
    return replace(drawn, ids=drawn.ids[here], xy=drawn.xy[here], placed=drawn.placed[here])


def make_map(
    store: Store,
    encoder_id: str,
    options: MapOptions | None = None,
    *,
    anew: bool = False,
    step: Step | None = None,
) -> Map:
    """Return a map of all images of an encoder.

    The one that is kept is taken where it was made in the same way, and what is new since then is
    placed on it, so that a map that people know stays as it is. The same vectors and options give
    the same map.

    Parameters
    ----------
    store : Store
    encoder_id : str
    options : MapOptions, optional
        By default those of the map that is kept.
    anew : bool
        Make it of all images again.
    step : callable, optional
        Called with what is being done, how many images are done, and their number.

    Raises
    ------
    LookupFailed
        The store has no vectors of this encoder.
    StoreCorrupt
        A shard is damaged.
    """
    options = options or options_of(store, encoder_id)
    rows = store.features(encoder_id).rows()
    if not len(rows):
        raise LookupFailed(f"the store has no features of encoder {encoder_id}")
    if options.method == PCA or len(rows) < FEWEST:
        return _plane(rows, options)
    files = MapFiles(store.files, encoder_id)
    notes: tuple[str, ...] = ()
    try:
        before = None if anew else files.read(UMAP)
    except StoreCorrupt as error:
        before, notes = None, (f"{error}. That has been done",)
    kept = None
    if before is not None and (before.said["options"], before.said["revision"]) == _made(options):
        kept = _present(rows, before)
    if kept is None or kept.placed.all():
        kept = _laid_out(rows, options, step)
    whole = _present(rows, _completed(rows, kept, options, step))
    if before is None or before.said != whole.said or not np.array_equal(before.ids, whole.ids):
        files.write(UMAP, whole)
    found = _as_map(encoder_id, whole)
    return replace(found, notes=(*notes, *found.notes))


def _plane(rows: VectorRows, options: MapOptions) -> Map:
    notes: tuple[str, ...] = ()
    if options.method != PCA:
        notes = (f"{len(rows)} images are too few for {options.method}: this is their {PCA}",)
    placed = np.zeros(len(rows), np.bool_)
    return Map(rows.encoder_id, PCA, rows.ids, principal_plane(rows), placed, None, notes)


def _laid_out(rows: VectorRows, options: MapOptions, step: Step | None) -> StoredMap:
    """Make a map of all images, or of as many as it may be made of."""
    chosen = np.arange(len(rows))
    if len(rows) > options.most:
        random = np.random.default_rng(options.seed)
        chosen = np.sort(random.choice(len(rows), options.most, replace=False))
    k = min(options.neighbours, len(chosen) - 1)
    distance, place = neighbours_of(rows, chosen, chosen, k, _part(step, "neighbours"))
    if step:
        step("layout", 0, len(chosen))
    start = principal_plane(rows)[chosen]
    xy = umap_layout(distance, place, start, options.min_dist, options.seed)
    if step:
        step("layout", len(chosen), len(chosen))
    made, revision = _made(options)
    said = {
        "options": made,
        "revision": revision,
        "umap": version("umap-learn"),
        "kept": _kept(place, xy),
    }
    return StoredMap(said, rows.ids[chosen], xy, np.zeros(len(chosen), np.bool_))


def _completed(
    rows: VectorRows, stored: StoredMap, options: MapOptions, step: Step | None
) -> StoredMap:
    """Place what a map lacks, or return it as it is."""
    at = rows.find(stored.ids)
    lacks = np.setdiff1d(np.arange(len(rows)), at)
    if not len(lacks):
        return stored
    order = np.argsort(at)
    made = order[~stored.placed[order]]
    k = min(options.neighbours, len(made))
    distance, place = neighbours_of(rows, lacks, at[made], k, _part(step, "placing"))
    return StoredMap(
        stored.said,
        np.concatenate([stored.ids, rows.ids[lacks]]),
        np.concatenate([stored.xy, placed_among(distance, place, stored.xy[made])]),
        np.concatenate([stored.placed, np.ones(len(lacks), np.bool_)]),
    )


def _present(rows: VectorRows, stored: StoredMap) -> StoredMap:
    """Return those of a map's images that are there, in the order of their vectors."""
    at = rows.find(stored.ids)
    order = np.argsort(at)
    order = order[at[order] >= 0]
    return StoredMap(stored.said, stored.ids[order], stored.xy[order], stored.placed[order])


def _as_map(encoder_id: str, stored: StoredMap) -> Map:
    placed, notes = stored.placed, []
    room = min(stored.said["options"]["most"], len(placed))
    if len(placed) - placed.sum() < (1 - MANY) * room:
        notes.append(
            f"{int(placed.sum()):,} of {len(placed):,} images are newer than this map, and were "
            "placed on it. To make it of all of them: --anew"
        )
    kept = stored.said["kept"]
    return Map(encoder_id, UMAP, stored.ids, stored.xy, placed, kept, tuple(notes))


def _kept(neighbours: npt.NDArray[np.int64], xy: npt.NDArray[np.float32]) -> float:
    from scipy.spatial import cKDTree

    _, found = cKDTree(xy).query(xy, neighbours.shape[1] + 1)  # itself, too
    same = (found[:, :, None] == neighbours[:, None, :]).any(axis=2)
    return round(float(same.sum() / neighbours.size), 4)


def _made(options: MapOptions) -> tuple[dict[str, Any], int]:
    return asdict(options), REVISION


def _part(step: Step | None, name: str) -> Callable[[int, int], None] | None:
    return None if step is None else lambda done, total: step(name, done, total)
