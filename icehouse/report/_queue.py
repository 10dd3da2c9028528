"""Queues as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from icehouse.report._cells import ImageCell
from icehouse.report._tables import new_table

if TYPE_CHECKING:
    from icehouse.review import NewQueue, QueueState
    from icehouse.store import Queue, QueueItem, Store

SHOWN = 12


def new_queue_tables(made: NewQueue, store: Store) -> list[Table | str]:
    """Return the beginning of a queue that was made, notes, and what comes next."""
    queue = made.queue
    title = f"queue {queue.id}, task {queue.task}: {len(made.items):,} images by {queue.strategy}"
    reasons = {str(item.why["strategy"]): str(item.why["reason"]) for item in made.items}
    return [
        *_items_table(title, made.items, store),
        *(f"{escape(name)}: {escape(words)}" for name, words in reasons.items()),
        *(f"note: {escape(note)}" for note in made.notes),
        f"icehouse review {queue.id} opens it in a browser",
    ]


def _items_table(title: str, items: Sequence[QueueItem], store: Store) -> list[Table | str]:
    places = store.places()
    table = new_table(title, "image", "the head says", "score", "reviewers", "by")
    for item in items[:SHOWN]:
        place, why = places.get(item.image_id), item.why
        said = ""
        if "predicted" in why:
            said = f"{', '.join(why['predicted']) or 'no label'} {why['probability']:.2f}"
        name = ImageCell(place.key if place else "", item.image_id.hex())
        by = escape(str(why.get("strategy", "")))
        table.add_row(name, escape(said), f"{item.score:.3f}", str(item.reviewers), by)
    more = len(items) - SHOWN
    return [table, f"and {more:,} more"] if more > 0 else [table]


def queues_table(queues: list[Queue]) -> Table | str:
    """Return what queues there are."""
    if not queues:
        return "there is no queue yet; icehouse queue makes one"
    table = new_table("queues", "queue", "task", "strategy", "head", "images")
    for queue in queues:
        head, images = (str(queue.settings.get(name, "")) for name in ("head", "images"))
        row = (queue.task, queue.strategy, head, images)
        table.add_row(str(queue.id), *map(escape, row))
    return table


def queue_state_tables(
    state: QueueState, waiting: Sequence[QueueItem], store: Store
) -> list[Table | str]:
    """Return where a queue stands, what is still to be answered, and how far people agree."""
    queue = state.queue
    said: list[Table | str] = [
        f"queue {queue.id}, task {escape(queue.task)}, by {escape(queue.strategy)}: "
        f"{state.done:,} of {state.images:,} images done, {state.leased:,} being looked at"
    ]
    if state.labels:
        named = (f"{escape(name)} {count:,}" for name, count in state.labels.items())
        said.append(f"labels: {', '.join(named)}")
    if state.reviewers:
        table = new_table("", "reviewer", "labelled", "skipped", "cannot tell", "per minute")
        for each in state.reviewers:
            rate = "" if each.per_minute is None else f"{each.per_minute:.1f}"
            counts = (each.labelled, each.skipped, each.unsure)
            table.add_row(escape(each.reviewer), *map(str, counts), rate)
        said.append(table)
    for pair in state.agreement.pairs:
        kappa = "" if pair.kappa is None else f", Cohen's kappa {pair.kappa:.2f}"
        who = escape(f"{pair.first} and {pair.second}")
        said.append(f"{who} agree on {pair.same} of {pair.images} images{kappa}")
    if state.agreement.alpha is not None:
        said.append(f"Krippendorff's alpha {state.agreement.alpha:.2f}")
    if waiting:
        said += _items_table("still to be answered", waiting, store)
    return said
