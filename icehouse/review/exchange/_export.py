"""The present labels as a file that others read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from icehouse.errors import UsageError
from icehouse.heads import StoredHead
from icehouse.review._judged import judge, sure_of
from icehouse.review.exchange._label_studio import Guess, config, task_of
from icehouse.review.exchange._statements import Statement, as_row
from icehouse.review.exchange._tables import write_rows
from icehouse.store import LabelEvent, Place, Store, files_at

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
    store: Store, task: str, file: str | Path, stored: StoredHead | None = None
) -> list[str]:
    """Write the labels in force of a task, with who gave them and when.

    Parameters
    ----------
    store : Store
    task : str
    file : str or Path
        ``.csv``, ``.parquet``, ``.jsonl``, or ``.json`` for Label Studio, beside which a file
        ``.xml`` says its labelling interface.
    stored : StoredHead, optional
        For Label Studio: its answers to all images of the task's datasets, labelled or not, with
        their probabilities, out-of-fold where it was fitted on them.

    Returns
    -------
    list of str
        What was written.

    Raises
    ------
    LookupFailed
        No such task.
    UsageError
        The name of the file says no format; or a head where the format has no place for it.
    """
    kind = kind_of(file)
    if stored is not None and kind != STUDIO:
        raise UsageError("predictions go into Label Studio's JSON only: give a file .json")
    asked = store.labels.task(task)
    in_force, places = store.labels.in_force(task), store.places()
    folder, slash, name = str(file).rpartition("/")
    files = files_at(folder or slash or ".")
    if kind != STUDIO:
        rows = [
            as_row(_statement(event, places.get(image)), event.origin)
            for image, event in sorted(in_force.items(), key=lambda pair: _order(places, pair[0]))
        ]
        return [files.commit(name, write_rows(rows, kind))]
    guesses = {} if stored is None else _guesses(store, stored)
    tasks = []
    for image in sorted(in_force.keys() | guesses.keys(), key=lambda one: _order(places, one)):
        place, event = places.get(image), in_force.get(image)
        said = _statement(event, place) if event else None
        tasks.append(task_of(_said_of(image, place), said, guesses.get(image)))
    text = json.dumps(tasks, indent=1, ensure_ascii=False).encode()
    interface = config(asked.classes, several=asked.kind == MULTI)
    written = files.commit(name, text), files.commit(f"{name[:-5]}.xml", interface)
    return list(written)


def _guesses(store: Store, stored: StoredHead) -> dict[bytes, Guess]:
    judged = judge(store, stored, FOLDS)
    head = f"{stored.card.name} {stored.card.weights_sha256[:7]}"
    sure = sure_of(stored, judged.proba, judged.answered)
    return {
        image.tobytes(): Guess(tuple(stored.classes[answer == 1].tolist()), float(p), head)
        for image, answer, p in zip(judged.ids, judged.answered, sure, strict=True)
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


def _order(places: Mapping[bytes, Place], image: bytes) -> tuple[str, str, bytes]:
    place = places.get(image)
    return (place.dataset, place.key, image) if place else ("", "", image)
