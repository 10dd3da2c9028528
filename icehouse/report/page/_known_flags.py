"""The flags that ``icehouse flag`` has put beside a head, read back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from icehouse.heads import HeadCard
from icehouse.store import Store

COLUMNS = ["image_id", "key", "labels", "predicted", "probability", "doubt", "reasons"]


@dataclass(frozen=True)
class KnownFlag:
    """One flagged image.

    Attributes
    ----------
    image_id : bytes
    labels : tuple of str or None
        When it was flagged.
    predicted : tuple of str
    probability, doubt : float
    reasons : tuple of str
    """

    image_id: bytes
    labels: tuple[str, ...] | None
    predicted: tuple[str, ...]
    probability: float
    doubt: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class KnownFlags:
    """What the last run of ``flag`` found.

    Attributes
    ----------
    count : int
    first : tuple of KnownFlag
        In the order in which they were written.
    reasons : dict of str to int
        Flagged images by reason, the most frequent first.
    relabelled : int
        How many have got other labels since.
    """

    count: int
    first: tuple[KnownFlag, ...]
    reasons: dict[str, int]
    relabelled: int


def read_flags(store: Store, card: HeadCard, first: int = 21) -> KnownFlags | None:
    """Return the flags of a head; None where there are none, or none that can be read."""
    name = f"{card.folder}/flags.parquet"
    try:
        rows = pq.ParquetFile(store.files.open(name)).read(COLUMNS).to_pylist()
    except (FileNotFoundError, pa.ArrowException, OSError):
        return None  # flags can be written again at any time
    present = store.labels.present(card.task)
    flags = [_flag(row) for row in rows]
    reasons = Counter(reason for flag in flags for reason in flag.reasons)
    moved = sum(
        flag.labels is None or set(flag.labels) != set(present.get(flag.image_id, ()))
        for flag in flags
        if flag.labels is not None or flag.image_id in present
    )
    return KnownFlags(
        count=len(flags),
        first=tuple(flags[:first]),
        reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        relabelled=moved,
    )


def _flag(row: dict[str, Any]) -> KnownFlag:
    return KnownFlag(
        image_id=bytes.fromhex(row["image_id"]),
        labels=None if row["labels"] is None else tuple(row["labels"]),
        predicted=tuple(row["predicted"]),
        probability=row["probability"],
        doubt=row["doubt"],
        reasons=tuple(name for name, _ in row["reasons"]),
    )
