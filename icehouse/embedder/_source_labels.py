"""What a source says of its images: whether a task can take it, and its recording."""

from __future__ import annotations

from icehouse.embedder.sources import Listing, classes_of
from icehouse.errors import UsageError
from icehouse.store import Store, check_name, record_claims

SHOWN = 5


def check_task(store: Store, listing: Listing, task: str) -> str:
    """Refuse a task that could not take the labels, before anything is encoded."""
    check_name("task", task)
    classes = classes_of(listing.entries)
    if classes:
        store.require_labels()
    kinds = {t.name: t.kind for t in store.labels.tasks()} if store.has_labels else {}
    if classes and kinds.get(task, _kind(listing)) != _kind(listing):
        raise UsageError(
            f"task {task!r} takes {kinds[task]} labels, but got {_kind(listing)} ones; "
            "give these labels a task of their own with --task"
        )
    return task


def record_labels(store: Store, listing: Listing, dataset: str, task: str) -> list[str]:
    """Record what a source says of its images now, and return what a person should know of it."""
    classes = classes_of(listing.entries)
    if classes and dataset in store.catalog.datasets():
        # Of a part, also the classes of what is not listed and was embedded earlier.
        partly = listing.left_out or listing.closed
        known = store.catalog.rows(dataset, ["labels"])["labels"] if partly else []
        earlier = {label for labels in known for label in labels.as_py() or ()}
        store.labels.ensure_task(task, _kind(listing), classes | earlier)
        return _notes(record_claims(store.catalog, store.labels, dataset, task).contested)
    return []


def _notes(contested: tuple[tuple[str, tuple[str, ...]], ...]) -> list[str]:
    if not contested:
        return []
    count = "1 image has" if len(contested) == 1 else f"{len(contested):,} images have"
    shown = [f"{key} ({', '.join(labels)})" for key, labels in contested[:SHOWN]]
    more = [f"and {len(contested) - SHOWN:,} more"] if len(contested) > SHOWN else []
    return [
        f"{count} several labels, of which the first counts: {'; '.join([*shown, *more])}. "
        "icehouse label-issues lists them, once a head is fitted"
    ]


def _kind(listing: Listing) -> str:
    return "multi" if listing.multi_label else "single"
