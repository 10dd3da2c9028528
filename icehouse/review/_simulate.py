"""``simulate``: what active learning would have saved, replayed on labels that are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from joblib import Parallel, cpu_count, delayed
from threadpoolctl import threadpool_limits

from icehouse.embedder import choose_encoder, one_torch_thread, spoken
from icehouse.errors import TrainingDataError
from icehouse.heads import LabelledSet, choose_task, load_labelled, make_head
from icehouse.review._replay import Known, fit, replay, sizes_of
from icehouse.review._saving import Doubles, mean_interval, needed
from icehouse.review._simulation import Curve, CurvePoint, SimulateOptions, Simulation
from icehouse.store import Store

SHARES = 0.90, 0.95
RANDOM = "random"
PROBES = 3  # seeds that the budget is found by
MUCH = 500_000  # fits, each times the images of the pool, that are worth the start of processes

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class _Replays:
    """What is the same for all replays of a head."""

    known: Known
    kind: str
    full: float
    sizes: list[int]


def simulate(
    store: Store, options: SimulateOptions | None = None, progress: Progress | None = None
) -> Simulation:
    """Replay active learning on cached features, with the labels that the store has.

    The training split is the pool. Each fit is from nothing, with the head's default settings and
    without calibration, for which labels would have to be held out. Nothing is saved, and all
    comes out the same when it is run again, on however many processes.

    Parameters
    ----------
    store : Store
    options : SimulateOptions, optional
    progress : callable, optional
        Called with replays done, replays in all, and what that is about.

    Raises
    ------
    LookupFailed, UnknownHead
        No such task, encoder or kind of head.
    TrainingDataError
        No labelled images to choose from or to measure on, or all of one class.
    UsageError
        No such strategy, or one that cannot be used for this task.
    """
    options = options or SimulateOptions()
    for kind in options.heads:
        make_head(kind)
    data, side = _data(store, options)
    pool, measured = data.split == "train", data.split == side
    known = Known(data.X[pool], data.y[pool], data.X[measured], data.y[measured])
    strategies = tuple(dict.fromkeys((RANDOM, *options.strategies)))
    notes = list(data.notes)
    if side == "val":
        notes.append("there is no test split: measured on the validation split")
    curves: list[Curve] = []
    with one_torch_thread(), threadpool_limits(1):
        kinds = tuple(dict.fromkeys(options.heads))
        for number, kind in enumerate(kinds):
            if progress:
                each = len(strategies) * options.seeds
                progress(number * each, len(kinds) * each, f"{kind}, all labels")
            replays, note = _prepare(known, kind, options)
            notes += [note] if note else []
            accuracy = _run(replays, strategies, options, progress, number)
            found = [_curve(replays, each, accuracy) for each in strategies]
            curves += sorted(found, key=_by_need)
    return Simulation(
        task=data.task.name,
        kind=data.task.kind,
        encoder=spoken(store.features(data.encoder_id).card),
        encoder_id=data.encoder_id,
        split=side,
        pool=len(known),
        images=int(measured.sum()),
        seeds=options.seeds,
        start=options.start,
        curves=tuple(curves),
        notes=tuple(notes),
    )


def _data(store: Store, options: SimulateOptions) -> tuple[LabelledSet, str]:
    task = choose_task(store, options.task)
    data = load_labelled(
        store,
        choose_encoder(store, options.encoder),
        task,
        dataset=options.dataset,
        fractions=options.fractions,
        seed=options.seed,
    )
    side = "test" if (data.split == "test").any() else "val"
    for name, what in (("train", "to choose from"), (side, "to measure on")):
        if not (data.split == name).any():
            raise TrainingDataError(
                f"the split of task {task.name!r} leaves no image {what}. Label more images, or "
                "give another --split"
            )
    return data, side


def _prepare(known: Known, kind: str, options: SimulateOptions) -> tuple[_Replays, str]:
    """Fit on all labels, and settle at which numbers of labels to measure."""
    full = known.accuracy(fit(known, np.ones(len(known), bool), kind, options.seed))
    start = min(options.start, len(known))
    budget = min(options.budget or len(known), len(known))
    sizes = sizes_of(start, max(budget, start), options.batch)
    note = ""
    if options.budget is None:
        whole = _Replays(known, kind, full, sizes)
        seeds = range(options.seed, options.seed + min(PROBES, options.seeds))
        run = _parallel(options, PROBES * len(sizes) * len(known))
        sizes = sizes[: max(run(delayed(_reached)(whole, seed) for seed in seeds)) + 2]
    elif options.budget > len(known):
        note = f"the pool has {len(known)} images, which is less than the budget"
    return _Replays(known, kind, full, sizes), note


def _run(
    replays: _Replays,
    strategies: tuple[str, ...],
    options: SimulateOptions,
    progress: Progress | None,
    number: int,
) -> dict[str, Doubles]:
    """Return the accuracies of each strategy, shape (seeds, sizes)."""
    seeds = range(options.seed, options.seed + options.seeds)
    jobs = [(strategy, seed) for seed in seeds for strategy in strategies]
    run = _parallel(options, len(jobs) * len(replays.sizes) * len(replays.known))
    rows: Iterator[list[float]] = run(delayed(_replayed)(replays, *job) for job in jobs)
    heads = len(dict.fromkeys(options.heads))
    found: dict[str, list[list[float]]] = {strategy: [] for strategy in strategies}
    for done, (strategy, seed) in enumerate(jobs):
        if progress:
            what = f"{replays.kind}, {strategy}, seed {seed}"
            progress(number * len(jobs) + done, heads * len(jobs), what)
        found[strategy].append(next(rows))
    return {strategy: np.array(each) for strategy, each in found.items()}


def _parallel(options: SimulateOptions, work: int) -> Parallel:
    """Return what runs jobs, on one process if there is little to do."""
    processes = options.processes or (cpu_count() if work >= MUCH else 1)
    return Parallel(n_jobs=processes, return_as="generator")


def _reached(replays: _Replays, seed: int) -> int:
    """Return at which of the sizes drawing at random reaches 95 % of the full-data accuracy."""
    with one_torch_thread(), threadpool_limits(1):
        found = replay(replays.known, RANDOM, replays.kind, replays.sizes, seed)
        goal = SHARES[-1] * replays.full
        return next((n for n, each in enumerate(found) if each >= goal), len(replays.sizes) - 1)


def _replayed(replays: _Replays, strategy: str, seed: int) -> list[float]:
    with one_torch_thread(), threadpool_limits(1):
        return list(replay(replays.known, strategy, replays.kind, replays.sizes, seed))


def _curve(replays: _Replays, strategy: str, accuracy: dict[str, Doubles]) -> Curve:
    own = accuracy[strategy]
    points = tuple(
        CurvePoint(
            size,
            float(mean),
            None if np.isnan(low) else float(low),
            None if np.isnan(high) else float(high),
        )
        for size, mean, low, high in zip(replays.sizes, *mean_interval(own), strict=True)
    )
    found = tuple(
        needed(replays.sizes, own, accuracy[RANDOM], replays.full, share) for share in SHARES
    )
    if strategy == RANDOM:  # it saves nothing against itself
        found = tuple(replace(n, saving=None, saving_low=None, saving_high=None) for n in found)
    return Curve(strategy, replays.kind, replays.full, points, found)


def _by_need(curve: Curve) -> tuple[float, float]:
    labels = curve.needed[-1].labels
    return (np.inf if labels is None else labels), -curve.points[-1].accuracy
