"""What the cells of a table, or the fields of a JSON object, say of an image."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from icehouse.embedder.sources._listing import SPLITS

SAID = ("label", "labels", "split")
LABELS_SEPARATOR = ";"


def labels_of(record: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return what ``label`` or ``labels`` say; a cell that is empty says nothing."""
    one = record.get("label")
    if one is not None and one != "":
        return (str(one),)
    many: str | Iterable[Any] | None = record.get("labels")
    if many is None or many == "":
        return None
    if isinstance(many, str):
        parts = many.split(LABELS_SEPARATOR)
    elif isinstance(many, Iterable):
        parts = [str(each) for each in many if each is not None]
    else:  # the number or name of one class
        return (str(many),)
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def split_of(text: object) -> str | None:
    """Return a split as it is called here."""
    name = str(text) if text is not None else ""
    return SPLITS.get(name.lower(), name) or None


def extra_of(record: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """Return some fields as a JSON object, the empty ones left out; None where there are none."""
    names = list(names)
    if not names:
        return None
    kept = {name: record[name] for name in names if record[name] is not None}
    return json.dumps(kept, default=str, ensure_ascii=False, sort_keys=True)
