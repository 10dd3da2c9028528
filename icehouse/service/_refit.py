"""A head fitted again on the labels of now, and its queue ranked anew."""

from __future__ import annotations

from icehouse.heads import FitOptions, Fractions, HeadCard, fit_head
from icehouse.review import QueueOptions, rank
from icehouse.store import Queue, Queues, Store


def fit_again(store: Store, card: HeadCard) -> HeadCard:
    """Fit a head on the labels that are in force now, as it was fitted before."""
    training = card.training
    fractions = training.get("fractions")
    options = FitOptions(
        task=card.task,
        encoder=card.encoder_id,
        dataset=training.get("dataset"),
        name=card.name,
        fractions=Fractions(**fractions) if fractions else None,
        seed=training.get("seed", 0),
        balance=training.get("balance", "none"),
        calibrate=card.calibration.kind,
        coverage=card.coverage,
    )
    return fit_head(store, card.kind, card.settings, options)


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
