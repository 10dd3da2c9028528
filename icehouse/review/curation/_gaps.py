"""``curate gaps``: what one dataset holds that another lacks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icehouse.errors import UsageError
from icehouse.review.curation._cover import assign, cover
from icehouse.review.curation._outliers import at_least_one
from icehouse.review.curation._records import Gap, GapReport
from icehouse.review.curation._scope import Scope, scope_of
from icehouse.review.curation._uncovered import Uncovered, by_chance, uncovered
from icehouse.store import Store

BY = ("dataset", "split")


@dataclass(frozen=True)
class GapOptions:
    """What is compared with what.

    Attributes
    ----------
    a, b : str
        What is there, and what may hold something else.
    by : {"dataset", "split"}
        What these are names of.
    dataset : str or None
        Whose splits; None: those of all datasets.
    task : str or None
        Whose labels are shown; None: the only one.
    encoder : str or None
        None: the only one.
    count : int
        Gaps at most.
    quantile : float
        Share of the pictures of A that A would cover without them.
    """

    a: str
    b: str
    by: str = "dataset"
    dataset: str | None = None
    task: str | None = None
    encoder: str | None = None
    count: int = 50
    quantile: float = 0.99

    def __post_init__(self) -> None:
        at_least_one(self.count, "count")
        if not 0 < self.quantile < 1:
            raise UsageError(f"a quantile is between 0 and 1, got {self.quantile}")
        if self.by not in BY:
            raise UsageError(f"A and B are names of a {' or '.join(BY)}, got {self.by!r}")
        if self.a == self.b:
            raise UsageError(f"{self.a!r} lacks nothing of itself: name two different {self.by}s")
        if self.dataset is not None and self.by == "dataset":
            raise UsageError("--dataset says whose splits are compared: it goes with --by split")


def find_gaps(store: Store, options: GapOptions) -> GapReport:
    """Find the images of B that A does not cover, in groups.

    A covers an image if neither of two measures is larger than what is usual in A itself, each a
    quantile of what A's pictures come to:

    - its *distance* to A, 1 - mean cosine to the ten nearest pictures, as for images unlike all
      that a head was trained on (Sun et al. 2022). It tells what is like nothing in A;
    - that distance by the distance to the other pictures of B, the *ratio*, as densities are
      compared by neighbours (Wang, Kulkarni & Verdú 2009). It tells where B is dense and A is not:
      a kind of pictures that A lacks, though it may be nearer to others than those are to
      each other. It takes more than ten different pictures in A and in B, and is no reason below 1,
      where A is as dense as B.

    Each limit leaves (1 - quantile) / 2 of A beyond it. So of any B that is like A about a share of
    1 - quantile is not covered; A covers all of B if no more is than chance can bring about.

    Parameters
    ----------
    store : Store
    options : GapOptions

    Raises
    ------
    LookupFailed
        No such dataset, split, task or encoder, or one has no images with a vector.
    UsageError
        A has one picture only.
    """
    by_dataset = options.by == "dataset"
    datasets = (options.a, options.b) if by_dataset else (options.dataset,)
    named = tuple(each for each in datasets if each)
    scope = scope_of(store, options.encoder, options.task, named)
    a, b = scope.of(options.by, options.a), scope.of(options.by, options.b)
    found = uncovered(scope.engine, scope.centre, a, b, options.quantile)
    gaps, left = _gaps(scope, found, options.count)
    few = by_chance(found.pictures, len(b), 1 - options.quantile)
    return GapReport(
        a=options.a,
        b=options.b,
        task=scope.task,
        encoder_id=scope.engine.rows.encoder_id,
        images_a=len(a),
        images_b=len(b),
        shared=len(np.intersect1d(a, b)),
        quantile=options.quantile,
        limit=found.limit,
        ratio_limit=found.ratio_limit,
        uncovered=len(found.rows),
        covers=len(found.rows) <= few,
        gaps=gaps,
        left=left,
        notes=scope.notes,
    )


def _gaps(scope: Scope, found: Uncovered, count: int) -> tuple[list[Gap], int]:
    """Group uncovered images; return the groups, and how many images are in none."""
    rows, ratio = found.rows, found.ratio
    if not len(rows):
        return [], 0
    vectors = scope.engine.rows.at(rows)
    chosen = cover(vectors, found.limit, count)
    group, similarity = assign(vectors, chosen, found.limit)
    sizes = np.bincount(group[group >= 0], minlength=len(chosen))
    known = scope.describe(rows[group >= 0], found.nearest[chosen])
    gaps = []
    for number in np.argsort(-sizes, kind="stable").tolist():
        some = np.flatnonzero(group == number)
        some = some[np.lexsort((rows[some], some != chosen[number], -similarity[some]))]
        gaps.append(
            Gap(
                pictures=tuple(known[row] for row in rows[some].tolist()),
                distances=tuple(found.distance[some].tolist()),
                ratios=(None,) * len(some) if ratio is None else tuple(ratio[some].tolist()),
                nearest=known[int(found.nearest[chosen[number]])],
            )
        )
    return gaps, int((group < 0).sum())
