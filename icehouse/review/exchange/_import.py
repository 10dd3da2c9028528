"""Labels from a file: all of it or nothing, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from icehouse.errors import SourceError, UsageError
from icehouse.review.exchange._export import MULTI, STUDIO, kind_of
from icehouse.review.exchange._label_studio import read_tasks
from icehouse.review.exchange._statements import Statement
from icehouse.review.exchange._tables import read_rows
from icehouse.store import LabelEvent, Place, Signed, Store, Task, bring_in, files_at, image_id

ORIGIN = "import"
SHOWN = 3


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes
    ----------
    task : str
    statements : int
        In the file.
    new : int
        That the log did not hold.
    changed : int
        Images whose present labels are others now.
    new_classes : tuple of str
        That the task did not have.
    outdated : int
        Statements that the log held, of images of which something else has been said since.
    unlabelled : int
        Rows or annotations that say nothing of their image, and were passed over.
    """

    task: str
    statements: int
    new: int
    changed: int
    new_classes: tuple[str, ...]
    outdated: int = 0
    unlabelled: int = 0


def import_labels(
    store: Store,
    task: str,
    file: str | Path,
    *,
    annotator: str,
    new_classes: bool = False,
) -> Imported:
    """Append what a file says of images to the label log, as if it had been said in time.

    Statements that are dated are known again whenever they come; of those that are not, what
    repeats the last one of their annotator by import is no news. A dated one that the log holds
    with other labels was edited in the file, and is said by ``annotator`` now.

    Parameters
    ----------
    store : Store
    task : str
    file : str or Path
        As :func:`export_labels` writes them, or Label Studio.
    annotator : str
        Of statements that name none, and of those that were edited in the file.
    new_classes : bool
        Add classes that the task does not have; else they are refused.

    Raises
    ------
    LookupFailed
        No such task.
    SourceError
        No such file, or it cannot be read as what its name says; or images that are not in the
        store, or classes that are not in the task; or nothing at all. Nothing was written.
    UsageError
        The name of the file says no format; or an image with two labels at once.
    """
    kind = kind_of(file)
    asked = store.labels.task(task)
    several = asked.kind == MULTI
    folder, slash, name = str(file).rpartition("/")
    try:
        data = files_at(folder or slash or ".").read(name)
    except FileNotFoundError:
        raise SourceError(f"there is no file {file}") from None
    try:
        said, unlabelled = (
            read_tasks(data, several=several)
            if kind == STUDIO
            else read_rows(data, kind=kind, several=several)
        )
    except SourceError as error:
        raise SourceError(f"{file}: {error}") from error
    _one_label_each(said, asked)
    images = _images(said, store.places().values())
    lacking = sorted({label for one in said for label in one.labels} - set(asked.classes))
    if lacking and not new_classes:
        raise SourceError(
            f"{len(lacking)} classes of {file} are not in task {task!r}: {_some(lacking)}. "
            "Add them with --new-classes, or mend the file"
        )
    events, before = store.labels.events(task), store.labels.present(task)
    if lacking:
        store.labels.ensure_task(task, asked.kind, lacking)
    said = _as_edited(said, images, events, annotator)
    dated = [
        Signed(image, one.labels, one.annotator or annotator, one.time, one.note)
        for one, image in zip(said, images, strict=True)
        if one.time is not None
    ]
    new = bring_in(store.labels, task, dated, origin=ORIGIN)
    new += _claim(store, task, said, images, annotator)
    now = store.labels.present(task)
    changed = sum(before.get(image) != labels for image, labels in now.items())
    last = events[-1].seq if events else 0
    taken = {(e.image_id, e.labels) for e in store.labels.events(task) if e.seq > last}
    outdated = sum(
        now.get(image) != one.labels and (image, one.labels) not in taken
        for one, image in zip(said, images, strict=True)
    )
    return Imported(task, len(said), new, changed, tuple(lacking), outdated, unlabelled)


def _one_label_each(said: Sequence[Statement], task: Task) -> None:
    """Refuse statements of several labels where a task takes one."""
    for one in said:
        if task.kind != MULTI and len(one.labels) != 1:
            raise UsageError(
                f"{one.where}: task {task.name!r} takes exactly one label, got {list(one.labels)}"
            )


def _as_edited(
    said: Sequence[Statement],
    images: Sequence[bytes],
    events: Sequence[LabelEvent],
    annotator: str,
) -> list[Statement]:
    """Return statements, without signature and time where the log holds these of other labels.

    Who edits a file says something of their own, and does so now.
    """
    held: dict[tuple[bytes, str, datetime], set[tuple[str, ...]]] = {}
    for event in events:
        if event.labels is not None:
            name = event.image_id, event.annotator, datetime.fromtimestamp(event.time, UTC)
            held.setdefault(name, set()).add(event.labels)
    found = []
    for one, image in zip(said, images, strict=True):
        if one.time is not None:
            name = image, one.annotator or annotator, datetime.fromtimestamp(one.time, UTC)
            if one.labels not in held.get(name, {one.labels}):
                one = replace(one, annotator=None, time=None)
        found.append(one)
    return found


def _images(said: Sequence[Statement], places: Iterable[Place]) -> list[bytes]:
    """Return the image of each statement, or refuse those of which the store has none."""
    places = list(places)
    by_id = {place.image_id.hex(): place.image_id for place in places}
    by_key: dict[tuple[str | None, str], set[bytes]] = {}
    for place in places:
        for dataset in (place.dataset, None):
            by_key.setdefault((dataset, place.key), set()).add(place.image_id)
    found, unknown = [], []
    for one in said:
        keyed = by_key.get((one.dataset, one.key or ""), set())
        image = by_id.get(one.image_id) if one.image_id else next(iter(keyed), None)
        if image is None and one.key and Path(one.key).is_file():
            image = by_id.get(image_id(Path(one.key).read_bytes()).hex())
        if image is None or (not one.image_id and len(keyed) > 1):
            what = "several images" if len(keyed) > 1 else "no image"
            unknown.append(f"{one.where}: {what} of {one.image_id or one.key!r}")
        else:
            found.append(image)
    if unknown:
        raise SourceError(
            f"{len(unknown)} of {len(said)} statements name no image of the store: "
            f"{_some(unknown)}. Embed these images first, or take them out of the file"
        )
    return found


def _claim(
    store: Store, task: str, said: Sequence[Statement], images: Sequence[bytes], annotator: str
) -> int:
    by_person: dict[str, dict[bytes, Statement]] = {}
    for one, image in zip(said, images, strict=True):
        if one.time is not None:
            continue
        mine = by_person.setdefault(one.annotator or annotator, {})
        if image in mine and mine[image].labels != one.labels:
            raise UsageError(
                f"{one.where} and {mine[image].where} say {one.labels} and {mine[image].labels} of "
                "one image, and no time says which is later: take one of them out"
            )
        mine[image] = one
    return sum(
        store.labels.claim(
            task,
            [(image, (one.labels, one.note)) for image, one in mine.items()],
            annotator=person,
            origin=ORIGIN,
        )
        for person, mine in by_person.items()
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
