"""What a queue chooses from: images of a task, what heads say of them, and who has seen them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from icehouse.errors import UsageError
from icehouse.heads import StoredHead, datasets_of, folds_of, loose_datasets
from icehouse.review._committee import committee_of
from icehouse.review._honest import honest_proba
from icehouse.review._label_issues import label_issues
from icehouse.review.strategies import Pool
from icehouse.store import (
    FeatureMatrix,
    IdArray,
    Store,
    ids_from_arrow,
    positions,
    read_reviews,
)

FOLDS = 5
SOURCE, UNSURE, LABEL_ERROR = "source", "unsure", "label-error"


def in_scope(store: Store, task: str, encoder_id: str) -> FeatureMatrix:
    """Return the images that a task is about.

    They are those of the datasets whose sources label it, and of those that no source labels at
    all; of a task that none labels, all images.
    """
    scope = {*datasets_of(store, task), *loose_datasets(store)}
    features = store.features(encoder_id).load()
    columns = [store.catalog.rows(name, ["image_id"])["image_id"].drop_null() for name in scope]
    wanted = [ids_from_arrow(column) for column in columns]
    ids = np.unique(np.concatenate(wanted)) if wanted else features.ids[:0]
    rows = np.flatnonzero(positions(features.ids, ids) >= 0)
    if not len(rows):
        raise UsageError(
            f"no images of task {task!r} have features of {encoder_id}; embed some: icehouse embed"
        )
    if len(rows) == len(features):
        return features
    return FeatureMatrix(encoder_id, features.ids[rows], features.vectors[rows])


def asked_about(
    store: Store, task: str, ids: IdArray, *, again: bool
) -> tuple[npt.NDArray[np.bool_], bool, list[str]]:
    """Return which images may be asked about, whether any is new, and what a person should know.

    New is an image without any label. Where there is none, or ``again``, it is also asked about
    those that only the source has labelled; and never about what somebody could not tell.
    """
    events = store.labels.in_force(task)
    reviews = read_reviews(store.labels, task)
    undone = {review.undoes for review in reviews}
    unsure = {r.image_id for r in reviews if r.outcome == UNSURE and r.id not in undone}
    keys = [row.tobytes() for row in ids]
    by = np.array([events[key].origin if key in events else "" for key in keys])
    told = np.array([key in unsure for key in keys])
    free = (by == "") & ~told
    new = bool(free.any())
    notes = [f"{told.sum()} images are left out that somebody could not tell"] if told.any() else []
    if again or not new:
        if not again:
            notes.append("all images have labels: those are asked about that only the source gave")
        free = ((by == "") | (by == SOURCE)) & ~told
    if not free.any():
        raise UsageError(
            f"there is nothing to ask about: people have looked at all {len(ids):,} images of task "
            f"{task!r}. Embed more of them"
        )
    return free, new, notes


def pool_of(
    store: Store,
    stored: StoredHead | None,
    features: FeatureMatrix,
    asked: npt.NDArray[np.bool_],
    parts: Sequence[str],
) -> Pool:
    """Return what strategies choose from: what may not be asked about counts as labelled."""
    if stored is None:
        return Pool(features.vectors, labelled=~asked)
    proba, _ = honest_proba(stored, folds_of(store, stored, folds=FOLDS), features)
    committee, errors = [], None
    if "disagreement" in parts:
        others = committee_of(store, stored)
        committee = [
            honest_proba(other, folds_of(store, other, folds=FOLDS), features)[0]
            for other in others
        ]
    if LABEL_ERROR in parts:
        errors = np.zeros(len(features))
        place = {row.tobytes().hex(): number for number, row in enumerate(features.ids)}
        for issue in label_issues(store, stored, folds=FOLDS, min_score=0.0).issues:
            if issue.image_id in place:
                row = place[issue.image_id]
                errors[row] = max(errors[row], issue.score)
    return Pool(
        features.vectors,
        proba,
        ~asked,
        stored.head.multi_label_,
        stored.threshold,
        committee,
        errors,
    )
