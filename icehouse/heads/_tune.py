"""``fit-head --tune``: look for the settings of a head by cross-validation of its training split.

Validation and test images take no part. What is compared is what a fit would keep: probabilities
that are calibrated on other folds. The first trial is the settings as they were asked for, so that
nothing worse can come of it. Each trial draws by a seed of its own number, and knows the trials
before it; so a run that goes on from kept trials comes to what one that was never stopped does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone

from icehouse.errors import HeadError, MissingExtra, TrainingDataError, UsageError
from icehouse.heads._base import Head
from icehouse.heads._data import LabelledSet, strata_of
from icehouse.heads._fit import prepare
from icehouse.heads._fit_options import FitOptions
from icehouse.heads._folds import cross_calibrate, cross_predict
from icehouse.heads._metrics import measure
from icehouse.heads._spaces import SPACES, Pick, Space, Span
from icehouse.heads._split import TRAIN, make_folds
from icehouse.heads._trials import DONE, FAILED, Trial, TrialFile
from icehouse.store import Store

FOLDS = 5
LOSS, ACCURACY = OBJECTIVES = ("log_loss", "accuracy")

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class TuneOptions:
    """How long to look, and for what.

    Attributes
    ----------
    trials : int
        In all, with those of earlier runs on the same data.
    seconds : float or None
        No trial is begun after that time; None: as long as it takes.
    objective : {"log_loss", "accuracy"}

    Raises
    ------
    UsageError
        Something else.
    """

    trials: int = 30
    seconds: float | None = None
    objective: str = LOSS

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            known = " or ".join(OBJECTIVES)
            raise UsageError(f"heads are tuned by {known}, not by {self.objective!r}")
        if self.trials < 1:
            raise UsageError(f"tuning takes 1 trial or more, got {self.trials}")
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"the time for tuning is above 0 seconds, got {self.seconds:g}")


@dataclass(frozen=True)
class Tuned:
    """What was found.

    Attributes
    ----------
    settings : dict
        To fit with: those that were given, and the best of those that were tried.
    trials : tuple of Trial
        In the order in which they were tried; the first is that of the settings as given.
    objective : str
    file : str
        Where they are kept, relative to the store.
    note : str
        For the card of the head.
    """

    settings: dict[str, Any]
    trials: tuple[Trial, ...]
    objective: str
    file: str
    note: str

    @property
    def ranked(self) -> list[Trial]:
        """The trials, the best on top, and those that failed last."""
        return sorted(self.trials, key=partial(_cost, self.objective))


def tune(
    store: Store,
    kind: str,
    settings: Mapping[str, Any] | None = None,
    options: FitOptions | None = None,
    tuning: TuneOptions | None = None,
    progress: Progress | None = None,
) -> Tuned:
    """Look for the settings of a head; nothing is fitted to be kept.

    Parameters
    ----------
    store : Store
        Each trial is kept in it, and a later run goes on from there.
    kind : {"mlp", "logistic", "forest", "xgboost", "knn"}
    settings : mapping, optional
        These are as they are given, and not tuned.
    options : FitOptions, optional
        What the head is to be fitted on.
    tuning : TuneOptions, optional
    progress : callable, optional
        Called with trials done, trials in all, and what is best so far.

    Raises
    ------
    MissingExtra
        Optuna is not installed.
    UsageError
        The head has nothing to tune, or all of it is given.
    TrainingDataError
        Too few images for five folds.
    """
    library()
    options, tuning = options or FitOptions(), tuning or TuneOptions()
    given = dict(settings or {})
    space = _space(kind, given)
    head, data, options = prepare(store, kind, given, options)
    file = TrialFile(store, data.task.name, _question(head, data, space, options, tuning))
    trials = file.read()
    started = time.perf_counter()
    while len(trials) < tuning.trials:
        if trials and tuning.seconds and time.perf_counter() - started > tuning.seconds:
            break
        if progress:
            progress(len(trials), tuning.trials, _so_far(trials, tuning.objective))
        if trials:
            asked = _ask(space, trials, options.seed, tuning.objective)
        else:
            asked = _own(head, space, int((data.split == TRAIN).sum()))
        trials.append(_known(asked, trials) or _try(head, data, options, tuning.objective, asked))
        if trials[0].value is None:
            raise TrainingDataError(f"head {kind!r} cannot be judged by folds: it gave no number")
        file.keep(trials)
    best = min(trials, key=partial(_cost, tuning.objective))
    note = (
        f"tuned by {tuning.objective} on {FOLDS} folds of the training split: {best.value:.4f} is "
        f"the best of {len(trials)} trials, {trials[0].value:.4f} that of the settings as given"
    )
    return Tuned({**given, **best.settings}, tuple(trials), tuning.objective, file.name, note)


def library() -> Any:
    """Return the package optuna, which is an extra, told to be quiet."""
    try:
        import optuna
    except ImportError:
        raise MissingExtra("optuna", "tune") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _space(kind: str, given: Mapping[str, Any]) -> Space:
    if kind not in SPACES:
        raise UsageError(f"a head {kind!r} is not tuned; these are: {', '.join(SPACES)}")
    space = {name: where for name, where in SPACES[kind].items() if name not in given}
    if not space:
        raise UsageError(
            f"of head {kind!r}, {', '.join(SPACES[kind])} is tuned, and all of it is set: leave "
            "out --set, or --tune"
        )
    return space


def _own(head: Head, space: Space, images: int) -> dict[str, Any]:
    """Return the settings of a head that would be tuned."""
    own = head.get_params() | head.for_images(images)
    return {name: own[name] for name in space}


def _question(
    head: Head, data: LabelledSet, space: Space, options: FitOptions, tuning: TuneOptions
) -> dict[str, Any]:
    return {
        "kind": head.kind,
        "encoder_id": data.encoder_id,
        "data": data.digest,
        "settings": {name: v for name, v in head.settings().items() if name not in space},
        "space": {name: asdict(where) for name, where in space.items()},
        "objective": tuning.objective,
        "folds": FOLDS,
        "seed": options.seed,
        "balance": options.balance,
        "calibrate": options.calibrate,
    }


def _try(
    head: Head, data: LabelledSet, options: FitOptions, objective: str, asked: dict[str, Any]
) -> Trial:
    """Judge the training split by folds; only the settings as given may not fail."""
    started = time.perf_counter()
    train = data.split == TRAIN
    classes = np.array(data.classes) if data.y.ndim == 2 else np.unique(data.y[train])
    fold = np.full(len(data), -1)
    fold[train] = make_folds(data.units[train], strata_of(data)[train], FOLDS, options.seed)
    candidate = clone(head).set_params(**asked)
    judge = partial(cross_predict, balance=options.balance, seed=options.seed)
    value: float | None = None
    with suppress(HeadError, FloatingPointError):
        proba = judge(candidate, data, classes, fold)[train]
        y = data.y[train]
        target = y if y.ndim == 2 else np.searchsorted(classes, y)
        proba = cross_calibrate(options.calibrate, proba, target, fold[train])
        answers = (proba >= 0.5).astype(np.int64) if y.ndim == 2 else classes[proba.argmax(axis=1)]
        metrics = measure(y, proba, answers, classes)
        value = metrics.log_loss if objective == LOSS else metrics.top1
    sound = value is not None and math.isfinite(value)
    seconds = round(time.perf_counter() - started, 3)
    return Trial(asked, value if sound else None, seconds, DONE if sound else FAILED)


def _ask(space: Space, trials: Sequence[Trial], seed: int, objective: str) -> dict[str, Any]:
    """Return settings to try next, by what is known of others."""
    optuna = library()
    where = {name: _distribution(optuna, each) for name, each in space.items()}
    study = optuna.create_study(
        direction="minimize" if objective == LOSS else "maximize",
        sampler=optuna.samplers.TPESampler(seed=(seed + len(trials)) % 2**32),
    )
    states = optuna.trial.TrialState
    for each in trials:
        study.add_trial(
            optuna.trial.create_trial(
                params=each.settings,
                distributions=where,
                value=each.value,
                state=states.COMPLETE if each.state == DONE else states.FAIL,
            )
        )
    asked: dict[str, Any] = study.ask(where).params
    return asked


def _distribution(optuna: Any, where: Span | Pick) -> Any:
    kinds = optuna.distributions
    if isinstance(where, Pick):
        return kinds.CategoricalDistribution(where.values)
    if where.whole:
        return kinds.IntDistribution(int(where.low), int(where.high), log=where.log)
    return kinds.FloatDistribution(where.low, where.high, log=where.log)


def _known(asked: dict[str, Any], trials: Sequence[Trial]) -> Trial | None:
    """Return what is known of settings that were tried before: it would come out the same."""
    return next((replace(t, seconds=0.0) for t in trials if t.settings == asked), None)


def _cost(objective: str, trial: Trial) -> float:
    if trial.value is None:
        return math.inf
    return trial.value if objective == LOSS else -trial.value


def _so_far(trials: Sequence[Trial], objective: str) -> str:
    if not trials:
        return "the settings as given"
    best = min(trials, key=partial(_cost, objective))
    return f"{objective} {best.value:.4f}, at first {trials[0].value:.4f}"
