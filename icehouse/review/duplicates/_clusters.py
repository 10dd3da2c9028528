"""Pairs of images become clusters of files, and what is wrong with them is said."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from operator import attrgetter

import numpy as np
import pyarrow as pa

from icehouse.embedder import Pairs, clusters_of
from icehouse.review.duplicates._cosines import Cosines
from icehouse.review.duplicates._records import EXACT, NEAR, Cluster, Copy
from icehouse.review.duplicates._told import Told
from icehouse.store import IdArray, ids_from_arrow, positions


def make_clusters(
    rows: pa.Table, ids: IdArray, pairs: Pairs, told: Told, cosines: Cosines | None
) -> list[Cluster]:
    """Return the clusters of two files or more, in the order of :class:`DuplicateReport`.

    Parameters
    ----------
    rows : pyarrow.Table
        Of the catalog, all with an image.
    ids : array of V32, shape (n,)
        The images, by whose numbers pairs are meant.
    pairs : Pairs
    told : Told
    cosines : Cosines or None
    """
    number = clusters_of(len(ids), pairs)
    of_row = number[positions(ids_from_arrow(rows["image_id"]), ids)]
    several = np.bincount(of_row, minlength=1)[of_row] > 1
    copies: dict[int, list[Copy]] = {}
    some = rows.filter(pa.array(several)).to_pylist()
    for cluster, row in zip(of_row[several].tolist(), some, strict=True):
        copies.setdefault(cluster, []).append(told.copy(row))
    closest: dict[int, int] = {}
    for pair in pairs.closest().tolist():
        closest.setdefault(int(number[pairs.one[pair]]), pair)
    clusters = [
        _cluster(files, told, pairs, closest.get(cluster), cosines)
        for cluster, files in copies.items()
    ]
    return sorted(clusters, key=_rank)


def _cluster(
    files: list[Copy], told: Told, pairs: Pairs, pair: int | None, cosines: Cosines | None
) -> Cluster:
    files = sorted(files, key=attrgetter("image_id", "dataset", "key"))
    same = [list(group) for _, group in groupby(files, key=attrgetter("image_id"))]
    plain = Cluster(
        copies=tuple(files),
        kind=EXACT if len(same) == 1 else NEAR,
        conflict=told.differ(files),
        same_file=any(told.differ(group) for group in same),
        leak=len({copy.split for copy in files} - {None}) > 1,
        across=len({copy.dataset for copy in files}) > 1,
    )
    if pair is None:
        return plain
    one, other = int(pairs.one[pair]), int(pairs.other[pair])
    return replace(
        plain,
        distance=int(pairs.distance[pair]),
        correlation=float(pairs.correlation[pair]),
        mirrored=bool(pairs.mirrored[pair]),
        cosine=cosines.of(one, other) if cosines else None,
    )


def _rank(cluster: Cluster) -> tuple[object, ...]:
    first = cluster.copies[0]
    wrong = (not cluster.same_file, not cluster.conflict, not cluster.leak)
    near = (cluster.distance or 0, -(cluster.correlation or 1.0))
    return *wrong, -len(cluster.copies), *near, first.dataset, first.key
