"""Heads on disk: JSON and safetensors, no pickle; ``head.json`` is written last and names all.

::

    heads/<task>/<name>/
      head.json                 what it is, and the checksum of its weights
      weights-<sha256>.safetensors
      metrics.json
      curves-<sha256>.json      of training, where it has any; curves.png is drawn of it
      oof-<sha256>.parquet      out-of-fold probabilities, where they were asked for
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from safetensors import SafetensorError

from icehouse.errors import (
    EncoderMismatch,
    HeadCorrupt,
    LookupFailed,
    MemberChanged,
    SettingError,
    UsageError,
)
from icehouse.heads._base import AnyArray, FloatArray, Head
from icehouse.heads._card import HeadCard, head_names, read_card
from icehouse.heads._conformal import Conformal, shortage
from icehouse.heads._ensemble import EnsembleHead, Member, place_members
from icehouse.heads._familiarity import Familiarity
from icehouse.heads._registry import configure, make_head
from icehouse.heads._settle import FEWEST
from icehouse.heads._split import TRAIN
from icehouse.store import FeatureMatrix, Store, seal_of

RELIABILITY = "reliability.png"
AT_ONCE = 65_536  # images that a head is asked about


class StoredHead:
    """A fitted head that knows what it was fitted on.

    Parameters
    ----------
    card : HeadCard
    head : Head
        Fitted.
    conformal : Conformal or None
        None where nothing was held out, or an earlier version fitted it.
    familiarity : Familiarity or None
        None where an earlier version fitted it.
    """

    def __init__(
        self,
        card: HeadCard,
        head: Head,
        conformal: Conformal | None = None,
        familiarity: Familiarity | None = None,
    ) -> None:
        self.card = card
        self.head = head
        self.conformal = conformal
        self.familiarity = familiarity

    def predict_proba(self, features: FeatureMatrix) -> npt.NDArray[np.float32]:
        """Return calibrated probabilities, float32 of shape (n, n_classes).

        Raises
        ------
        EncoderMismatch
            The features are of another encoder.
        """
        if features.encoder_id != self.card.encoder_id:
            raise EncoderMismatch(
                f"head {self.card.name!r} was fitted on features of {self.card.encoder_id}, and "
                f"got features of {features.encoder_id}. Fit one on these: icehouse fit-head "
                f"--encoder {features.encoder_id}"
            )
        return self.calibrated(features.vectors).astype(np.float32)

    def calibrated(self, X: FloatArray) -> FloatArray:  # noqa: N803
        """Return calibrated probabilities of features that are known to be of its encoder."""
        # Heads hold what they work on as float32, and some of them more than once.
        parts = [X[start : start + AT_ONCE] for start in range(0, max(len(X), 1), AT_ONCE)]
        proba = np.concatenate([self.head.predict_proba(part) for part in parts])
        return self.card.calibration(proba, multi_label=self.head.multi_label_)

    @property
    def classes(self) -> npt.NDArray[np.str_]:
        """Names of the columns of :meth:`predict_proba`."""
        return np.array(self.card.classes)

    @property
    def threshold(self) -> float | FloatArray:
        """Of the second of two classes or of all labels, or one of each label: (n_classes,)."""
        chosen = self.card.thresholds
        return np.array(chosen) if len(chosen) > 1 else (*chosen, self.head.threshold)[0]

    def decide(self, proba: FloatArray) -> AnyArray:
        """Turn calibrated probabilities into answers, as :meth:`Head.decide` does."""
        return self.head.decide(proba, self.threshold)

    def sets(self, proba: FloatArray, coverage: float) -> npt.NDArray[np.bool_]:
        """Return which classes are in the set of each image, shape (n, n_classes).

        Raises
        ------
        UsageError
            No coverage, or nothing to go by: see :class:`Conformal`.
        """
        if self.conformal is None:
            raise UsageError(
                f"head {self.card.name!r} has no scores of images held out, which sets are made "
                f"by: {self._without_scores(coverage)}"
            )
        return self.conformal.sets(proba, coverage)

    def set_notes(self, coverage: float | None = None) -> list[str]:
        """Return what to know of sets of a coverage, by default of that asked at the fit."""
        coverage = self.card.coverage if coverage is None else coverage
        if coverage is None or self.conformal is None:
            return []
        return shortage(coverage, self.conformal.images)

    def _without_scores(self, coverage: float) -> str:
        """Return why there are no scores, and what helps."""
        card, images = self.card, self.card.training["images"].get(TRAIN, 0)
        if self.familiarity is None:
            return f"an earlier version fitted it. Fit it again: {card.command}"
        if card.calibration.kind == "none" and images >= FEWEST:
            return (
                "it was not to be calibrated, so none were held out. Fit it again: "
                f"{card.command} --calibrate none --coverage {coverage:g}"
            )
        return (
            f"its {images} training images were too few to hold some out. Label more, and fit it "
            f"again: {card.command}"
        )

    def answers(self, proba: FloatArray) -> list[tuple[str, ...]]:
        """Return the labels that probabilities come to, threshold applied, for each row."""
        decided = self.decide(proba)
        if self.head.multi_label_:
            return [tuple(self.classes[row == 1].tolist()) for row in decided]
        return [(str(label),) for label in decided]


def save_head(store: Store, stored: StoredHead) -> HeadCard:
    """Commit a fitted head, replacing an earlier one of the same name in one step."""
    arrays = {
        name: np.ascontiguousarray(array)
        for part in (stored.head, stored.conformal, stored.familiarity)
        if part is not None
        for name, array in part.to_arrays().items()
    }
    data = safetensors.numpy.save(arrays)
    digest = hashlib.sha256(data).hexdigest()
    weights = f"weights-{digest[:16]}.safetensors"
    card = replace(stored.card, weights=weights, weights_sha256=digest)
    store.files.commit(f"{card.folder}/{card.weights}", data)
    store.files.commit(f"{card.folder}/metrics.json", _json(card.metrics))
    written = {**asdict(card), "seal": seal_of(asdict(card))}
    store.files.commit(f"{card.folder}/head.json", _json(written))
    for name in store.files.names(card.folder, ".safetensors"):
        if not name.endswith(card.weights):
            store.files.remove(name)
    drawn = f"{card.folder}/{RELIABILITY}"  # of the head that was there before
    store.files.remove(*(name for name in store.files.names(card.folder, ".png") if name == drawn))
    return card


def load_head(store: Store, task: str, name: str) -> StoredHead:
    """Load a head.

    Raises
    ------
    LookupFailed
        The task has no such head.
    HeadCorrupt
        A file is missing, damaged, or was changed.
    MemberChanged
        It is an ensemble, and a head that it is made of is another now, or gone.
    """
    card = read_card(store, task, name)
    weights = f"{card.folder}/{card.weights}"
    path = store.files.where(weights)
    try:
        data = store.files.read(weights)
    except FileNotFoundError:
        raise HeadCorrupt(f"{path} is gone; fit the head again") from None
    if hashlib.sha256(data).hexdigest() != card.weights_sha256:
        raise HeadCorrupt(f"{path} is not what head.json says it is; fit the head again")
    try:
        head = _bare(store, card)
    except SettingError as error:
        raise HeadCorrupt(f"{path} is of another version: {error}. Fit it again") from error
    head.multi_label_ = card.task_kind == "multi"
    head.classes_ = np.arange(len(card.classes)) if head.multi_label_ else np.array(card.classes)
    head.n_features_in_ = int(store.features(card.encoder_id).card["spec"]["dim"])
    try:
        arrays = safetensors.numpy.load(data)
        head.from_arrays(arrays)
        conformal, familiarity = Conformal.from_arrays(arrays), Familiarity.from_arrays(arrays)
    except (SafetensorError, KeyError) as error:
        raise HeadCorrupt(f"{path} is damaged ({error!r}); fit the head again") from error
    return StoredHead(card, head, conformal, familiarity)


def ensemble_of(stored: Sequence[StoredHead], settings: Mapping[str, Any] | None) -> EnsembleHead:
    """Return an ensemble of fitted heads, itself not fitted."""
    widths = ((each.card.encoder_id, each.head.n_features_in_) for each in stored)
    members = tuple(
        Member(
            each.card.name,
            each.card.weights_sha256,
            each.head,
            each.card.calibration,
            columns,
        )
        for each, columns in zip(stored, place_members(widths), strict=True)
    )
    return configure(EnsembleHead(members), settings)


def _bare(store: Store, card: HeadCard) -> Head:
    """Return a head that only lacks its arrays."""
    if not card.members:
        return make_head(card.kind, card.settings)
    stored = []
    for name, digest in card.settings["members"].items():
        try:
            member = load_head(store, card.task, name)
        except LookupFailed:
            raise MemberChanged(
                f"head {card.name!r} is made of {name!r}, which is gone. Fit {name!r}, and then: "
                f"{card.command}"
            ) from None
        if member.card.weights_sha256 != digest:
            raise MemberChanged(
                f"head {card.name!r} is made of {name!r}, which was fitted again since. "
                f"Fit this one again, too: {card.command}"
            )
        stored.append(member)
    own = {name: value for name, value in card.settings.items() if name != "members"}
    return ensemble_of(stored, own)


def choose_head(store: Store, task: str, name: str | None = None) -> StoredHead:
    """Load a head by name; without a name the only one of the task."""
    if name is not None:
        return load_head(store, task, name)
    names = head_names(store, task)
    if len(names) == 1:
        return load_head(store, task, names[0])
    if not names:
        raise LookupFailed(f"task {task!r} has no head. Fit one: icehouse fit-head --task {task}")
    raise LookupFailed(
        f"task {task!r} has several heads; choose one with --head: {', '.join(names)}"
    )


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode()
