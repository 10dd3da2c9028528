"""``curate outliers``: images that are unlike all others.

They are ranked by their distance to the k-th nearest picture (Ramaswamy, Rastogi & Shim 2000,
"Efficient algorithms for mining outliers from large data sets"). Of 50 photographs of fields and
roads among the 27,000 satellite images of EuroSAT, with features of MobileNetV2 and k = 10, 42 are
the first 50 by that distance, and 48 among the first 100; of 50 dogs 34 and 42. By the local
outlier factor it is one of the photographs among the first 100, and no dog: where kinds are
differently dense, what stands out beside its neighbours is a picture at the rim of a dense kind. So
it is only shown. Cosines about the mean rank worse, too (5 and 0 of the first 50); k from 5 to
50 makes little difference. All that is of one draw, before near-duplicates were one picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.errors import UsageError
from icehouse.review.curation._near import Integers, Pictures
from icehouse.review.curation._records import Outlier, OutlierReport
from icehouse.review.curation._scope import scope_of
from icehouse.store import Store

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OutlierOptions:
    """What is looked for, and among what.

    Attributes
    ----------
    task : str or None
        Whose labels are shown; None: the only one.
    dataset : str or None
        Only its images.
    encoder : str or None
        None: the only one.
    count : int
        How many pictures.
    k : int
        Neighbours that a picture is compared with.
    """

    task: str | None = None
    dataset: str | None = None
    encoder: str | None = None
    count: int = 50
    k: int = 10

    def __post_init__(self) -> None:
        at_least_one(self.count, "count")
        at_least_one(self.k, "number of neighbours, k")


def find_outliers(store: Store, options: OutlierOptions | None = None) -> OutlierReport:
    """Find the images that are unlike all others.

    Images that are nearly the same are one picture, so that none is hidden by its copies.

    Parameters
    ----------
    store : Store
    options : OutlierOptions, optional

    Raises
    ------
    LookupFailed
        No such task, encoder or dataset, or no image has a vector.
    UsageError
        There are not more than k different pictures.
    """
    options = options or OutlierOptions()
    datasets = (options.dataset,) if options.dataset else ()
    scope = scope_of(store, options.encoder, options.task, datasets)
    pictures = Pictures.of(
        scope.engine, scope.rows, options.k, scope.centre, farthest=options.count
    )
    if len(pictures) <= options.k:
        raise UsageError(
            f"to compare each picture with its {options.k} nearest takes {options.k + 1} different "
            f"ones. There are {len(pictures):,}, of {len(scope.rows):,} images (near-duplicates "
            "count once). Take fewer neighbours, with -k, or more images"
        )
    distance = 1 - pictures.similarity.astype(np.float64)
    factor = local_outlier_factor(distance, pictures.index)
    order = np.argsort(-distance[:, -1], kind="stable")[: options.count]
    copies = [pictures.copies(row) for row in order.tolist()]
    beside = pictures.rows[pictures.index[order, 0]]
    known = scope.describe(*copies, beside)
    outliers = [
        Outlier(
            pictures=tuple(known[image] for image in images.tolist()),
            distance=float(distance[row, -1]),
            lof=float(factor[row]),
            nearest=known[other],
            similarity=float(pictures.similarity[row, 0]),
        )
        for row, images, other in zip(order.tolist(), copies, beside.tolist(), strict=True)
    ]
    return OutlierReport(
        task=scope.task,
        encoder_id=scope.engine.rows.encoder_id,
        k=options.k,
        images=len(scope.rows),
        pictures=len(pictures),
        usual=float(np.median(distance[:, -1])),
        outliers=outliers,
        notes=scope.notes,
    )


def local_outlier_factor(distance: npt.NDArray[np.floating[Any]], index: Integers) -> Doubles:
    """Return how much less dense each point lies than its neighbours do, shape (n,).

    LOF of Breunig, Kriegel, Ng & Sander (2000), "LOF: identifying density-based local outliers".
    The *reachability* of p from its neighbour o is their distance, or that of o to its own k-th
    neighbour if it is larger; density is 1 / (mean reachability), and the factor the mean density
    of the neighbours by that of p.

    Parameters
    ----------
    distance : array, shape (n, k)
        To the k nearest other points, rising.
    index : array of int64, shape (n, k)
        Which these are, from 0 to n - 1.

    Examples
    --------
    >>> distance = np.array([[1.0, 2.0], [1.0, 1.0], [1.0, 2.0], [8.0, 9.0]])
    >>> index = np.array([[1, 2], [0, 2], [1, 0], [2, 1]])
    >>> local_outlier_factor(distance, index).round(1)
    array([0.9, 1.3, 0.9, 5. ])
    """
    distance = np.asarray(distance, np.float64)
    reach = np.maximum(distance, distance[:, -1][index]).mean(axis=1)
    reach = np.maximum(reach, np.finfo(np.float32).eps)  # points in one place are as dense as that
    return np.asarray(reach * (1 / reach)[index].mean(axis=1))


def at_least_one(number: int, name: str) -> None:
    """Raise UsageError for a number below 1."""
    if number < 1:
        raise UsageError(f"the {name} is 1 or more, got {number}")
