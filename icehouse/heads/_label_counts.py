"""How many labels it takes: accuracy of heads fitted on a few images of each class."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from icehouse.errors import HeadError, TrainingDataError, UsageError
from icehouse.heads._answer import answer
from icehouse.heads._balance import NONE
from icehouse.heads._compare import Progress
from icehouse.heads._data import LabelledSet, strata_of
from icehouse.heads._fit import fit_split, seeded
from icehouse.heads._fit_options import FitOptions
from icehouse.heads._ground import CompareOptions, common_ground, usable
from icehouse.heads._split import TRAIN, hash_order
from icehouse.store import Store

UNUSED = "unused"


@dataclass(frozen=True)
class LabelPoint:
    """Accuracy with so many labels.

    Attributes
    ----------
    count : int
        Labels of each class; all it has, where a class has fewer.
    labels : int
        In all.
    accuracy : float
        Mean over the seeds.
    spread : float or None
        Standard deviation over the seeds.
    """

    count: int
    labels: int
    accuracy: float
    spread: float | None


@dataclass(frozen=True)
class LabelCurve:
    """A head on an encoder, by the number of labels."""

    encoder: str
    encoder_id: str
    head: str
    points: list[LabelPoint]

    @property
    def called(self) -> str:
        """The head, as of a :class:`Contender`."""
        return self.head


@dataclass(frozen=True)
class LabelCounts:
    """Curves, the one that ends highest first.

    Attributes
    ----------
    task, kind : str
        The task, "single" or "multi".
    split : {"test", "val"}
        What was measured on; the same images for all numbers of labels and all seeds.
    images : int
        Measured.
    seeds : int
    curves : list of LabelCurve
    notes : tuple of str
    """

    task: str
    kind: str
    split: str
    images: int
    seeds: int
    curves: list[LabelCurve]
    notes: tuple[str, ...]


def count_labels(
    store: Store,
    counts: Sequence[int],
    options: CompareOptions | None = None,
    progress: Progress | None = None,
) -> LabelCounts:
    """Fit heads on a few images of each class, and measure all on the same images.

    Subsets of one seed are nested: those of 5 are among those of 10. The seeds choose the subsets;
    what is measured on is the same for all. Nothing is calibrated, as the labels of the
    validation split are not there to be had; accuracy does not depend on it. In a
    multi-label task an image counts for its rarest label.

    Parameters
    ----------
    store : Store
    counts : sequence of int
        Labels of each class, 1 or more.
    options, progress
        As of :func:`compare`.

    Raises
    ------
    UsageError
        Counts that are none, or classes to be balanced, which equal counts are.
    LookupFailed, UnknownHead, TrainingDataError
        As of :func:`compare`.
    """
    options = options or CompareOptions(seeds=5)
    if not counts or min(counts) < 1:
        raise UsageError(f"numbers of labels are 1 or more, got {', '.join(map(str, counts))!r}")
    kinds, notes = usable(options.kinds())
    if options.balances != (NONE,):
        raise UsageError("so many labels of each class are balanced already: leave out --balance")
    ground = common_ground(store, replace(options, seeds=1))
    sizes, more = _sizes(ground.labelled, counts)
    notes += [*ground.notes, *more]
    total, done = len(ground.encoders) * len(kinds), 0
    curves: list[LabelCurve] = []
    for encoder_id, name in ground.encoders.items():
        data = ground.data(encoder_id)
        for kind in kinds:
            if progress:
                progress(done, total, f"{name} + {kind}")
            done += 1
            try:
                points = [_point(data, ground.measured, kind, size, options) for size in sizes]
                curves.append(LabelCurve(name, encoder_id, kind, points))
            except HeadError as error:
                notes.append(f"{kind} on {name} was left out: {error}")
                if done == total and not curves:
                    raise
    return LabelCounts(
        task=data.task.name,
        kind=data.task.kind,
        split=ground.measured,
        images=ground.images[ground.measured],
        seeds=options.seeds,
        curves=sorted(curves, key=lambda curve: -curve.points[-1].accuracy),
        notes=tuple(notes),
    )


def choose_labels(data: LabelledSet, count: int, seed: int, measured: str) -> npt.NDArray[np.str_]:
    """Return a split with so many training images of each class, and the measured ones.

    Parameters
    ----------
    data : LabelledSet
    count : int
        The first so many of each class, in the order of a hash of identity and seed.
    seed : int
    measured : str
        The side that stays as it is. All other images are "unused".

    Returns
    -------
    array of str, shape (n,)
    """
    split = np.where(data.split == measured, measured, UNUSED)
    order = hash_order(data.ids, seed)
    order = order[data.split[order] == TRAIN]
    strata = strata_of(data)[order]
    for stratum in np.unique(strata):
        split[order[strata == stratum][:count]] = TRAIN
    return split


def _point(
    data: LabelledSet, measured: str, kind: str, count: int, options: CompareOptions
) -> LabelPoint:
    accuracy, labels = [], 0
    for seed in range(options.seed, options.seed + options.seeds):
        few = replace(data, split=choose_labels(data, count, seed, measured))
        head = seeded(kind, None, seed)
        # The images that validate are not taken, and no number here is of probabilities.
        plain = FitOptions(seed=seed, calibrate="none")
        stored = fit_split(head, few, kind, kind, plain, time.perf_counter())
        rows = few.split == measured
        y, (_, predicted) = data.y[rows], answer(stored, data.X[rows])
        accuracy.append(((y == predicted).all(axis=1) if y.ndim == 2 else y == predicted).mean())
        labels = int((few.split == TRAIN).sum())
    spread = float(np.std(accuracy, ddof=1)) if len(accuracy) > 1 else None
    return LabelPoint(count, labels, float(np.mean(accuracy)), spread)


def _sizes(data: LabelledSet, counts: Sequence[int]) -> tuple[list[int], list[str]]:
    """Return the counts that differ from each other, and what to say of those that do not."""
    _, have = np.unique(strata_of(data)[data.split == TRAIN], return_counts=True)
    if not len(have):
        raise TrainingDataError(f"the split of task {data.task.name!r} leaves no image to train on")
    wanted = sorted(set(counts))
    # From the first count on that takes everything, all are the same.
    enough = [count for count in wanted if count >= have.max()]
    sizes = [count for count in wanted if count not in enough[1:]]
    notes = []
    if enough[1:]:
        notes.append(
            f"no class has more than {have.max()} images to train on, so these were left out: "
            + ", ".join(map(str, enough[1:]))
        )
    if short := [count for count in sizes if count > have.min()]:
        notes.append(
            f"some classes have fewer images, at least {have.min()}, than "
            f"{', '.join(map(str, short))}: there all that they have were taken"
        )
    return sizes, notes
