"""``fit-head``: train a head on cached features, measure it, keep it."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.embedder import choose_encoder
from icehouse.errors import HeadCorrupt, LookupFailed, TrainingDataError, UsageError
from icehouse.heads._answer import measured
from icehouse.heads._assemble import assemble
from icehouse.heads._balance import (
    VIEWS,
    WEIGHTS,
    choose_rows,
    describe,
    with_views,
)
from icehouse.heads._base import Head
from icehouse.heads._card import HeadCard, read_card
from icehouse.heads._curves import save_curves
from icehouse.heads._data import LabelledSet, choose_task, load_labelled
from icehouse.heads._ensemble import ENSEMBLE
from icehouse.heads._familiarity import Familiarity
from icehouse.heads._fit_options import FitOptions
from icehouse.heads._folds import OUT_OF_FOLD
from icehouse.heads._honest import cross_validate
from icehouse.heads._registry import make_head
from icehouse.heads._runs import keep_run
from icehouse.heads._settle import check_threshold, settle
from icehouse.heads._split import SPLITS, TRAIN
from icehouse.heads._stored import StoredHead, save_head
from icehouse.heads._stored_folds import save_folds
from icehouse.heads._versions import library_versions
from icehouse.store import Store, check_name


def fit_head(
    store: Store,
    kind: str,
    settings: Mapping[str, Any] | None = None,
    options: FitOptions | None = None,
) -> HeadCard:
    """Fit a head on the training split, measure it on every split, and save it and its run.

    Probabilities are calibrated on the validation split, or else out-of-fold (:class:`Wishes`).

    Parameters
    ----------
    store : Store
    kind : {"mlp", "logistic", "forest", "xgboost", "knn", "ensemble"}
    settings : mapping, optional
        Parameters of the head, as values or as text.
    options : FitOptions, optional

    Returns
    -------
    HeadCard
        Of the head as saved, metrics in it.

    Raises
    ------
    TrainingDataError
        No or too few labels, or one class only.
    UsageError
        A head of this name exists that was fitted on another encoder; a threshold is both set and
        to be chosen, or answers have none; or classes would be weighed twice.
    """
    options = options or FitOptions()
    head, data, options = prepare(store, kind, settings, options)
    name = options.name or kind
    started = time.perf_counter()
    stored = fit_split(head, data, kind, name, options, started)
    found = {
        split: measured(stored, data.y[rows], stored.calibrated(data.X[rows]))
        for split in SPLITS
        if (rows := data.split == split).any()
    }
    folds = None
    if options.folds:
        folds = cross_validate(head, data, stored, options.folds)
        found[OUT_OF_FOLD] = measured(stored, data.y, folds.proba)
    stored.card = replace(
        stored.card,
        metrics={name: metrics for name, (metrics, _) in found.items()},
        reliability={name: bins for name, (_, bins) in found.items()},
    )
    stored.familiarity = Familiarity.of(data.X[data.split == TRAIN], options.seed)
    card = save_head(store, stored)
    save_curves(store, card, stored.head)
    if folds is not None:
        save_folds(store, card, folds)
    keep_run(store, card, asdict(options))
    return card


def prepare(
    store: Store, kind: str, settings: Mapping[str, Any] | None, options: FitOptions
) -> tuple[Head, LabelledSet, FitOptions]:
    """Return a head that is not fitted, what it is to be fitted on, and the options in full.

    All is refused here that can be without fitting; see :func:`fit_head`.
    """
    if options.threshold and "threshold" in (settings or {}):
        raise UsageError("a threshold is set, or chosen: give --set threshold=… or --threshold")
    name = check_name("head", options.name or kind)
    if kind == ENSEMBLE:
        task = choose_task(store, options.task)
        head, data, options = assemble(store, task.name, settings, options)
    else:
        head, data = _plain(store, kind, settings, options)
    _refuse_other_encoder(store, data.task.name, name, data.encoder_id)
    if options.threshold or "threshold" in (settings or {}):
        check_threshold(data)
    _refuse_balancing_twice(head, options.balance)
    return head, data, options


def _plain(
    store: Store, kind: str, settings: Mapping[str, Any] | None, options: FitOptions
) -> tuple[Head, LabelledSet]:
    if options.of:
        raise UsageError(
            f"only an ensemble is made of heads, and {kind!r} is none: "
            f"--head {ENSEMBLE} --of {','.join(options.of)}"
        )
    head = seeded(kind, settings, options.seed)
    task = choose_task(store, options.task)
    encoder_id = choose_encoder(store, options.encoder)
    data = load_labelled(
        store,
        encoder_id,
        task,
        dataset=options.dataset,
        fractions=options.fractions,
        seed=options.seed,
        group_duplicates=options.group_duplicates,
    )
    return head, with_views(store, data) if options.balance == VIEWS else data


def seeded(kind: str, settings: Mapping[str, Any] | None, seed: int) -> Head:
    """Make a head that draws by a seed, where it draws and its settings name none."""
    head = make_head(kind, settings)
    if "seed" in head.get_params() and "seed" not in (settings or {}):
        head.set_params(seed=seed)
    return head


def fit_split(
    head: Head, data: LabelledSet, kind: str, name: str, options: FitOptions, started: float
) -> StoredHead:
    """Fit on the training split and settle what follows; nothing is measured or saved."""
    train = _training_rows(data)
    chosen = choose_rows(data, train, options.balance, options.seed)
    head.fit(chosen.X, chosen.y, chosen.weight, chosen.groups)
    classes = data.classes if head.multi_label_ else tuple(str(c) for c in head.classes_)
    settled = settle(
        head,
        data,
        np.array(classes),
        options.wishes,
        balance=options.balance,
        seed=options.seed,
    )
    card = HeadCard(
        name=name,
        kind=kind,
        task=data.task.name,
        task_kind=data.task.kind,
        encoder_id=data.encoder_id,
        settings=head.settings(),
        classes=classes,
        calibration=settled.calibration,
        training={
            "digest": data.digest,
            "images": {str(s): int((data.split == s).sum()) for s in np.unique(data.split)},
            "dataset": options.dataset,
            "fractions": asdict(options.fractions) if options.fractions else None,
            "seed": options.seed,
            "balance": options.balance,
            "group_duplicates": options.group_duplicates,
        },
        versions=library_versions(),
        fitted_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        seconds=time.perf_counter() - started,
        notes=(
            *options.notes,
            *data.notes,
            *_notes(data),
            *describe(chosen, int(train.sum()), options.balance),
            *head.notes(),
            *settled.notes,
        ),
        thresholds=settled.thresholds,
        held_out=settled.held_out,
        coverage=options.coverage,
        found=head.found(),
    )
    return StoredHead(card, head, settled.conformal)


def _training_rows(data: LabelledSet) -> npt.NDArray[np.bool_]:
    train = data.split == TRAIN
    if not train.any():
        raise TrainingDataError(
            "the split leaves no image to train on; the source says so for all of its images: "
            f"{', '.join(sorted(set(data.split)))}"
        )
    if train.sum() < 2:
        raise TrainingDataError(
            f"task {data.task.name!r} has 1 image in its training split; a head needs 2 classes "
            "there. Label more images, or give another --split"
        )
    return train


def _notes(data: LabelledSet) -> list[str]:
    if data.y.ndim == 2:
        return []
    trained, measured = (set(data.y[rows]) for rows in (data.split == TRAIN, data.split != TRAIN))
    unmeasured = sorted(map(str, trained - measured)) if measured else []
    if not unmeasured:
        return []
    shown = ", ".join(unmeasured[:5]) + (" …" if len(unmeasured) > 5 else "")
    return [f"in the training split only, so not measured: {shown}"]


def _refuse_balancing_twice(head: Head, balance: str) -> None:
    if balance == WEIGHTS and head.get_params().get("class_weight") == "balanced":
        raise UsageError(
            "classes would be weighed twice: leave out --balance weights, or --set "
            "class_weight=balanced"
        )


def _refuse_other_encoder(store: Store, task: str, name: str, encoder_id: str) -> None:
    try:
        before = read_card(store, task, name).encoder_id
    except (LookupFailed, HeadCorrupt):
        return
    if before != encoder_id:
        raise UsageError(
            f"task {task!r} has a head {name!r} already, of encoder {before}. "
            f"Give this one another name: --name {name}-2"
        )
