"""A head fitted on the labels of now, and its queue ranked anew."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from icehouse.heads import (
    FitOptions,
    Fractions,
    HeadCard,
    StoredHead,
    fit_head,
    head_names,
    list_runs,
    load_head,
    make_head,
)
from icehouse.review import QueueOptions, rank
from icehouse.store import Queue, Queues, Store

FIRST, FOLDS = "logistic", 5
OF_THE_FIT = ("fractions", "of", "notes")


def head_of(store: Store, queue: Queue) -> StoredHead | None:
    """Return the head that a queue goes by.

    Of one that was made before there was any, it is the first that its labels gave.
    """
    name = queue.settings.get("head")
    if name is not None:
        return load_head(store, queue.task, name)
    if FIRST not in head_names(store, queue.task):
        return None
    first = load_head(store, queue.task, FIRST)
    return first if first.card.encoder_id == queue.settings["encoder_id"] else None


def fit_first(store: Store, queue: Queue) -> HeadCard:
    """Fit a head where there is none yet, on all that is labelled; it is measured out of fold."""
    encoder_id = queue.settings["encoder_id"]
    options = FitOptions(queue.task, encoder_id, fractions=Fractions(1, 0, 0), folds=FOLDS)
    return fit_head(store, FIRST, options=options)


def fit_again(store: Store, card: HeadCard) -> HeadCard:
    """Fit a head on the labels that are in force now, as it was asked for the last time.

    The heads that an ensemble is made of are fitted again before it.
    """
    for member in card.members:
        fit_again(store, load_head(store, card.task, member).card)
    runs = list_runs(store, card.task, card.name).runs
    asked: dict[str, Any] = runs[-1].options if runs else {"seed": card.training.get("seed", 0)}
    known = {field.name for field in fields(FitOptions)} - set(OF_THE_FIT)
    fractions = asked.get("fractions")
    options = FitOptions(
        **{name: value for name, value in asked.items() if name in known}
        | {"task": card.task, "name": card.name}
        | {"encoder": None if card.members else card.encoder_id},
        fractions=Fractions(**fractions) if fractions else None,
        of=card.members,
    )
    return fit_head(store, card.kind, _own_settings(card), options)


def _own_settings(card: HeadCard) -> dict[str, Any]:
    """Return the settings that are no defaults: those a task of more classes might not take."""
    if card.members:
        return {"method": card.settings["method"]}
    usual = make_head(card.kind).get_params()
    return {name: value for name, value in card.settings.items() if value != usual.get(name)}


def rank_again(store: Store, queues: Queues, queue: Queue, head: str) -> None:
    """Put what a strategy and a head ask about now in the place of what nobody was given yet."""
    settings = queue.settings
    options = QueueOptions(
        task=queue.task,
        encoder=settings["encoder_id"],
        head=head,
        strategy=queue.strategy,
        batch=max(queues.counts(queue.id)[1], 1),
        again=settings["again"],
        seed=settings["seed"],
    )
    ranked = rank(store, store.labels.task(queue.task), options)
    queues.rank_anew(queue.id, ranked.items)
