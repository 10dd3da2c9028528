"""What is said of files that may be duplicates: labels and sides of a split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from icehouse.embedder import usual_encoders
from icehouse.errors import TrainingDataError
from icehouse.heads import load_labelled
from icehouse.review.duplicates._records import Copy
from icehouse.store import LabelEvent, Place, Store, Task

SOURCE = "source"
SINGLE = "single"


class Told:
    """Labels and splits of all that a store holds.

    Parameters
    ----------
    store : Store
    task : str or None
        The only one that counts. None: the store's only one, or to each file that of its dataset.
    thumbnails : str or None
        Their encoder_id. Where the source gives no split and there is one task, it is made of the
        images of the store's one encoder, as ``fit-head`` does; of several, of the thumbnails.

    Attributes
    ----------
    task : str or None
        None where there are several.
    """

    def __init__(self, store: Store, task: str | None, thumbnails: str | None) -> None:
        known = store.labels.tasks() if store.has_labels else []
        self._tasks = [each for each in known if task in (None, each.name)]
        self._in_force: dict[str, dict[bytes, LabelEvent]] = {}
        self._sources: dict[str, set[str]] = {}
        for each in self._tasks:
            self._in_force[each.name] = store.labels.in_force(each.name)
            self._sources[each.name] = store.labels.annotators(each.name, SOURCE)
        self._words = _vocabularies(self._tasks)
        self.task = self._tasks[0].name if len(self._tasks) == 1 else None
        self._sides: Mapping[bytes, str] = {}
        if self.task is not None and thumbnails is not None:
            self._sides = _sides(store, self._tasks[0], thumbnails)

    def copy(self, row: Mapping[str, Any]) -> Copy:
        """Describe a row of the catalog."""
        place = Place(row["dataset"], row["key"], row["source"], row["image_id"])
        task = self._task_of(place)
        event = self._in_force[task.name].get(place.image_id) if task else None
        return Copy(
            image_id=place.image_id.hex(),
            dataset=place.dataset,
            key=place.key,
            source=place.source,
            path=str(place.path) if place.path else None,
            labels=event.labels if event else None,
            said=None if row["labels"] is None else tuple(row["labels"]),
            task=task.name if task else None,
            split=row["split"] or self._sides.get(place.image_id),
        )

    def differ(self, copies: Iterable[Copy]) -> bool:
        """Whether these files are said to show different things, in words that can be compared."""
        said: dict[int, set[frozenset[str]]] = {}
        for copy in copies:
            labels = self._claim(copy)
            if labels is not None and copy.task is not None:
                said.setdefault(self._words[copy.task], set()).add(frozenset(labels))
        return any(len(several) > 1 for several in said.values())

    def _claim(self, copy: Copy) -> tuple[str, ...] | None:
        """Return what counts for a file: what its source says of it, unless a person spoke since.

        In a task of several labels an image has all that its files have.
        """
        if copy.task is None:
            return None
        event = self._in_force[copy.task].get(bytes.fromhex(copy.image_id))
        if event is None or event.origin != SOURCE:
            return copy.labels
        single = next(task.kind == SINGLE for task in self._tasks if task.name == copy.task)
        own = copy.dataset in self._sources[copy.task]
        return copy.said if single and own and copy.said is not None else copy.labels

    def _task_of(self, place: Place) -> Task | None:
        """Return the task that a dataset's source labels, or else one that knows the image."""
        for task in self._tasks:
            if place.dataset in self._sources[task.name]:
                return task
        for task in self._tasks:
            if place.image_id in self._in_force[task.name]:
                return task
        return None


def _sides(store: Store, task: Task, thumbnails: str) -> dict[bytes, str]:
    usual = list(usual_encoders(store))
    try:
        data = load_labelled(store, usual[0] if len(usual) == 1 else thumbnails, task)
    except TrainingDataError:  # nothing is labelled, so nothing is split
        return {}
    return dict(zip((i.tobytes() for i in data.ids), data.split.tolist(), strict=True))


def _vocabularies(tasks: list[Task]) -> dict[str, int]:
    """Number tasks so that those which share a class have one number: their labels compare."""
    number = {task.name: at for at, task in enumerate(tasks)}
    for one in tasks:
        for other in tasks:
            if set(one.classes) & set(other.classes):
                before, now = number[other.name], number[one.name]
                number = {name: now if at == before else at for name, at in number.items()}
    return number
