"""Labels from a file: all of it or nothing, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from icehouse.errors import SourceError, UsageError
from icehouse.review.exchange._export import MULTI, STUDIO, kind_of
from icehouse.review.exchange._label_studio import read_tasks
from icehouse.review.exchange._statements import Statement
from icehouse.review.exchange._tables import read_rows
from icehouse.store import Place, Signed, Store, bring_in, files_at

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
    """

    task: str
    statements: int
    new: int
    changed: int
    new_classes: tuple[str, ...]


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
    repeats the last one of their annotator by import is no news.

    Parameters
    ----------
    store : Store
    task : str
    file : str or Path
        As :func:`export_labels` writes them, or Label Studio.
    annotator : str
        Of statements that name none.
    new_classes : bool
        Add classes that the task does not have; else they are refused.

    Raises
    ------
    LookupFailed
        No such task.
    SourceError
        No such file, or it cannot be read as what its name says; or images that are not in the
        store, or classes that are not in the task. Nothing was written.
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
    said = read_tasks(data) if kind == STUDIO else read_rows(data, kind, several=several)
    images = _images(said, store.places().values())
    lacking = sorted({label for one in said for label in one.labels} - set(asked.classes))
    if lacking and not new_classes:
        raise SourceError(
            f"{len(lacking)} classes of {file} are not in task {task!r}: {_some(lacking)}. "
            "Add them with --new-classes, or mend the file"
        )
    before = store.labels.present(task)
    if lacking:
        store.labels.ensure_task(task, asked.kind, lacking)
    dated = [
        Signed(image, one.labels, one.annotator or annotator, one.time, one.note)
        for one, image in zip(said, images, strict=True)
        if one.time is not None
    ]
    new = bring_in(store.labels, task, dated, origin=ORIGIN)
    new += _claim(store, task, said, images, annotator)
    now = store.labels.present(task)
    changed = sum(before.get(image) != labels for image, labels in now.items())
    return Imported(task, len(said), new, changed, tuple(lacking))


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
