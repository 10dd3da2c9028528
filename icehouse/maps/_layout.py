"""Where the images of a map lie: those that it is made of, and those that are placed among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from icehouse.maps._neighbours import Floats, Integers, neighbours_of
from icehouse.maps._pca import principal_plane
from icehouse.maps._place import placed_among
from icehouse.maps._umap import umap_layout
from icehouse.store import StoredMap, VectorRows

BLOCK = 8192
Step = Callable[[str, int, int], None]


def laid_out(
    rows: VectorRows, wanted: Integers, said: Mapping[str, Any], step: Step | None
) -> StoredMap:
    """Make a map of images, or of as many of them as it may be made of.

    Parameters
    ----------
    rows : VectorRows
    wanted : array of int64, shape (n,)
        Rows that it is made of, rising.
    said : mapping
        What is to be kept of how it was made; ``options`` are those of MapOptions.
    step : callable or None
    """
    options, chosen = said["options"], wanted
    if len(wanted) > options["most"]:
        random = np.random.default_rng(options["seed"])
        chosen = np.sort(random.choice(wanted, options["most"], replace=False))
    k = min(options["neighbours"], len(chosen) - 1)
    distance, place = neighbours_of(rows, chosen, chosen, k, _named(step, "neighbours"))
    if step:
        step("layout", 0, len(chosen))
    start = principal_plane(rows, chosen)
    xy = umap_layout(distance, place, start, options["min_dist"], options["seed"])
    if step:
        step("layout", len(chosen), len(chosen))
    said = {
        **said,
        "umap": version("umap-learn"),
        "images": len(wanted),
        "made_of": len(chosen),
        "kept": _kept(place, xy),
    }
    return StoredMap(said, rows.ids[chosen], xy, np.zeros(len(chosen), np.bool_))


def completed(
    rows: VectorRows, wanted: Integers, stored: StoredMap, step: Step | None
) -> StoredMap:
    """Place those that are wanted and that a map lacks, or return it as it is.

    All images of the map have to be among the rows, in their order.
    """
    at = rows.find(stored.ids)
    lacks = np.setdiff1d(wanted, at)
    if not len(lacks):
        return stored
    made = np.flatnonzero(~stored.placed)
    k = min(stored.said["options"]["neighbours"], len(made))
    distance, place = neighbours_of(rows, lacks, at[made], k, _named(step, "placing"))
    xy = [stored.xy]
    for start in range(0, len(lacks), BLOCK):
        some = slice(start, start + BLOCK)
        xy.append(placed_among(distance[some], place[some], stored.xy[made]))
    return StoredMap(
        stored.said,
        np.concatenate([stored.ids, rows.ids[lacks]]),
        np.concatenate(xy),
        np.concatenate([stored.placed, np.ones(len(lacks), np.bool_)]),
    )


def present(rows: VectorRows, stored: StoredMap) -> StoredMap:
    """Return those of a map's images that are there, in the order of their vectors."""
    at = rows.find(stored.ids)
    order = np.argsort(at)
    order = order[at[order] >= 0]
    return StoredMap(stored.said, stored.ids[order], stored.xy[order], stored.placed[order])


def _kept(neighbours: Integers, xy: Floats) -> float:
    """Return the share of neighbours that are as near on the map."""
    from scipy.spatial import cKDTree

    tree, same = cKDTree(xy), 0
    for start in range(0, len(xy), BLOCK):
        some = slice(start, start + BLOCK)
        _, found = tree.query(xy[some], neighbours.shape[1] + 1)  # itself, too
        both = np.sort(np.concatenate([found, neighbours[some]], axis=1), axis=1)
        same += int((both[:, 1:] == both[:, :-1]).sum())
    return round(same / neighbours.size, 4)


def _named(step: Step | None, name: str) -> Callable[[int, int], None] | None:
    return None if step is None else lambda done, total: step(name, done, total)
