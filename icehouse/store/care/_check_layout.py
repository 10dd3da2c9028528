"""``fsck`` of the store as a folder: what belongs there, and what was left behind."""

from __future__ import annotations

import json
import re

from icehouse.store._files import STALE_SECONDS, TEMPORARY, Files
from icehouse.store._shard import bare
from icehouse.store._store import STORE_MANIFEST
from icehouse.store.care._findings import Finding, count, found

LOST = "lost+found"
LAYOUT = re.compile(
    r"""
      store\.json
    | labels\.sqlite(-journal|-wal|-shm)?
    | catalog/[^/]+/\d{8}[-_][0-9a-f]{12}\.parquet
    | features/[^/]+/((encoder|views|speed)\.json|canary\.npy|(_forgotten/)?[^/]+\.parquet)
    | heads/[^/]+/[^/]+/(head\.json|metrics\.json|reliability\.png|weights-[0-9a-f]{16}\.safetensors
                        |curves(-[0-9a-f]{16}\.json|\.png)
                        |oof(-[0-9a-f]{16})?\.parquet|(flags|label-issues)\.(parquet|csv|jsonl|png))
    | runs/[^/]+/\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{16}\.json
    | tuning/[^/]+/[0-9a-f]{16}\.jsonl
    | zero-shot/[^/]+/[^/]+/(answers|differences)\.csv
    | kept/[^/]+/[0-9a-f]{64}\.[a-z0-9]+
    | indexes/[^/]+/(index\.json|[0-9a-f]{24}\.(faiss|parquet))
    | maps/[^/]+/[^/]+\.parquet
    | reports/.+
    """,
    re.VERBOSE,
)


def check_manifest(files: Files) -> list[Finding]:
    """Say what is wrong with store.json."""
    try:
        said = json.loads(files.read(STORE_MANIFEST))
        if said["format"] != "icehouse" or type(said["format_version"]) is not int:
            raise ValueError(f"it says {said}")
        if said["format_version"] < 1:
            raise ValueError(f"it says {said}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [found("store-manifest", STORE_MANIFEST, f"missing or damaged: {error!r}")]
    return []


def check_layout(files: Files) -> list[Finding]:
    """Name files that do not belong into a store, and those that killed writers left."""
    findings, lost = [], 0
    for name in files.walk():
        if name.startswith(f"{LOST}/"):
            lost += 1
        elif bare(name).startswith(TEMPORARY):
            hours = files.age(name) / 3600
            if hours * 3600 > STALE_SECONDS:
                what = f"a writer that was killed left it {hours:,.0f} hours ago"
                findings.append(found("leftover", name, what))
        elif not LAYOUT.fullmatch(name):
            findings.append(found("foreign-file", name, "no part of a store has this name"))
    if lost:
        what = f"{count(lost, 'file')} that an earlier --repair has put aside"
        findings.append(found("lost-and-found", LOST, what))
    return findings
