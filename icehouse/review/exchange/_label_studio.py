"""Labels as Label Studio's tasks (https://labelstud.io/guide/task_format), both ways.

Every prediction has its ``score``, the probability of the head's answer, so that the least certain
come first when tasks are sorted by it. An annotation's ``unique_id`` says which statement it is:
one that comes back as it went is known, one that was edited there is news.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from icehouse.errors import SourceError
from icehouse.review.exchange._statements import Statement, read_time, time_text

LABEL, IMAGE = "label", "image"
NOT_MIN = "export as JSON, not as JSON-MIN"
NAMESPACE = uuid.UUID("8c8a4f0e-6b43-5d1d-9d34-0f0f6a3c1ce4")


@dataclass(frozen=True)
class Guess:
    """What a head says of an image.

    Attributes
    ----------
    labels : tuple of str
    probability : float
        Of this answer.
    head : str
        Name and the beginning of its checksum.
    """

    labels: tuple[str, ...]
    probability: float
    head: str


def config(classes: Sequence[str], *, several: bool) -> bytes:
    """Return the labelling interface that belongs to the tasks, as XML."""
    choice = "multiple" if several else "single"
    values = "".join(f'\n    <Choice value="{escape(name)}"/>' for name in classes)
    return (
        f'<View>\n  <Image name="{IMAGE}" value="${IMAGE}"/>\n'
        f'  <Choices name="{LABEL}" toName="{IMAGE}" choice="{choice}">{values}\n'
        "  </Choices>\n</View>\n"
    ).encode()


def task_of(
    place: Mapping[str, str | None], said: Statement | None, guess: Guess | None
) -> dict[str, Any]:
    """Return one image as a task.

    Parameters
    ----------
    place : mapping
        "image": path or URL; "image_id", "dataset" and "key".
    said : Statement or None
        The label in force.
    guess : Guess or None
    """
    task: dict[str, Any] = {"data": dict(place), "annotations": [], "predictions": []}
    if said is not None:
        assert said.time is not None
        task["data"]["annotator"] = said.annotator
        task["annotations"].append(
            {
                "unique_id": unique_id(said),
                "created_at": time_text(said.time),
                "was_cancelled": False,
                "ground_truth": False,
                "result": _result(said.labels),
            }
        )
    if guess is not None:
        task["predictions"].append(
            {
                "model_version": guess.head,
                "score": guess.probability,
                "result": _result(guess.labels),
            }
        )
    return task


def unique_id(said: Statement) -> str:
    """Return what an annotation is known again by, made of what it says."""
    when = None if said.time is None else time_text(said.time)
    named = json.dumps([said.image_id, said.labels, said.annotator, when], ensure_ascii=False)
    return str(uuid.uuid5(NAMESPACE, named))


def read_tasks(data: bytes, *, several: bool) -> tuple[list[Statement], int]:
    """Read the annotations of tasks, those left out that were cancelled.

    Parameters
    ----------
    data : bytes
    several : bool
        Whether an image has any number of labels; else an annotation without a choice says
        nothing, and is passed over.

    Returns
    -------
    statements : list of Statement
    passed : int
        Annotations that were passed over.

    Raises
    ------
    SourceError
        The file is none that Label Studio exports as JSON, or has no tasks.
    """
    try:
        tasks = json.loads(data)
    except ValueError as error:
        raise SourceError(f"this is no JSON file: {error}") from error
    if not isinstance(tasks, list):
        raise SourceError(f"Label Studio's JSON is a list of tasks; {NOT_MIN}")
    if not tasks:
        raise SourceError(f"there are no tasks in this file; {NOT_MIN}")
    found: list[Statement] = []
    for number, task in enumerate(tasks, 1):
        where = f"task {number}"
        if isinstance(task, dict) and "data" not in task:
            raise SourceError(f"{where} is not as Label Studio exports it, without data; {NOT_MIN}")
        try:
            found += [
                _read(task["data"], annotation, where)
                for annotation in task.get("annotations", [])
                if not annotation.get("was_cancelled")
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise SourceError(f"{where} is not as Label Studio exports it: {error!r}") from error
    telling = [one for one in found if one.labels or several]
    return telling, len(found) - len(telling)


def _read(data: Mapping[str, Any], annotation: Mapping[str, Any], where: str) -> Statement:
    labels = tuple(
        name
        for part in annotation["result"]
        if part.get("type") == "choices"
        for name in part["value"]["choices"]
    )
    when = annotation.get("updated_at") or annotation.get("created_at")
    said = Statement(
        image_id=data.get("image_id"),
        dataset=data.get("dataset"),
        key=data.get("key") or data[IMAGE],
        labels=labels,
        annotator=data.get("annotator"),
        time=None,
        where=where,
    )
    sent = annotation.get("created_at")
    as_it_went = Statement(
        said.image_id, said.dataset, said.key, labels, said.annotator,
        None if sent is None else read_time(sent, where), where=where,
    )  # fmt: skip
    if annotation.get("unique_id") == unique_id(as_it_went):
        return as_it_went
    return Statement(
        said.image_id, said.dataset, said.key, labels, _person(annotation.get("completed_by")),
        None if when is None else read_time(when, where), where=where,
    )  # fmt: skip


def _person(completed_by: Any) -> str:
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return f"label-studio:{'unknown' if completed_by is None else completed_by}"


def _result(labels: Sequence[str]) -> list[dict[str, Any]]:
    if not labels:
        return []
    values = {"from_name": LABEL, "to_name": IMAGE, "type": "choices"}
    return [{"id": "label", **values, "value": {"choices": list(labels)}}]
