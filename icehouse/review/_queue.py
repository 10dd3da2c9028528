"""``queue``: what people are to be asked next, by a strategy, and how far they have come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from icehouse.embedder import choose_encoder
from icehouse.errors import UsageError
from icehouse.heads import StoredHead, choose_head, choose_task, head_names
from icehouse.review._judged import indicator, sure_of
from icehouse.review._queue_pool import LABEL_ERROR, asked_about, in_scope, pool_of
from icehouse.review.strategies import DEFAULT, REASONS, Pool, choose, parse_strategy
from icehouse.store import Queue, QueueItem, Queues, Store, Task


@dataclass(frozen=True)
class QueueOptions:
    """What to ask for.

    Attributes
    ----------
    task, encoder, head : str or None
        None: the only ones. Without any head the strategies are left that need none; the encoder
        is that of the head, where there is one.
    strategy : str
        One of ``STRATEGIES``, or a mixture: ``margin+coreset``. "auto", where all images have a
        label, goes by which of these are probably wrong.
    batch : int
        Images.
    reviewers : int
        How many are to answer an image, each on their own.
    overlap : int or None
        Only so many of the images go to several reviewers, drawn; None: all of them.
    again : bool
        Ask also about images whose only label is that of the source. Where all images have a
        label, this is so of itself.
    seed : int
        Of what is drawn.
    """

    task: str | None = None
    encoder: str | None = None
    head: str | None = None
    strategy: str = DEFAULT
    batch: int = 50
    reviewers: int = 1
    overlap: int | None = None
    again: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        parse_strategy(self.strategy)
        if self.batch < 1 or self.reviewers < 1:
            raise UsageError(
                "a queue has 1 image and 1 reviewer or more, got "
                f"{self.batch} images and {self.reviewers} reviewers"
            )
        if self.overlap is not None and self.reviewers < 2:
            raise UsageError(
                "--overlap says how many images go to several reviewers; say with --reviewers how "
                f"many those are, 2 or more, got {self.reviewers}"
            )
        if self.overlap is not None and self.overlap > self.batch:
            raise UsageError(
                f"of {self.batch} images no more can go to several reviewers, got --overlap "
                f"{self.overlap}; ask for more with --batch"
            )


@dataclass(frozen=True)
class NewQueue:
    """A queue that was made.

    Attributes
    ----------
    queue : Queue
    items : tuple of QueueItem
        In their order.
    notes : tuple of str
    """

    queue: Queue
    items: tuple[QueueItem, ...]
    notes: tuple[str, ...]


def queue(store: Store, options: QueueOptions | None = None) -> NewQueue:
    """Choose images by a strategy, and make a queue of them.

    Images that somebody could not tell are not asked about again.

    Raises
    ------
    LookupFailed
        No such task, encoder or head, or several and none named.
    UsageError
        There is nothing to ask about, or the strategy needs what there is not; or the encoder is
        not that of the head.
    """
    options = options or QueueOptions()
    task = choose_task(store, options.task)
    ranked = rank(store, task, options)
    queues = Queues(store.labels)
    notes = [*ranked.notes, *_waiting_elsewhere(queues, task.name, ranked.items)]
    made = queues.make(task.name, ranked.strategy, ranked.items, ranked.settings)
    return NewQueue(made, tuple(ranked.items), tuple(notes))


def _waiting_elsewhere(queues: Queues, task: str, items: list[QueueItem]) -> list[str]:
    images = {item.image_id for item in items}
    waiting = {
        each.id: sum(item.image_id in images for item in queues.items(each.id, lacking=True))
        for each in queues.queues(task)
    }
    return [
        f"{count} of these images are in queue {number} already"
        for number, count in waiting.items()
        if count
    ]


@dataclass(frozen=True)
class Ranked:
    """Images in the order in which a strategy asks about them."""

    strategy: str
    items: list[QueueItem]
    settings: Mapping[str, Any]
    notes: tuple[str, ...]


def rank(store: Store, task: Task, options: QueueOptions) -> Ranked:
    """Choose images by a strategy; see :func:`queue`."""
    stored = _head(store, task, options.head)
    encoder_id = _encoder(store, stored, options.encoder)
    features = in_scope(store, task.name, encoder_id)
    asked, new, notes = asked_about(store, task.name, features.ids, again=options.again)
    rng = np.random.default_rng(options.seed)
    strategy = options.strategy
    if strategy == DEFAULT and stored is not None and not new:
        strategy = LABEL_ERROR
    pool = pool_of(store, stored, features, asked, parse_strategy(strategy))
    chosen = choose(pool, strategy, options.batch, rng)
    if len(chosen) < options.batch:
        notes.append(f"there are {len(chosen)} images to ask about, and {options.batch} were asked")
    several = len(chosen) if options.overlap is None else options.overlap
    checked = set(rng.permutation(len(chosen))[:several].tolist())
    items = [
        QueueItem(
            features.ids[row].tobytes(),
            float(score),
            {"strategy": part, "reason": REASONS[part], **_answer(stored, pool, row)},
            options.reviewers if place in checked else 1,
        )
        for place, (row, score, part) in enumerate(
            zip(chosen.rows, chosen.scores, chosen.strategies, strict=True)
        )
    ]
    head = {} if stored is None else {"head": stored.card.name}
    settings = {"encoder_id": encoder_id, **head, "images": len(items), "seed": options.seed}
    settings["again"] = options.again or not new
    return Ranked(strategy, items, settings, tuple(notes))


def _head(store: Store, task: Task, name: str | None) -> StoredHead | None:
    """Return the head that is to be asked; None where the task has none."""
    if name is None and not head_names(store, task.name):
        return None
    return choose_head(store, task.name, name)


def _encoder(store: Store, stored: StoredHead | None, name: str | None) -> str:
    """Return the encoder that is to be asked, which is that of the head where there is one."""
    if stored is None:
        return choose_encoder(store, name)
    own = stored.card.encoder_id
    if name is not None and (other := choose_encoder(store, name)) != own:
        raise UsageError(
            f"head {stored.card.name!r} is one of encoder {own}, not of {other}; leave --encoder "
            "out, or choose another head with --head"
        )
    return own


def _answer(stored: StoredHead | None, pool: Pool, row: int) -> dict[str, Any]:
    """Return what the head says of an image, and which head it was."""
    if stored is None or pool.proba is None:
        return {}
    proba = pool.proba[row : row + 1]
    answered = indicator(stored, stored.decide(proba))
    return {
        "predicted": list(stored.answers(proba)[0]),
        "probability": float(sure_of(stored, proba, answered)[0]),
        "head": stored.card.name,
        "weights": stored.card.weights_sha256[:7],
    }
