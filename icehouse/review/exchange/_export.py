"""The present labels as a file that others read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from icehouse.errors import UsageError
from icehouse.heads import StoredHead, datasets_of, folds_of, loose_datasets
from icehouse.review._honest import honest_proba
from icehouse.review._judged import indicator, sure_of
from icehouse.review._queue_pool import in_scope
from icehouse.review.exchange._label_studio import Guess, config, task_of
from icehouse.review.exchange._statements import Statement, as_row
from icehouse.review.exchange._tables import write_rows
from icehouse.store import LabelEvent, Place, Queues, Store, files_at

STUDIO = "label-studio"
MULTI = "multi"
FOLDS = 5
KINDS = {".csv": "csv", ".parquet": "parquet", ".jsonl": "jsonl", ".json": STUDIO}
"""Formats by how the name of a file ends."""


def kind_of(file: str | Path) -> str:
    """Return the format of a file by its name, or raise UsageError."""
    suffix = Path(file).suffix.lower()
    if suffix not in KINDS:
        known = ", ".join(KINDS)
        raise UsageError(f"labels are files that end in {known} (Label Studio), not {str(file)!r}")
    return KINDS[suffix]


def export_labels(
    store: Store,
    task: str,
    file: str | Path,
    stored: StoredHead | None = None,
    queue: int | None = None,
) -> list[str]:
    """Write the labels in force of a task, with who gave them and when.

    Parameters
    ----------
    store : Store
    task : str
    file : str or Path
        ``.csv``, ``.parquet``, ``.jsonl``, or ``.json`` for Label Studio: all images that the task
        is about, also those without a label, and beside it a file ``.xml`` that says its labelling
        interface.
    stored : StoredHead, optional
        For Label Studio: its answers to all these images, with their probabilities, out-of-fold
        where it was fitted on them.
    queue : int, optional
        Only images of this queue, in its order.

    Returns
    -------
    list of str
        What was written.

    Raises
    ------
    LookupFailed
        No such task or queue.
    UsageError
        The name of the file says no format; or a head where the format has no place for it; or
        the queue is of another task.
    """
    kind = kind_of(file)
    if stored is not None and kind != STUDIO:
        raise UsageError("predictions go into Label Studio's JSON only: give a file .json")
    asked = store.labels.task(task)
    in_force, places = store.labels.in_force(task), store.places()
    folder, slash, name = str(file).rpartition("/")
    files = files_at(folder or slash or ".")
    queued = None if queue is None else _queued(store, task, queue)
    if kind != STUDIO:
        rows = [
            as_row(_statement(event, places.get(image)), event.origin)
            for image in queued or _in_order(places, in_force)
            if (event := in_force.get(image))
        ]
        return [files.commit(name, write_rows(rows, kind))]
    guesses = {} if stored is None else _guesses(store, stored)
    tasks = []
    for image in queued or _in_order(places, in_force.keys() | _scope(store, task)):
        place, event = places.get(image), in_force.get(image)
        said = _statement(event, place) if event else None
        tasks.append(task_of(_said_of(image, place), said, guesses.get(image)))
    text = json.dumps(tasks, indent=1, ensure_ascii=False).encode()
    interface = config(asked.classes, several=asked.kind == MULTI)
    written = files.commit(name, text), files.commit(f"{name[:-5]}.xml", interface)
    return list(written)


def _queued(store: Store, task: str, number: int) -> list[bytes]:
    queues = Queues(store.labels)
    queue = queues.queue(number)
    if queue.task != task:
        raise UsageError(f"queue {number} is of task {queue.task!r}, not of {task!r}")
    return [item.image_id for item in queues.items(number)]


def _scope(store: Store, task: str) -> set[bytes]:
    """Return the images that a task is about, whether or not any encoder has seen them."""
    columns = [
        store.catalog.rows(name, ["image_id"])["image_id"].drop_null().to_pylist()
        for name in {*datasets_of(store, task), *loose_datasets(store)}
    ]
    return set().union(*columns)


def _guesses(store: Store, stored: StoredHead) -> dict[bytes, Guess]:
    features = in_scope(store, stored.card.task, stored.card.encoder_id)
    proba, _ = honest_proba(stored, folds_of(store, stored, folds=FOLDS), features)
    answered = indicator(stored, stored.decide(proba))
    head = f"{stored.card.name} {stored.card.weights_sha256[:7]}"
    return {
        image.tobytes(): Guess(tuple(stored.classes[answer == 1].tolist()), float(p), head)
        for image, answer, p in zip(
            features.ids, answered, sure_of(stored, proba, answered), strict=True
        )
    }


def _statement(event: LabelEvent, place: Place | None) -> Statement:
    return Statement(
        image_id=event.image_id.hex(),
        dataset=place.dataset if place else None,
        key=place.key if place else None,
        labels=event.labels or (),
        annotator=event.annotator,
        time=event.time,
        note=event.note,
    )


def _said_of(image: bytes, place: Place | None) -> dict[str, str | None]:
    shown = place and (str(place.path) if place.path else place.key)
    return {
        "image": shown or None,
        "image_id": image.hex(),
        "dataset": place.dataset if place else None,
        "key": place.key if place else None,
    }


def _in_order(places: Mapping[bytes, Place], images: Iterable[bytes]) -> list[bytes]:
    def name(image: bytes) -> tuple[str, str, bytes]:
        place = places.get(image)
        return (place.dataset, place.key, image) if place else ("", "", image)

    return sorted(images, key=name)
