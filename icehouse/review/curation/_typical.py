"""``curate typical``: what the classes look like, and what in them looks otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from icehouse.errors import UsageError
from icehouse.heads import choose_task, datasets_of
from icehouse.review.curation._near import Integers, Pictures, near
from icehouse.review.curation._outliers import at_least_one
from icehouse.review.curation._records import ClassPictures, Member, TypicalReport
from icehouse.review.curation._scope import Scope, rows_of, scope_of
from icehouse.review.strategies import Pool, choose
from icehouse.store import Store


@dataclass(frozen=True)
class TypicalOptions:
    """What is looked for, and among what.

    Attributes
    ----------
    task : str or None
        Whose classes; None: the only one.
    dataset : str or None
        Only its images. None: those of the datasets that the task is about.
    encoder : str or None
        None: the only one.
    count : int
        How many pictures of each kind, for each class.
    k : int
        Neighbours that a picture is compared with; in a class of fewer, all.
    """

    task: str | None = None
    dataset: str | None = None
    encoder: str | None = None
    count: int = 8
    k: int = 10

    def __post_init__(self) -> None:
        at_least_one(self.count, "count")
        at_least_one(self.k, "number of neighbours, k")


def find_typical(store: Store, options: TypicalOptions | None = None) -> TypicalReport:
    """Find for each class the pictures that are typical of it, and those that are not.

    The first are those that the strategy ``typical`` of a queue would take from the class
    (:mod:`icehouse.review.strategies`; TypiClust of Hacohen, Dekel & Weinshall 2022): of each of so
    many clusters the densest picture, that of the largest cluster first. The others are known by
    their mean cosine to the k nearest pictures of their class, and to the k nearest other images.
    An image of several classes counts in each.

    Parameters
    ----------
    store : Store
    options : TypicalOptions, optional

    Raises
    ------
    LookupFailed
        No such task, encoder or dataset, or no image has a vector or a label.
    UsageError
        All images with a label are of one class.
    """
    options = options or TypicalOptions()
    task = choose_task(store, options.task)
    datasets = tuple(datasets_of(store, task.name, options.dataset))
    scope = scope_of(store, options.encoder, task.name, datasets)
    labels = scope.labels
    rows = rows_of(scope, [image for image, said in labels.items() if said is not None])
    said = [labels[scope.engine.rows.ids[row].tobytes()] for row in rows.tolist()]
    classes = sorted({name for names in said for name in names})
    inside = {name: np.array([name in names for names in said], np.bool_) for name in classes}
    if not len(rows):
        raise UsageError(
            f"no image of task {task.name!r} that is looked at has a label. Label some first, or "
            "see what is odd without labels: icehouse curate outliers"
        )
    if all(each.all() for each in inside.values()):
        raise UsageError(
            f"all {len(rows):,} images with a label are of one class ({', '.join(classes)}), so "
            "none can be near to another one. Which are odd is said by: icehouse curate outliers"
        )
    some = [name for name in classes if not inside[name].all()]
    found = [_class(scope, name, rows, inside[name], options) for name in some]
    notes = [*scope.notes, *_notes(found, len(scope.rows) - len(rows))]
    notes += [f"left out, as all images are of it: {name}" for name in classes if name not in some]
    encoder_id = scope.engine.rows.encoder_id
    return TypicalReport(task.name, encoder_id, options.k, len(rows), found, tuple(notes))


def _class(
    scope: Scope,
    name: str,
    rows: Integers,
    inside: npt.NDArray[np.bool_],
    options: TypicalOptions,
) -> ClassPictures:
    pictures = Pictures.of(scope.engine, rows[inside], options.k, scope.centre)
    own = pictures.similarity.astype(np.float64).mean(axis=1) if len(pictures) > 1 else np.zeros(1)
    k = max(1, pictures.index.shape[1])
    cosine, others = near(scope.engine, pictures.rows, k, rows[~inside])
    other = np.where(others < 0, np.nan, cosine.astype(np.float64))
    other = np.nanmean(other, axis=1)
    alone = len(pictures) == 1
    lost = (other > own) & (not alone)
    astray, at_home = np.flatnonzero(lost), np.flatnonzero(~lost | lost.all())
    pool = Pool(scope.engine.rows.at(pictures.rows[at_home]))
    typical = at_home[choose(pool, "typical", options.count).rows]
    far = np.flatnonzero(~lost & (not alone))
    first = astray[np.argsort((own - other)[astray], kind="stable")][: options.count]
    last = far[np.argsort(own[far], kind="stable")][: options.count]
    last = last[~np.isin(last, typical)]  # in a class of few

    shown = np.concatenate([typical, last, first])
    known = scope.describe(pictures.rows[shown], others[shown, 0])

    def members(some: Integers) -> tuple[Member, ...]:
        return tuple(
            Member(
                picture=known[int(pictures.rows[row])],
                copies=len(pictures.copies(row)),
                own=None if alone else float(own[row]),
                other=float(other[row]),
                near=known[int(others[row, 0])].labels or (),
            )
            for row in some.tolist()
        )

    return ClassPictures(
        name=name,
        images=int(inside.sum()),
        pictures=len(pictures),
        usual=None if alone else float(np.median(own)),
        typical=members(typical),
        far=members(last),
        astray=members(first),
        n_astray=len(astray),
    )


def _notes(classes: list[ClassPictures], unlabelled: int) -> list[str]:
    notes = [f"left out, without a label: {unlabelled:,} images"] if unlabelled else []
    if single := [each.name for each in classes if each.pictures == 1]:
        notes.append(f"one picture only, with nothing to compare it to: {', '.join(single)}")
    return notes
