"""A head's answers beside others: which head, and what it says of images it was not fitted on."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from icehouse.errors import HeadError, LookupFailed, UsageError
from icehouse.heads import HeadCard, StoredHead, folds_of, list_heads, load_head
from icehouse.review._honest import honest_proba
from icehouse.review._zero_shot_report import Opponent
from icehouse.store import FeatureMatrix, Store, Task, positions

HONEST = ("out-of-fold", "test", "val", "train")
"""Splits whose accuracy ranks heads: the first that a head was measured on."""


def oppose(
    store: Store,
    task: Task | None,
    against: str | None,
    images: FeatureMatrix,
    classes: Collection[str],
    folds: int,
) -> tuple[Opponent | None, list[str]]:
    """Ask a head of the task about images.

    Parameters
    ----------
    store : Store
    task : Task or None
    against : str or None
        The head. None: the one that is right most often, of those whose classes all are among
        those given. Where there is none, or it cannot be asked, that is a note.
    images : FeatureMatrix
        Of whatever encoder; the head is asked about its own features of them.
    classes : collection of str
        To which its answers are compared.
    folds : int
        For out-of-fold probabilities that have to be computed.

    Returns
    -------
    opponent : Opponent or None
    notes : list of str

    Raises
    ------
    UsageError
        A head is named that cannot be compared.
    LookupFailed
        The task has no such head, or the images have no features of its encoder.
    HeadError
        The head that is named is damaged, or too few images are labelled.
    """
    if against is not None:
        if task is None:
            raise UsageError(f"head {against!r} belongs to a task; say which with --task")
        return _ask(store, load_head(store, task.name, against), images, classes, folds), []
    try:
        cards = list_heads(store, task.name) if task else []
        fitting = [card for card in cards if set(card.classes) <= set(classes)]
        if not fitting:
            return None, [
                f"no head of task {task.name!r} has these classes"
            ] if task and cards else []
        best = max(fitting, key=_accuracy)
        return _ask(store, load_head(store, best.task, best.name), images, classes, folds), []
    except (UsageError, HeadError) as error:
        return None, [f"not compared with a head: {error}"]


def _accuracy(card: HeadCard) -> float:
    measured = [card.metrics[split]["top1"] for split in HONEST if split in card.metrics]
    return float(measured[0]) if measured else 0.0


def _ask(
    store: Store,
    stored: StoredHead,
    images: FeatureMatrix,
    classes: Collection[str],
    folds: int,
) -> Opponent:
    card = stored.card
    if unknown := sorted(set(card.classes) - set(classes)):
        raise UsageError(
            f"no caption stands for these classes of head {card.name!r}: {', '.join(unknown)}"
        )
    same = card.encoder_id == images.encoder_id
    own = images if same else store.features(card.encoder_id).load()
    where = positions(images.ids, own.ids)
    rows = np.flatnonzero(where >= 0)
    if not len(rows):
        raise LookupFailed(
            f"the images have no features of {card.encoder_id}, which head {card.name!r} is of"
        )
    seen = FeatureMatrix(own.encoder_id, own.ids[where[rows]], own.vectors[where[rows]])
    proba, _ = honest_proba(stored, folds_of(store, stored, folds=folds), seen)
    answers: list[str | None] = [None] * len(images)
    certainty = np.full(len(images), np.nan, np.float32)
    column = {name: i for i, name in enumerate(card.classes)}
    for row, p, (answer,) in zip(rows.tolist(), proba, stored.answers(proba), strict=True):
        answers[row], certainty[row] = answer, p[column[answer]]
    return Opponent(card.name, card.classes, answers, certainty)
