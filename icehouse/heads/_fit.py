"""``fit-head``: train a head on cached features, measure it, keep it."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from icehouse.embedder import choose_encoder
from icehouse.errors import HeadCorrupt, LookupFailed, TrainingDataError, UsageError
from icehouse.heads._balance import (
    NONE,
    VIEWS,
    check_balance,
    choose_rows,
    describe,
    with_views,
)
from icehouse.heads._base import AnyArray, FloatArray, Head
from icehouse.heads._calibration import fit_temperature, scale
from icehouse.heads._curves import save_curves
from icehouse.heads._data import (
    SPLITS,
    TRAIN,
    VAL,
    Fractions,
    LabelledSet,
    choose_task,
    load_labelled,
)
from icehouse.heads._folds import OutOfFold, out_of_fold, target_of
from icehouse.heads._metrics import Metrics, measure
from icehouse.heads._registry import make_head
from icehouse.heads._runs import keep_run
from icehouse.heads._stored import (
    HeadCard,
    StoredHead,
    load_folds,
    read_card,
    save_folds,
    save_head,
)
from icehouse.heads._versions import versions
from icehouse.store import Store, check_name

OUT_OF_FOLD = "out-of-fold"


@dataclass(frozen=True)
class FitOptions:
    """What to fit on, and how to measure.

    Attributes
    ----------
    task, encoder, dataset : str or None
        None: the only one (of datasets: all).
    name : str or None
        Of the head in the store; by default its kind.
    fractions : Fractions or None
        Of the split, where the source gives none.
    folds : int
        Also cross-validate with so many folds; 0 for not.
    seed : int
        Of the split, of the head, and of what balancing draws.
    balance : {"none", "weights", "over", "under", "views"}
        How classes of unlike sizes are made to count the same: by weights of the images, by
        drawing from the small ones again, by leaving out of the large ones, or by the stored
        views of images of the small ones. Only what trains is balanced.
    """

    task: str | None = None
    encoder: str | None = None
    dataset: str | None = None
    name: str | None = None
    fractions: Fractions | None = None
    folds: int = 0
    seed: int = 0
    balance: str = NONE


def fit_head(
    store: Store,
    kind: str,
    settings: Mapping[str, Any] | None = None,
    options: FitOptions | None = None,
) -> HeadCard:
    """Fit a head on the training split, measure it on every split, and save it and its run.

    Probabilities are calibrated by one temperature, fitted on the validation split.

    Parameters
    ----------
    store : Store
    kind : {"mlp", "logistic", "forest", "xgboost", "knn"}
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
        A head of this name exists that was fitted on another encoder.
    """
    options = options or FitOptions()
    head = seeded(kind, settings, options.seed)
    task = choose_task(store, options.task)
    encoder_id = choose_encoder(store, options.encoder)
    name = check_name("head", options.name or kind)
    _refuse_other_encoder(store, task.name, name, encoder_id)
    data = load_labelled(
        store,
        encoder_id,
        task,
        dataset=options.dataset,
        fractions=options.fractions,
        seed=options.seed,
    )
    if check_balance(options.balance) == VIEWS:
        data = with_views(store, data)
    started = time.perf_counter()
    stored = fit_split(head, data, kind, name, options, started)
    metrics = {
        split: asdict(_measure(stored, data, data.split == split))
        for split in SPLITS
        if (data.split == split).any()
    }
    folds = None
    if options.folds:
        folds = out_of_fold(
            head,
            data,
            stored.classes,
            folds=options.folds,
            seed=options.seed,
            balance=options.balance,
        )
        metrics[OUT_OF_FOLD] = asdict(_measure_folds(stored, data, folds))
    card = save_head(store, replace(stored.card, metrics=metrics), stored.head)
    save_curves(store, card, stored.head)
    if folds is not None:
        save_folds(store, card, folds)
    keep_run(store, card, asdict(options))
    return card


def folds_of(store: Store, stored: StoredHead, *, folds: int = 5) -> OutOfFold:
    """Return a head's out-of-fold probabilities, computing and keeping them where needed.

    Raises
    ------
    TrainingDataError
        The labels have changed since the head was fitted, so that its classes no longer fit.
    """
    card = stored.card
    data = training_set(store, card)
    fresh = replace(card, training={**card.training, "digest": data.digest})
    kept = load_folds(store, fresh)
    if kept is not None:
        return kept
    if not set(data.classes) <= set(card.classes):
        new = ", ".join(sorted(set(data.classes) - set(card.classes)))
        raise TrainingDataError(
            f"task {card.task!r} has classes that head {card.name!r} does not know: {new}. "
            "Give them images to train on, and fit it again: "
            f"icehouse fit-head --head {card.kind} --task {card.task}"
        )
    head = make_head(card.kind, card.settings)
    seed = int(card.training["seed"])
    balance = balance_of(card)
    computed = out_of_fold(head, data, stored.classes, folds=folds, seed=seed, balance=balance)
    save_folds(store, fresh, computed)
    return computed


def training_set(store: Store, card: HeadCard) -> LabelledSet:
    """Return the labelled images that a head belongs to, with their labels as they are now."""
    fractions = card.training["fractions"]
    data = load_labelled(
        store,
        card.encoder_id,
        store.labels.task(card.task),
        dataset=card.training["dataset"],
        fractions=Fractions(**fractions) if fractions else None,
        seed=int(card.training["seed"]),
    )
    return with_views(store, data) if balance_of(card) == VIEWS else data


def balance_of(card: HeadCard) -> str:
    """Return how classes were balanced for a head."""
    return str(card.training.get("balance", NONE))


def seeded(kind: str, settings: Mapping[str, Any] | None, seed: int) -> Head:
    """Make a head that draws by a seed, where it draws and its settings name none."""
    head = make_head(kind, settings)
    if "seed" in head.get_params() and "seed" not in (settings or {}):
        head.set_params(seed=seed)
    return head


def fit_split(
    head: Head, data: LabelledSet, kind: str, name: str, options: FitOptions, started: float
) -> StoredHead:
    """Fit on the training split and calibrate on the validation split; nothing is saved."""
    train, val = data.split == TRAIN, data.split == VAL
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
    chosen = choose_rows(data, train, options.balance, options.seed)
    head.fit(chosen.X, chosen.y, chosen.weight, chosen.groups)
    classes = data.classes if head.multi_label_ else tuple(str(c) for c in head.classes_)
    temperature = 1.0
    known = val & (np.isin(data.y, classes) if data.y.ndim == 1 else True)
    if known.any():
        proba = head.predict_proba(data.X[known])
        temperature = fit_temperature(proba, target_of(data, np.array(classes))[known])
    card = HeadCard(
        name=name,
        kind=kind,
        task=data.task.name,
        task_kind=data.task.kind,
        encoder_id=data.encoder_id,
        settings={name: _plain(value) for name, value in head.get_params().items()},
        classes=classes,
        temperature=temperature,
        training={
            "digest": data.digest,
            "images": {str(s): int((data.split == s).sum()) for s in np.unique(data.split)},
            "dataset": options.dataset,
            "fractions": asdict(options.fractions) if options.fractions else None,
            "seed": options.seed,
            "balance": options.balance,
        },
        versions=versions(),
        fitted_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        seconds=time.perf_counter() - started,
        notes=(*data.notes, *_notes(data), *describe(chosen, int(train.sum()), options.balance)),
    )
    return StoredHead(card, head)


def answer(stored: StoredHead, X: FloatArray) -> tuple[FloatArray, AnyArray]:  # noqa: N803
    """Return calibrated probabilities of features, and the answers that follow from them."""
    raw = stored.head.predict_proba(X)
    proba = scale(raw, stored.card.temperature, multi_label=stored.head.multi_label_)
    return proba, stored.head.decide(proba)


def _measure(stored: StoredHead, data: LabelledSet, rows: Any) -> Metrics:
    return measure(data.y[rows], *answer(stored, data.X[rows]), stored.classes)


def _measure_folds(stored: StoredHead, data: LabelledSet, folds: OutOfFold) -> Metrics:
    return measure(data.y, folds.proba, stored.head.decide(folds.proba), stored.classes)


def _notes(data: LabelledSet) -> list[str]:
    if data.y.ndim == 2:
        return []
    trained, measured = (set(data.y[rows]) for rows in (data.split == TRAIN, data.split != TRAIN))
    unmeasured = sorted(map(str, trained - measured)) if measured else []
    if not unmeasured:
        return []
    shown = ", ".join(unmeasured[:5]) + (" …" if len(unmeasured) > 5 else "")
    return [f"in the training split only, so not measured: {shown}"]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


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
