"""``curate gaps``: what one dataset holds that another lacks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from icehouse.errors import UsageError
from icehouse.review.curation._cover import assign, cover
from icehouse.review.curation._near import NOISE, Integers, Pictures, near
from icehouse.review.curation._outliers import at_least_one
from icehouse.review.curation._records import Gap, GapReport
from icehouse.review.curation._scope import Scope, scope_of
from icehouse.store import Store

BY = ("dataset", "split")
NEIGHBOURS = 5
Doubles = npt.NDArray[np.float64]


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
        Share of the pictures of A that lie within the limit of each other.
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
    """Find the images of B that lie farther from A than A's lie from each other, in groups.

    The distance of an image is 1 - mean cosine to the five nearest pictures of A, as
    for images unlike all that a head was trained on (Sun et al. 2022); the limit is a quantile of
    the distances of A's own pictures. So a share of about 1 - quantile of any B that is like A lies
    beyond it; A *covers* B if no more does than chance can bring about.

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
    new = np.setdiff1d(b, a)
    pictures = Pictures.of(scope.engine, a, NEIGHBOURS, scope.centre)
    if len(pictures) < 2:
        raise UsageError(
            f"{options.by} {options.a!r} has one picture only ({len(a):,} images; near-duplicates "
            "count once), so nothing says how far its images lie from each other"
        )
    limit = max(float(np.quantile(_distance(pictures.similarity), options.quantile)), NOISE)
    k = pictures.similarity.shape[1]
    similarity, index = near(scope.engine, new, k, pictures.rows)
    distance = _distance(similarity)
    far = np.flatnonzero(distance > limit)
    gaps, left = _gaps(scope, new[far], distance[far], index[far, 0], limit, options.count)
    return GapReport(
        a=options.a,
        b=options.b,
        task=scope.task,
        encoder_id=scope.engine.rows.encoder_id,
        images_a=len(a),
        images_b=len(b),
        shared=len(b) - len(new),
        quantile=options.quantile,
        limit=limit,
        uncovered=len(far),
        covers=len(far) <= by_chance(len(pictures), len(b), 1 - options.quantile),
        gaps=gaps,
        left=left,
        notes=scope.notes,
    )


def by_chance(n_a: int, n_b: int, share: float) -> float:
    """Return how many of B may lie beyond a quantile of A although both are of one kind.

    The mean and two standard deviations of a count of ``n_b`` draws, with what the quantile of
    ``n_a`` draws is itself uncertain by.

    Parameters
    ----------
    n_a, n_b : int
    share : float
        Of A beyond the quantile.

    Examples
    --------
    >>> round(by_chance(1000, 1000, 0.01), 1)
    18.9
    """
    deviation = np.sqrt(share * (1 - share) * n_b * (1 + n_b / n_a))
    return float(share * n_b + 2 * deviation)


def _gaps(
    scope: Scope, rows: Integers, distance: Doubles, nearest: Integers, limit: float, count: int
) -> tuple[list[Gap], int]:
    """Group uncovered images; return the groups, and how many images are in none."""
    if not len(rows):
        return [], 0
    vectors = scope.engine.rows.at(rows)
    chosen = cover(vectors, limit, count)
    group, similarity = assign(vectors, chosen, limit)
    sizes = np.bincount(group[group >= 0], minlength=len(chosen))
    known = scope.describe(rows[group >= 0], nearest[chosen])
    gaps = []
    for number in np.argsort(-sizes, kind="stable").tolist():
        some = np.flatnonzero(group == number)
        some = some[np.lexsort((rows[some], some != chosen[number], -similarity[some]))]
        gaps.append(
            Gap(
                pictures=tuple(known[row] for row in rows[some].tolist()),
                distances=tuple(distance[some].tolist()),
                nearest=known[int(nearest[chosen[number]])],
            )
        )
    return gaps, int((group < 0).sum())


def _distance(similarity: npt.NDArray[np.float32]) -> Doubles:
    return np.asarray(1 - similarity.astype(np.float64).mean(axis=1))
