"""``fsck`` of heads: seals and checksums. What is in the weights is for ``heads/`` to know."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from icehouse.store._files import STALE_SECONDS, Files
from icehouse.store._joint_features import parts_of
from icehouse.store._shard import bare
from icehouse.store.care._findings import DAMAGE, Finding, found

CARD, METRICS, WEIGHTS = "head.json", "metrics.json", ".safetensors"
FOLDS = re.compile(r"oof-([0-9a-f]{16})\.parquet")
CURVES = re.compile(r"curves-([0-9a-f]{16})\.json")


def check_heads(files: Files, encoder_ids: set[str]) -> list[Finding]:
    """Check all heads of a store."""
    findings = []
    for task in files.folders("heads"):
        for head in files.folders(f"heads/{task}"):
            folder = f"heads/{task}/{head}"
            found_here = _check(files, folder, encoder_ids)
            if any(finding.severity == DAMAGE for finding in found_here):
                # It may have been replaced between the reading of two files: look again.
                found_here = _check(files, folder, encoder_ids)
            findings += found_here
    return findings


def read_head(files: Files, folder: str) -> dict[str, Any] | None:
    """Return what head.json says, if its seal is good; None for a folder without it.

    Raises
    ------
    ValueError
        It is damaged.
    """
    try:
        card: dict[str, Any] = json.loads(files.read(f"{folder}/{CARD}"))
        seal = card.pop("seal")
        text = json.dumps(card, sort_keys=True)
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it has no seal: {error!r}") from error
    if seal != hashlib.sha256(text.encode()).hexdigest():
        raise ValueError("it is not what its seal says")
    return card


def metrics_bytes(card: dict[str, Any]) -> bytes:
    """Return metrics.json, which repeats what head.json says."""
    return json.dumps(card["metrics"], indent=2, ensure_ascii=False).encode()


def _check(files: Files, folder: str, encoder_ids: set[str]) -> list[Finding]:
    findings = []
    try:
        card = read_head(files, folder)
    except ValueError as error:
        return [found("head", f"{folder}/{CARD}", f"damaged: {error}")]
    names = files.names(folder, "")
    weights = card["weights"] if card else None
    for name in names:
        old = files.age(name) > STALE_SECONDS
        if card and name.endswith(WEIGHTS) and bare(name) != weights and old:
            findings.append(found("leftover", name, "no head.json names these weights"))
        for kind, pattern in (("head-folds", FOLDS), ("head-curves", CURVES)):
            proven = pattern.fullmatch(bare(name))
            if proven and (_digest(files, name) or proven[1])[:16] != proven[1]:
                findings.append(found(kind, name, "its checksum is not that of its name"))
    if card is None:
        left = [bare(name) for name in names if name.endswith((WEIGHTS, METRICS))]
        what = f"it is gone, or a fit was stopped before it wrote it; left are {', '.join(left)}"
        missing = found("head-card-missing", f"{folder}/{CARD}", what)
        return [*findings, missing] if left else findings
    if _digest(files, f"{folder}/{weights}") != card["weights_sha256"]:
        what = f"its weights {weights} are gone, or not what it says"
        return [*findings, found("head", f"{folder}/{CARD}", what)]
    if _read(files, f"{folder}/{METRICS}") != metrics_bytes(card):
        what = "it is gone, or does not repeat what head.json says"
        findings.append(found("head-metrics", f"{folder}/{METRICS}", what))
    if not encoder_ids.issuperset(parts_of(card["encoder_id"])):
        what = f"its encoder {card['encoder_id']} is not in the store"
        findings.append(found("head-without-encoder", folder, what))
    return findings


def _digest(files: Files, name: str) -> str | None:
    data = _read(files, name)
    return None if data is None else hashlib.sha256(data).hexdigest()


def _read(files: Files, name: str) -> bytes | None:
    try:
        return files.read(name)
    except FileNotFoundError:
        return None
