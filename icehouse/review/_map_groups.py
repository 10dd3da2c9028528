"""What the points of a map are coloured by: groups of images, by labels, answers or places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from icehouse.errors import UsageError
from icehouse.heads import StoredHead
from icehouse.review._flag import flag
from icehouse.review._judged import judge
from icehouse.review._records import Flag
from icehouse.store import IdArray, Store, ids_from_arrow

LABEL, PREDICTION, FLAG, ERROR, DATASET, SPLIT = (
    "label", "prediction", "flag", "error", "dataset", "split",
)  # fmt: skip
GROUPINGS = (LABEL, PREDICTION, FLAG, ERROR, DATASET, SPLIT)
OF_HEADS = (PREDICTION, FLAG, ERROR)
RIGHT, WRONG = "right", "wrong"
FOLDS = 5
NONE = "none of them"
AND = " + "  # between the labels of one image


@dataclass(frozen=True)
class GroupSize:
    """How many images are in a group."""

    group: str
    images: int


@dataclass(frozen=True)
class Groups:
    """Groups that images are in.

    Attributes
    ----------
    by : str
    names : tuple of str
        The largest first.
    of : array of int32, shape (n,)
        The group of each image, a place in ``names``; -1 for none.
    without : str
        What is to be said of those without.
    """

    by: str
    names: tuple[str, ...]
    of: npt.NDArray[np.int32]
    without: str

    def sizes(self) -> list[GroupSize]:
        """Return how many images are in each group; last those in none, if there are any."""
        counts = np.bincount(self.of + 1, minlength=len(self.names) + 1).tolist()
        sizes = [GroupSize(*each) for each in zip(self.names, counts[1:], strict=True)]
        return [*sizes, GroupSize(self.without, counts[0])] if counts[0] else sizes


def group(
    store: Store, ids: IdArray, by: str, *, task: str | None = None, head: StoredHead | None = None
) -> Groups:
    """Group images.

    Parameters
    ----------
    store : Store
    ids : array of V32, shape (n,)
    by : {"label", "prediction", "flag", "error", "dataset", "split"}
        What labels are in force; what a head answers, to labelled images out of fold; why they are
        flagged, the strongest reason; whether that answer is the label; where they are.
    task : str, optional
        For "label".
    head : StoredHead, optional
        For what a head says.

    Raises
    ------
    UsageError
        The task or head is missing.
    """
    if by not in GROUPINGS:
        raise UsageError(f"images are grouped by {', '.join(GROUPINGS)}; got {by!r}")
    if by in OF_HEADS and head is None:
        raise UsageError(f"grouping by {by} takes a head. Fit one: icehouse fit-head")
    if by == LABEL and task is None:
        raise UsageError("grouping by label takes a task; there is none yet: icehouse labels")
    if by in (DATASET, SPLIT):
        return _of_places(store, ids, by)
    if by == LABEL:
        labels = store.labels.present(str(task))
        return _of_names(
            by, ids, {image: _joined(has) for image, has in labels.items()}, "no label"
        )
    assert head is not None
    if by == FLAG:
        reasons = {bytes.fromhex(one.image_id): _strongest(one) for one in flag(store, head).flags}
        return _of_names(by, ids, reasons, "not flagged")
    asked = judge(store, head, FOLDS)
    if by == PREDICTION:
        answers = [_joined(labels) for labels in head.answers(asked.proba)]
        return _of_names(by, ids, _by_image(asked.ids, answers), "not asked about")
    right = (asked.given == asked.answered).all(axis=1)[asked.labelled]
    said = [RIGHT if each else WRONG for each in right]
    return _of_names(by, ids, _by_image(asked.ids[asked.labelled], said), "no label")


def _joined(labels: Iterable[str]) -> str:
    """Name a group by its labels, in whatever order people gave them."""
    return AND.join(sorted(labels)) or NONE


def _strongest(flagged: Flag) -> str:
    return max(flagged.reasons, key=flagged.reasons.__getitem__)


def _by_image(ids: IdArray, names: Sequence[str]) -> dict[bytes, str]:
    return dict(zip((row.tobytes() for row in ids), names, strict=True))


def _of_places(store: Store, ids: IdArray, by: str) -> Groups:
    """Group by dataset or split; an image in several is in one named by all of them."""
    found: dict[bytes, set[str]] = {}
    for dataset in store.catalog.datasets():
        rows = store.catalog.rows(dataset, ["image_id", "split"])
        rows = rows.filter(pc.is_valid(rows["image_id"]))
        images = [row.tobytes() for row in ids_from_arrow(rows["image_id"])]
        names = [dataset] * len(images) if by == DATASET else rows["split"].to_pylist()
        for image, name in zip(images, names, strict=True):
            if name is not None:
                found.setdefault(image, set()).add(name)
    return _of_names(by, ids, {image: _joined(has) for image, has in found.items()}, f"no {by}")


def _of_names(by: str, ids: IdArray, of: dict[bytes, str], without: str) -> Groups:
    named = [of.get(row.tobytes()) for row in ids]
    counts = Counter(name for name in named if name is not None)
    names = sorted(counts, key=lambda name: (-counts[name], name))
    number = {name: i for i, name in enumerate(names)}
    places = [-1 if name is None else number[name] for name in named]
    return Groups(by, tuple(names), np.array(places, np.int32), without)
