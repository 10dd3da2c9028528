"""What a stored head belongs to, and what it says of images that it was not fitted on."""

from __future__ import annotations

from dataclasses import replace

from icehouse.errors import TrainingDataError
from icehouse.heads._balance import NONE, VIEWS, with_views
from icehouse.heads._base import Head
from icehouse.heads._card import HeadCard
from icehouse.heads._data import LabelledSet, load_labelled
from icehouse.heads._folds import OutOfFold, out_of_fold
from icehouse.heads._fractions import Fractions
from icehouse.heads._stored import StoredHead
from icehouse.heads._stored_folds import load_folds, save_folds
from icehouse.store import Store


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
            f"{card.command}"
        )
    computed = cross_validate(stored.head, data, stored, folds)
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
        group_duplicates=groups_of(card),
    )
    return with_views(store, data) if balance_of(card) == VIEWS else data


def balance_of(card: HeadCard) -> str:
    """Return how classes were balanced for a head."""
    return str(card.training.get("balance", NONE))


def groups_of(card: HeadCard) -> bool:
    """Return whether copies of a picture were kept together for a head."""
    return bool(card.training.get("group_duplicates", False))


def cross_validate(head: Head, data: LabelledSet, stored: StoredHead, folds: int) -> OutOfFold:
    """Compute out-of-fold probabilities as a head was fitted, over all labelled images."""
    card = stored.card
    return out_of_fold(
        head,
        data,
        stored.classes,
        folds=folds,
        seed=int(card.training["seed"]),
        balance=balance_of(card),
        calibrate=card.calibration.kind,
    )
