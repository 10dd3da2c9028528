"""Which queue people are shown."""

from __future__ import annotations

from icehouse.heads import choose_task
from icehouse.review import QueueOptions, queue
from icehouse.store import Queue, Queues, Store


def choose_queue(store: Store, number: int | None, options: QueueOptions) -> Queue:
    """Return a queue by its number; without one the newest that is not done, or else a new one.

    Raises
    ------
    LookupFailed
        No such queue, task or head.
    UsageError
        There is nothing to ask about.
    """
    queues = Queues(store.labels)
    if number is not None:
        return queues.queue(number)
    task = choose_task(store, options.task).name
    for known in reversed(queues.queues(task)):
        if queues.counts(known.id)[1]:
            return known
    return queue(store, options).queue
