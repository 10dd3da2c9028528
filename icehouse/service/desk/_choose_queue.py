"""Which queue people are shown."""

from __future__ import annotations

from icehouse.errors import LookupFailed
from icehouse.heads import choose_task
from icehouse.review import QueueOptions, queue
from icehouse.store import Queue, Queues, Store


def choose_queue(
    store: Store, number: int | None, options: QueueOptions, begin: bool = True
) -> Queue:
    """Return a queue by its number; without one the newest that is not done, or else a new one.

    Parameters
    ----------
    store : Store
    number : int or None
    options : QueueOptions
        Of a new one.
    begin : bool
        Whether a new one may be made.

    Raises
    ------
    LookupFailed
        No such queue, task or head; or none that is not done, where none may be made.
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
    if not begin:
        raise LookupFailed(
            f"nothing of task {task!r} is being reviewed: a queue is begun by icehouse queue, or "
            "by the first who opens this page and may review"
        )
    return queue(store, options).queue
