"""Whatever byte is changed: fsck finds it, or the store still holds just what it held."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from icehouse.errors import StoreTooNew
from icehouse.heads import load_head
from icehouse.review import flag, write_flags
from icehouse.store import Finding, Store, forget, fsck, plan_forget

TIMES = 100
# Where a changed byte may go unseen, and why it does no harm there.
HARMLESS = {
    "features/*.parquet": "footers hold statistics, sizes and the writer's name, which are not "
    "used; padding between pages",
    "features/encoder.json": "white space",
    "features/_forgotten": "as in shards",
    "heads/head.json": "white space",
    "heads/flags.*": "written for people and never read; flag writes them again",
    "labels.sqlite": "space that no row uses; counters that say when the file was last written",
    "store.json": "white space",
}


def place(name: str) -> str:
    parts = name.split("/")
    if parts[0] == "features":
        if parts[2] == "_forgotten":
            return "features/_forgotten"
        return f"features/{'*.parquet' if parts[2].endswith('.parquet') else parts[2]}"
    if parts[0] == "heads":
        last = "flags.*" if parts[3].startswith("flags.") else parts[3].partition("-")[0]
        return f"heads/{last}"
    return parts[0] if parts[0] != "catalog" else "catalog"


def harm(data: bytes, random: np.random.Generator) -> bytes:
    """Change one byte, or cut the end off."""
    at = int(random.integers(len(data)))
    if random.random() < 0.25:
        return data[:at]
    changed = bytearray(data)
    changed[at] ^= int(random.integers(1, 256))
    return bytes(changed)


def findings(store: Store) -> set[Finding]:
    """Return what is found, or nothing for a store that says at once that it cannot be opened."""
    try:
        return set(fsck(store.path).findings)
    except StoreTooNew:  # the number of its format was changed: no verb works
        return {Finding("damage", "store-manifest", "store.json", "another format", "", False)}


def test_a_changed_byte_is_found_or_changes_nothing(
    damaged: Store,
    logical: Callable[[Store], dict[str, Any]],
    embed_again: Callable[[Store], Any],
    tmp_path: Path,
) -> None:
    stored = load_head(damaged, "shapes", "logistic")
    forget(damaged, plan_forget(damaged, ["disc/05.png"]))
    write_flags(flag(damaged, stored), damaged.path / stored.card.folder)
    before, usual = logical(damaged), findings(damaged)
    files = {name: damaged.files.read(name) for name in damaged.files.walk()}
    random = np.random.default_rng(20)
    unseen: Counter[str] = Counter()
    hit: Counter[str] = Counter()
    for number in range(TIMES):
        name = sorted(files)[int(random.integers(len(files)))]
        hit[place(name)] += 1
        path = damaged.path / name
        path.write_bytes(harm(files[name], random))
        if findings(damaged) - usual:
            if number % 10 == 0 and name != "store.json":
                copy = Store(tmp_path / str(number))
                shutil.copytree(damaged.path, copy.path)
                fsck(copy.path, repair=True)
                embed_again(copy)
                assert fsck(copy.path).sound, name
        else:
            unseen[place(name)] += 1
            assert logical(damaged) == before, name
        path.write_bytes(files[name])
    assert logical(damaged) == before
    assert unseen.keys() <= HARMLESS.keys()
    assert len(hit) >= 8
    assert sum(unseen.values()) - unseen["heads/flags.*"] < TIMES / 4
