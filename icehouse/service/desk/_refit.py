"""A head fitted again on the labels of now, and its queue ranked anew."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from icehouse.heads import (
    FitOptions,
    Fractions,
    HeadCard,
    fit_head,
    list_runs,
    load_head,
    make_head,
)
from icehouse.review import QueueOptions, rank
from icehouse.store import Queue, Queues, Store

OF_THE_FIT = ("fractions", "of", "notes")


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


def rank_again(store: Store, queues: Queues, queue: Queue) -> None:
    """Put what a strategy asks about now in the place of what nobody was given yet."""
    settings = queue.settings
    options = QueueOptions(
        task=queue.task,
        encoder=settings["encoder_id"],
        head=settings["head"],
        strategy=queue.strategy,
        batch=max(queues.counts(queue.id)[1], 1),
        again=settings["again"],
        seed=settings["seed"],
    )
    ranked = rank(store, store.labels.task(queue.task), options)
    queues.rank_anew(queue.id, ranked.items)
