"""What a store holds, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from icehouse.embedder import spoken
from icehouse.store import Store

if TYPE_CHECKING:
    from icehouse.heads import HeadCard


@dataclass(frozen=True)
class DatasetSummary:
    """A dataset; ``inputs == images + sum(errors.values())``."""

    name: str
    source: str | None
    inputs: int
    images: int
    errors: dict[str, int]


@dataclass(frozen=True)
class EncoderSummary:
    """An encoder, how many images have its vector, and how many augmented views they have."""

    encoder_id: str
    name: str
    dim: int
    precision: str
    vectors: int
    views: int


@dataclass(frozen=True)
class TaskSummary:
    """A task and how many images each class has."""

    name: str
    kind: str
    labelled: int
    classes: dict[str, int]


@dataclass(frozen=True)
class Overview:
    """All of a store; ``damaged`` says which heads cannot be read, and why."""

    path: str
    datasets: list[DatasetSummary]
    encoders: list[EncoderSummary]
    tasks: list[TaskSummary]
    heads: list[HeadCard]
    damaged: list[str] = field(default_factory=list)


def overview(store: Store) -> Overview:
    """Count what a store holds."""
    from icehouse.heads import read_heads  # brings scikit-learn, over a second: not for all verbs

    datasets = []
    for name in store.catalog.datasets():
        rows = store.catalog.rows(name, ["error", "source"])
        errors = Counter(error for error in rows["error"].to_pylist() if error is not None)
        sources = rows["source"].unique().to_pylist()
        datasets.append(
            DatasetSummary(
                name=name,
                source=sources[0] if sources else None,
                inputs=len(rows),
                images=len(rows) - sum(errors.values()),
                errors=dict(sorted(errors.items())),
            )
        )
    encoders = [_encoder(store, *known) for known in store.encoder_cards().items()]
    tasks = []
    images = set(store.catalog.everything(["image_id"])["image_id"].to_pylist())
    for task in store.labels.tasks() if store.has_labels else []:
        # Labels of images that are gone or forgotten stay in the log, and count no more.
        said = store.labels.present(task.name)
        present = {image: labels for image, labels in said.items() if image in images}
        counts = Counter(label for labels in present.values() for label in labels)
        classes = {name: counts[name] for name in task.classes}
        tasks.append(TaskSummary(task.name, task.kind, len(present), classes))
    heads, damaged = read_heads(store)
    return Overview(str(store.path), datasets, encoders, tasks, heads, list(map(str, damaged)))


def _encoder(store: Store, encoder_id: str, card: dict[str, Any]) -> EncoderSummary:
    ids, counts = store.features(encoder_id).held()
    return EncoderSummary(
        encoder_id=encoder_id,
        name=spoken(card),
        dim=card["spec"]["dim"],
        precision=card["spec"]["precision"],
        vectors=len(ids),
        views=int(counts.sum()) - len(ids),
    )
