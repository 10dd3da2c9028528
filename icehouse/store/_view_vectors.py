"""Reading the vectors of augmented views, which :meth:`FeatureShards.load` passes over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.store._files import Files
from icehouse.store._ids import ID_DTYPE, IdArray, ids_from_arrow, positions
from icehouse.store._shard import COLUMNS, ViewArray, bare, flat_vectors, open_shard, read_shard
from icehouse.store._tombstones import alive


def read_views(
    files: Files, shards: Sequence[str], dead: Mapping[str, IdArray], of: IdArray
) -> tuple[IdArray, ViewArray, npt.NDArray[np.floating[Any]]]:
    """Return images, numbers and vectors of views 1, 2, … in some shards.

    Parameters
    ----------
    files : Files
    shards : sequence of str
    dead : mapping of str to array of V32
        The forgotten images of a shard, by the last part of its name.
    of : array of V32, shape (n,)
        The images wanted.

    Returns
    -------
    ids : array of V32, shape (m,)
    views : array of int16, shape (m,)
    vectors : array, shape (m, D)
        All sorted by image and view, each pair once.
    """
    of = np.unique(of)
    ids, views = [np.empty(0, ID_DTYPE)], [np.empty(0, np.int16)]
    vectors: list[npt.NDArray[np.floating[Any]]] = []
    for name in shards:
        shard = open_shard(files, name)
        for group in range(shard.metadata.num_row_groups):
            head = read_shard(name, shard, group, COLUMNS[:2])
            images, number = ids_from_arrow(head["image_id"]), head["view"].to_numpy()
            keep = (number > 0) & (positions(images, of) >= 0)
            keep &= alive(images, dead.get(bare(name)))
            if keep.any():
                ids.append(images[keep])
                views.append(number[keep])
                vectors.append(flat_vectors(read_shard(name, shard, group, COLUMNS))[keep])
    every, numbers = np.concatenate(ids), np.concatenate(views)
    order = np.lexsort((numbers, every))
    new = np.ones(len(order), np.bool_)  # two writers may both have stored a view
    new[1:] = (np.diff(numbers[order]) != 0) | (every[order][1:] != every[order][:-1])
    order = order[new]
    found = np.concatenate(vectors)[order] if vectors else np.empty((0, 0), np.float16)
    return every[order], numbers[order], found
