"""``compare``: every head on every encoder, on the same images, and which of them differ."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.embedder import kept_rate
from icehouse.errors import HeadError
from icehouse.heads._answer import answer
from icehouse.heads._balance import NONE, VIEWS, named, with_views
from icehouse.heads._data import LabelledSet
from icehouse.heads._fit import fit_split, seeded
from icehouse.heads._fit_options import FitOptions
from icehouse.heads._ground import (
    NEAR_DUPLICATE,
    CompareOptions,
    Ground,
    common_ground,
    near_duplicates,
    usable,
)
from icehouse.heads._metrics import Metrics, measure
from icehouse.heads._paired import holm, interval, paired_p
from icehouse.heads._split import TRAIN, VAL
from icehouse.store import Store

SIGNIFICANT = 0.05
TIMED_IMAGES = 1024

Progress = Callable[[int, int, str], None]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Contender:
    """A head on an encoder, measured.

    Attributes
    ----------
    encoder, encoder_id, head : str
    metrics : Metrics
        Means over the seeds; its ``top1`` is the accuracy. A number that one seed lacks is None.
    train : float
        Accuracy on the images that it was fitted on, mean over the seeds.
    val : float or None
        On those that calibrated it. None where there are none, or they are what is measured.
    low, high : float
        95 % interval of the accuracy, over images.
    spread : float or None
        Standard deviation of the accuracy over seeds.
    fit_seconds : float
        With calibration; mean over the seeds.
    predict_rate : float
        Images/s, from features, in one call of 1,024.
    encode_rate : float or None
        Images/s of the encoder, from source to store, when it last embedded enough to tell.
    dim : int
    bytes_per_image : int
        As stored.
    p : float or None
        Of the difference from the best (see ``paired_p``), by Holm for several; None of the best.
    like_best : bool
        It is the best, or cannot be told from it: p is 0.05 or more.
    balance : str
        How the classes that it was fitted on were balanced.
    """

    encoder: str
    encoder_id: str
    head: str
    metrics: Metrics
    train: float
    val: float | None
    low: float
    high: float
    spread: float | None
    fit_seconds: float
    predict_rate: float
    encode_rate: float | None
    dim: int
    bytes_per_image: int
    p: float | None
    like_best: bool
    balance: str = NONE

    @property
    def called(self) -> str:
        """The head, and how classes were balanced where they were."""
        return named(self.head, self.balance)


@dataclass(frozen=True)
class Comparison:
    """Contenders, the best first.

    Attributes
    ----------
    task, kind : str
        The task, "single" or "multi".
    split : {"test", "val"}
        What was measured on.
    trained, images : int
        In the training split and the measured one, of the first seed.
    seeds : int
    contenders : list of Contender
        By falling accuracy, and rising log loss where that is equal.
    near_duplicates : dict of str to int
        Measured images that are next to one in training, by encoder; of the first seed.
    notes : tuple of str
    """

    task: str
    kind: str
    split: str
    trained: int
    images: int
    seeds: int
    contenders: list[Contender]
    near_duplicates: dict[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Outcome:
    """A contender, and on each common image how many answers were right."""

    contender: Contender
    right: Counts


def compare(
    store: Store, options: CompareOptions | None = None, progress: Progress | None = None
) -> Comparison:
    """Fit every kind of head on every encoder, and measure all on the same images.

    Nothing is saved.

    Parameters
    ----------
    store : Store
    options : CompareOptions, optional
    progress : callable, optional
        Called with fits done, fits in all, and what comes next.

    Raises
    ------
    LookupFailed, UnknownHead
        No such task, encoder or kind.
    TrainingDataError
        No common images to train or to measure on, or no head can be fitted on them.
    """
    options = options or CompareOptions()
    kinds, notes = usable(options.kinds())
    ground = common_ground(store, options)
    notes += ground.notes
    ways = [(kind, balance) for kind in kinds for balance in dict.fromkeys(options.balances)]
    total, done = len(ground.encoders) * len(ways), 0
    twins: dict[str, int] = {}
    outcomes: list[_Outcome] = []
    for encoder_id, name in ground.encoders.items():
        data = ground.data(encoder_id)
        if count := near_duplicates(data, ground.measured):
            twins[name] = count
        for kind, balance in ways:
            called = named(kind, balance)
            if progress:
                progress(done, total, f"{name} + {called}")
            done += 1
            try:
                seen = with_views(store, data) if balance == VIEWS else data
                outcomes.append(_contend(ground, seen, kind, options.seed, balance))
            except HeadError as error:
                notes.append(f"{called} on {name} was left out: {error}")
                if done == total and not outcomes:
                    raise
    contenders = _ranked(outcomes)
    images = ground.images[ground.measured]
    if len(contenders) > 1 and all(each.like_best for each in contenders):
        more = "measure more of them in turn with --seeds 10"
        more = f"{more}, or " if options.seeds == 1 else ""
        notes.append(
            f"none can be told from the best on {images} images: {more}give --split a larger "
            "test, or label more"
        )
    return Comparison(
        task=data.task.name,
        kind=data.task.kind,
        split=ground.measured,
        trained=ground.images[TRAIN],
        images=images,
        seeds=options.seeds,
        contenders=contenders,
        near_duplicates=twins,
        notes=(*notes, *_twin_notes(twins, images)),
    )


def _contend(ground: Ground, data: LabelledSet, kind: str, first: int, balance: str) -> _Outcome:
    right, asked = np.zeros(len(data), np.int64), np.zeros(len(data), np.int64)
    measured, seconds, rate = [], 0.0, 0.0
    sides: dict[str, list[float]] = {}
    for seed, split in enumerate(ground.splits, first):
        head, here = seeded(kind, None, seed), replace(data, split=split)
        options = FitOptions(seed=seed, balance=balance)
        stored = fit_split(head, here, kind, kind, options, time.perf_counter())
        rows = split == ground.measured
        proba, predicted = answer(stored, data.X)
        measured.append(measure(data.y[rows], proba[rows], predicted[rows], stored.classes))
        hits = data.y == predicted
        hits = hits.all(axis=1) if hits.ndim == 2 else hits
        asked += rows
        right += hits & rows
        for side in np.unique(split[~rows]):
            sides.setdefault(str(side), []).append(float(hits[split == side].mean()))
        seconds += stored.card.seconds
        if not rate:
            timed = np.resize(data.X, (TIMED_IMAGES, data.X.shape[1]))
            started = time.perf_counter()
            answer(stored, timed)
            rate = TIMED_IMAGES / (time.perf_counter() - started)
    seen = asked > 0
    low, high = interval(right[seen], asked[seen])
    accuracy = [each.top1 for each in measured]
    contender = Contender(
        encoder=ground.encoders[data.encoder_id],
        encoder_id=data.encoder_id,
        head=kind,
        metrics=_mean(measured),
        train=float(np.mean(sides[TRAIN])),
        val=float(np.mean(sides[VAL])) if VAL in sides else None,
        low=low,
        high=high,
        spread=float(np.std(accuracy, ddof=1)) if len(accuracy) > 1 else None,
        fit_seconds=seconds / len(measured),
        predict_rate=rate,
        encode_rate=kept_rate(ground.store, data.encoder_id),
        dim=data.X.shape[1],
        bytes_per_image=data.X.shape[1] * data.X.itemsize,
        p=None,
        like_best=True,
        balance=balance,
    )
    return _Outcome(contender, right)


def _ranked(outcomes: list[_Outcome]) -> list[Contender]:
    """Put the best first, and say of the others whether they can be told from it."""

    def rank(outcome: _Outcome) -> tuple[int, float]:
        loss = outcome.contender.metrics.log_loss
        return -int(outcome.right.sum()), np.inf if loss is None else loss

    best, *others = sorted(outcomes, key=rank)
    p = holm([paired_p(best.right - other.right) for other in others])
    behind = [
        replace(other.contender, p=value, like_best=value >= SIGNIFICANT)
        for other, value in zip(others, p, strict=True)
    ]
    return [best.contender, *behind]


def _mean(measured: list[Metrics]) -> Metrics:
    means: dict[str, Any] = {}
    for name in (field.name for field in fields(Metrics)):
        values = [getattr(each, name) for each in measured]
        means[name] = None if None in values else float(np.mean(values))
    return Metrics(**means | {"n": measured[0].n})


def _twin_notes(twins: dict[str, int], images: int) -> Iterable[str]:
    for name, count in twins.items():
        yield (
            f"near-duplicates: {name} sees {count} of {images} measured images all but the same as "
            f"one in training (centred cosine {NEAR_DUPLICATE} or more): accuracy may be memory"
        )
