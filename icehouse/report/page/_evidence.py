"""All that a page is drawn from, gathered once; the sections only read it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.errors import UsageError
from icehouse.heads import (
    Curves,
    HeadCard,
    LabelledSet,
    Metrics,
    StoredHead,
    datasets_of,
    folds_of,
    load_curves,
    measure,
    near_duplicates,
    training_set,
)
from icehouse.report._names import without_codes
from icehouse.report.page._album import Album
from icehouse.report.page._inputs import Inputs, inputs_of
from icehouse.report.page._known_flags import KnownFlags, read_flags
from icehouse.report.page._scores import Scores, score
from icehouse.store import FeatureMatrix, Store, positions

OUT_OF_FOLD = "out-of-fold"
MEASURED = ("test", OUT_OF_FOLD, "val", "train")  # in the order of what they are worth
SPOKEN = {"test": "test", OUT_OF_FOLD: "out-of-fold", "val": "validation", "train": "training"}


@dataclass(frozen=True)
class Evidence:
    """A head, the images that it is measured on, and what the store knows of all.

    Attributes
    ----------
    store_name : str
    card : HeadCard
    threshold : float
    data : LabelledSet
        All labelled images, with their labels as they are now.
    changed : bool
        Labels, images or split are others than those that the head was fitted on.
    split : str
        What is measured: a split, or "out-of-fold".
    copies : int
        Measured images of another split that all but equal one in training.
    rows : array of int, shape (n,)
        The measured images, as rows of ``data``.
    classes : tuple of str
        Of the head, and for one label an image also those that only labels have; sorted.
    truth, answered : array of bool, shape (n, n_classes)
    proba : array of float32, shape (n, n_classes)
        0 for a class that the head does not know.
    metrics : Metrics
    scores : Scores
        By class.
    inputs : Inputs
    flags : KnownFlags or None
        As ``icehouse flag`` wrote them.
    encoder : dict
        The encoder's card.
    curves : Curves or None
        By what they are of, after each epoch, where the head kept any.
    album : Album
    """

    store_name: str
    card: HeadCard
    threshold: float
    data: LabelledSet
    changed: bool
    split: str
    copies: int
    rows: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    truth: npt.NDArray[np.bool_]
    answered: npt.NDArray[np.bool_]
    proba: npt.NDArray[np.float32]
    metrics: Metrics
    scores: Scores
    inputs: Inputs
    flags: KnownFlags | None
    encoder: dict[str, Any]
    curves: Curves | None
    album: Album

    @property
    def multi(self) -> bool:
        """Whether an image can have several labels."""
        return self.card.task_kind == "multi"

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Which answers are right, shape (n,); for multi-label in all labels."""
        return np.asarray((self.truth == self.answered).all(axis=1))

    @cached_property
    def short(self) -> dict[str, str]:
        """Names of classes as they stand below pictures."""
        return without_codes(self.classes)

    @property
    def measured(self) -> str:
        """The measured images in a word."""
        return SPOKEN[self.split]

    def image(self, row: int) -> bytes:
        """Return the image_id of a measured image."""
        return bytes(self.data.ids[self.rows[row]].tobytes())


def split_name(split: str) -> str:
    """Return what a split is called where it stands alone."""
    return SPOKEN[split] if split == OUT_OF_FOLD else split


def gather(store: Store, stored: StoredHead, split: str | None = None) -> Evidence:
    """Ask a head about the images that it is to be measured on, and the store about all.

    Parameters
    ----------
    store : Store
    stored : StoredHead
    split : {"test", "val", "train", "out-of-fold"}, optional
        By default the test split; without one the out-of-fold answers where the head has
        any, else the validation split, else that of training.

    Raises
    ------
    UsageError
        No image is in that split.
    TrainingDataError
        No labelled image has features of the head's encoder.
    """
    card = stored.card
    data = training_set(store, card)
    split = _choose(data, card, split)
    rows, proba = _proba(store, stored, data, split)
    classes, truth, known = _truth(stored, data, rows)
    answers = stored.decide(proba)
    answered = answers == 1 if answers.ndim == 2 else answers[:, None] == np.array(classes)
    wide = proba
    if len(classes) > len(known):
        wide = np.zeros(truth.shape, np.float32)
        wide[:, known] = proba
    y = truth.astype(np.int64) if answers.ndim == 2 else data.y[rows]
    datasets = datasets_of(store, card.task, card.training["dataset"])
    places = store.places(prefer=datasets)
    return Evidence(
        store_name=str(store.path).rstrip("/").rpartition("/")[2],
        card=card,
        threshold=float(np.mean(stored.threshold)),
        data=data,
        changed=data.digest != card.training["digest"],
        split=split,
        copies=near_duplicates(data, split) if split in ("test", "val") else 0,
        rows=rows,
        classes=classes,
        truth=truth,
        answered=np.asarray(answered),
        proba=wide,
        metrics=measure(y, proba, answers, stored.classes),
        scores=score(truth, np.asarray(answered), wide, multi=answers.ndim == 2),
        inputs=inputs_of(store, datasets, data.ids),
        flags=read_flags(store, card),
        encoder=store.features(card.encoder_id).card,
        curves=load_curves(store, card),
        album=Album(places),
    )


def _choose(data: LabelledSet, card: HeadCard, split: str | None) -> str:
    have = [name for name in MEASURED if name != OUT_OF_FOLD and (data.split == name).any()]
    if split is None:
        if OUT_OF_FOLD in card.metrics:
            have.append(OUT_OF_FOLD)
        return next(name for name in MEASURED if name in have)
    if split not in MEASURED:
        raise UsageError(f"--split is one of {', '.join(MEASURED)}; got {split!r}")
    if split != OUT_OF_FOLD and split not in have:
        raise UsageError(
            f"no labelled image of task {card.task!r} is in the split {split!r}; there are: "
            f"{', '.join([*have, OUT_OF_FOLD])}"
        )
    return split


def _proba(
    store: Store, stored: StoredHead, data: LabelledSet, split: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    if split == OUT_OF_FOLD:
        folds = folds_of(store, stored)
        where = positions(folds.ids, data.ids)
        return where[where >= 0], folds.proba[where >= 0]
    rows = np.flatnonzero(data.split == split)
    features = FeatureMatrix(data.encoder_id, data.ids[rows], data.X[rows])
    return rows, stored.predict_proba(features)


def _truth(
    stored: StoredHead, data: LabelledSet, rows: npt.NDArray[np.int64]
) -> tuple[tuple[str, ...], npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return the classes, which of them each image has, and which columns the head knows."""
    card = stored.card
    if data.y.ndim == 2:  # a class that came to the task later is none of the head's
        columns = np.array([data.classes.index(name) for name in card.classes])
        return card.classes, data.y[rows][:, columns] == 1, np.arange(len(card.classes))
    y = data.y[rows]
    classes = tuple(sorted({*card.classes, *data.classes}))
    known = np.searchsorted(np.array(classes), np.array(card.classes))
    return classes, y[:, None] == np.array(classes), known
