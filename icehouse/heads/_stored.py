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
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors.numpy
from safetensors import SafetensorError

from icehouse.errors import EncoderMismatch, HeadCorrupt, LookupFailed, SettingError
from icehouse.heads._base import Head
from icehouse.heads._calibration import scale
from icehouse.heads._folds import OutOfFold
from icehouse.heads._registry import make_head
from icehouse.store import FeatureMatrix, Store, ids_from_arrow, ids_to_arrow

COLUMN = "p:"  # before a class in oof-*.parquet, which may be called as another column is


@dataclass(frozen=True)
class HeadCard:
    """What there is to know of a fitted head, but for its weights.

    Attributes
    ----------
    name, kind, task, task_kind, encoder_id : str
    settings : dict
        Parameters of the head.
    classes : tuple of str
        Columns of its probabilities.
    temperature : float
        Its probabilities are divided by, in logits (see :func:`scale`).
    training : dict
        Digest of identities, labels and split; images on each side; dataset; seed.
    versions : dict
        Of the libraries that fitted it.
    fitted_at : str
        ISO 8601, UTC.
    seconds : float
    metrics : dict
        By split, as :class:`Metrics`.
    notes : tuple of str
    weights : str
        File name; empty before it is saved.
    weights_sha256 : str
    """

    name: str
    kind: str
    task: str
    task_kind: str
    encoder_id: str
    settings: dict[str, Any]
    classes: tuple[str, ...]
    temperature: float
    training: dict[str, Any]
    versions: dict[str, str]
    fitted_at: str
    seconds: float
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    weights: str = ""
    weights_sha256: str = ""

    @property
    def folder(self) -> str:
        """Where it is, relative to the store."""
        return f"heads/{self.task}/{self.name}"


class StoredHead:
    """A fitted head that knows what it was fitted on.

    Parameters
    ----------
    card : HeadCard
    head : Head
        Fitted.
    """

    def __init__(self, card: HeadCard, head: Head) -> None:
        self.card = card
        self.head = head

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
        proba = self.head.predict_proba(features.vectors)
        multi_label = self.head.multi_label_
        return scale(proba, self.card.temperature, multi_label=multi_label).astype(np.float32)

    @property
    def classes(self) -> npt.NDArray[np.str_]:
        """Names of the columns of :meth:`predict_proba`."""
        return np.array(self.card.classes)

    def answers(self, proba: npt.NDArray[np.floating[Any]]) -> list[tuple[str, ...]]:
        """Return the labels that probabilities come to, threshold applied, for each row."""
        decided = self.head.decide(proba)
        if self.head.multi_label_:
            return [tuple(self.classes[row == 1].tolist()) for row in decided]
        return [(str(label),) for label in decided]


def save_head(store: Store, card: HeadCard, head: Head) -> HeadCard:
    """Commit a fitted head, replacing an earlier one of the same name in one step."""
    arrays = {name: np.ascontiguousarray(array) for name, array in head.to_arrays().items()}
    data = safetensors.numpy.save(arrays)
    digest = hashlib.sha256(data).hexdigest()
    card = HeadCard(
        **{
            **_shallow(card),
            "weights": f"weights-{digest[:16]}.safetensors",
            "weights_sha256": digest,
        }
    )
    store.files.commit(f"{card.folder}/{card.weights}", data)
    store.files.commit(f"{card.folder}/metrics.json", _json(card.metrics))
    written = {**asdict(card), "seal": _seal(asdict(card))}
    store.files.commit(f"{card.folder}/head.json", _json(written))
    for name in store.files.names(card.folder, ".safetensors"):
        if not name.endswith(card.weights):
            store.files.remove(name)
    return card


def load_head(store: Store, task: str, name: str) -> StoredHead:
    """Load a head.

    Raises
    ------
    LookupFailed
        The task has no such head.
    HeadCorrupt
        A file is missing, damaged, or was changed.
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
        head = make_head(card.kind, card.settings)
    except SettingError as error:
        raise HeadCorrupt(f"{path} is of another version: {error}. Fit it again") from error
    head.multi_label_ = card.task_kind == "multi"
    head.classes_ = np.arange(len(card.classes)) if head.multi_label_ else np.array(card.classes)
    head.n_features_in_ = int(store.features(card.encoder_id).card["spec"]["dim"])
    try:
        head.from_arrays(safetensors.numpy.load(data))
    except (SafetensorError, KeyError) as error:
        raise HeadCorrupt(f"{path} is damaged ({error!r}); fit the head again") from error
    return StoredHead(card, head)


def list_heads(store: Store, task: str | None = None) -> list[HeadCard]:
    """Return the cards of all heads of a task, or of all tasks, sorted by name."""
    tasks = [task] if task else store.files.folders("heads")
    return [
        read_card(store, each, name)
        for each in tasks
        for name in store.files.folders(f"heads/{each}")
        if store.files.exists(f"heads/{each}/{name}/head.json")
    ]


def choose_head(store: Store, task: str, name: str | None = None) -> StoredHead:
    """Load a head by name; without a name the only one of the task."""
    if name is not None:
        return load_head(store, task, name)
    names = [card.name for card in list_heads(store, task)]
    if len(names) == 1:
        return load_head(store, task, names[0])
    if not names:
        raise LookupFailed(f"task {task!r} has no head. Fit one: icehouse fit-head --task {task}")
    raise LookupFailed(
        f"task {task!r} has several heads; choose one with --head: {', '.join(names)}"
    )


def save_folds(store: Store, card: HeadCard, folds: OutOfFold) -> None:
    """Keep out-of-fold probabilities beside their head."""
    table = pa.table(
        {
            "image_id": ids_to_arrow(folds.ids),
            **{COLUMN + name: folds.proba[:, i] for i, name in enumerate(card.classes)},
        }
    ).replace_schema_metadata(
        {"key": _fold_key(card), "temperature": repr(folds.temperature), "folds": str(folds.folds)}
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    data = memoryview(sink.getvalue())
    name = f"{card.folder}/oof-{hashlib.sha256(data).hexdigest()[:16]}.parquet"
    store.files.commit(name, data)
    store.files.remove(*(other for other in _fold_files(store, card) if other != name))


def load_folds(store: Store, card: HeadCard) -> OutOfFold | None:
    """Return the out-of-fold probabilities that belong to a head as it is now, if any."""
    for name in _fold_files(store, card):
        if (folds := _read_folds(store, card, name)) is not None:
            return folds
    return None


def _fold_files(store: Store, card: HeadCard) -> list[str]:
    names = store.files.names(card.folder, ".parquet")
    return [name for name in names if name.startswith(f"{card.folder}/oof-")]


def _read_folds(store: Store, card: HeadCard, name: str) -> OutOfFold | None:
    path = store.files.where(name)
    try:
        table = pq.ParquetFile(store.files.open(name)).read()
    except (pa.ArrowException, OSError) as error:
        raise HeadCorrupt(f"{path} is damaged: {error}. Remove it and flag again") from error
    metadata = table.schema.metadata or {}
    if metadata.get(b"key", b"").decode() != _fold_key(card):
        return None
    columns = [table[COLUMN + name].to_numpy() for name in card.classes]
    return OutOfFold(
        ids_from_arrow(table["image_id"]),
        np.stack(columns, axis=1).astype(np.float32),
        float(metadata[b"temperature"]),
        int(metadata[b"folds"]),
    )


def _fold_key(card: HeadCard) -> str:
    parts = {"training": card.training, "settings": card.settings, "classes": card.classes}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def read_card(store: Store, task: str, name: str) -> HeadCard:
    """Read ``head.json``; raise LookupFailed or HeadCorrupt."""
    file = f"heads/{task}/{name}/head.json"
    path = store.files.where(file)
    try:
        values: dict[str, Any] = json.loads(store.files.read(file))
        if values.pop("seal") != _seal(values):
            raise HeadCorrupt(f"{path}: classes or settings were changed by hand; fit it again")
        return HeadCard(
            **{**values, "classes": tuple(values["classes"]), "notes": tuple(values["notes"])}
        )
    except FileNotFoundError:
        have = ", ".join(store.files.folders(f"heads/{task}")) or "none"
        raise LookupFailed(f"task {task!r} has no head {name!r}; it has: {have}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HeadCorrupt(f"{path} is damaged ({error!r}); fit the head again") from error


def _seal(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _shallow(card: HeadCard) -> dict[str, Any]:
    return {name: getattr(card, name) for name in card.__dataclass_fields__}


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode()
