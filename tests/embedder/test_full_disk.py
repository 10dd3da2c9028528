"""A disk that is full, or may not be written to: a run says so, and loses nothing that was there.

The disk is a small one in memory, mounted in a name space of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import embed, list_source
from icehouse.store import Store

MOUNT = 'mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@"'
SMALL_DISK = ("unshare", "--mount", "--map-root-user", "sh", "-c", MOUNT)
OLD, NEW = 20, 40

COMMON = """
import json, subprocess, sys
from pathlib import Path
from icehouse.embedder import embed, list_source
from icehouse.errors import IcehouseError
from icehouse.store import Store

disk, folders = Path(sys.argv[1]), Path(sys.argv[2])

def freeze(path, name):
    store = Store.open_or_create(path)
    return embed(store, list_source(folders / name), "descriptor", dataset=name)

def vectors(path):
    store = Store.open(path)
    matrices = [store.features(name).load() for name in store.encoder_ids()]
    pairs = [pair for each in matrices for pair in zip(each.ids, each.vectors)]
    return {i.tobytes().hex(): vector.tobytes().hex() for i, vector in pairs}

def labels(path):
    store = Store.open(path)
    return [[e.image_id.hex(), e.labels] for t in store.labels.tasks()
            for e in store.labels.events(t.name)]

def tell(**facts):
    print("fact", json.dumps(facts), flush=True)
"""

FULL = (
    COMMON
    + """
def fill(left):
    with open(disk / "ballast", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(max(0, file.tell() - left))

for left in (*range(0, 80 * 1024, 12 * 1024), 2**20):
    path = disk / f"store-{left}"
    freeze(path, "old")
    before, said = vectors(path), labels(path)
    fill(left)
    try:
        freeze(path, "new")
        error = kind = None
    except IcehouseError as caught:
        error, kind = str(caught), type(caught).__name__
    kept, heard = vectors(path), labels(path)
    listed = Store.open(path).catalog.everything(["image_id"]).to_pylist()
    rows = {row["image_id"].hex() for row in listed}
    (disk / "ballast").unlink()
    report = freeze(path, "new")
    tell(
        left=left, error=error, kind=kind, kept=len(kept),
        good=all(kept[i] == v for i, v in before.items()) and all(event in heard for event in said),
        sound=rows <= set(kept),
        encoded=report.encoded, vectors=vectors(path), labels=labels(path),
        leftovers=[p.name for p in path.rglob(".tmp-*")],
    )
    subprocess.run(["rm", "-r", path], check=True)
"""
)

READ_ONLY = (
    COMMON
    + """
path = disk / "store"
freeze(path, "old")
before = vectors(path), labels(path)
# Seen through this second mount, the disk cannot be written to.
subprocess.run(["mount", "--bind", disk, disk], check=True)
subprocess.run(["mount", "-o", "remount,bind,ro", disk], check=True)
for where in (path, disk / "another"):
    try:
        freeze(where, "new")
        tell(error=None, kind=None)
    except IcehouseError as caught:
        tell(error=str(caught), kind=type(caught).__name__)
tell(same=(vectors(path), labels(path)) == before, datasets=Store.open(path).catalog.datasets())
subprocess.run(["umount", "--lazy", disk], check=True)
tell(encoded=freeze(path, "new").encoded)
"""
)


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[dict[str, Any]]]:
    """Run a program that has a small disk to itself, and return the facts that it tells."""
    place = tmp_path_factory.mktemp("disk")
    try:
        subprocess.run([*SMALL_DISK, str(place), "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system lets no process mount a disk of its own (unshare --mount)")

    def run(program: str, *arguments: object) -> list[dict[str, Any]]:
        words = [sys.executable, "-c", program, place, *arguments]
        ended = subprocess.run(
            [*SMALL_DISK, str(place), *map(str, words)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout
        told = [line for line in ended.stdout.splitlines() if line.startswith("fact ")]
        return [json.loads(line.removeprefix("fact ")) for line in told]

    return run


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of tiny pictures in two class folders, which share none."""
    root = tmp_path_factory.mktemp("folders")
    for number in range(OLD + NEW):
        path = root / ("old" if number < OLD else "new") / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return root


def test_a_full_disk_is_said_and_costs_nothing_that_was_there(
    small_disk: Any, folders: Path, tmp_path: Path
) -> None:
    whole = Store.create(tmp_path / "whole")
    for name in ("old", "new"):
        report = embed(whole, list_source(folders / name), "descriptor", dataset=name)
    matrix = whole.features(report.encoder_id).load()
    pairs = zip(matrix.ids, matrix.vectors, strict=True)
    vectors = {i.tobytes().hex(): vector.tobytes().hex() for i, vector in pairs}
    facts = small_disk(FULL, folders)
    for fact in facts:
        assert fact["good"], fact["left"]
        assert fact["sound"]
        assert fact["leftovers"] == []
        # What was committed is not encoded again, and what was not is made up for.
        assert fact["kept"] + fact["encoded"] == OLD + NEW
        assert fact["vectors"] == vectors
        assert len(fact["labels"]) == len({image for image, _ in fact["labels"]}) == OLD + NEW
        if fact["error"] is not None:
            assert fact["kind"] == "StoreUnwritable"
            assert "space" in fact["error"]
    failed = [fact for fact in facts if fact["error"]]
    assert facts[0] in failed
    assert facts[-1] not in failed
    # Full before the vectors, after them, or after the rows, as it comes.
    assert facts[0]["kept"] == OLD
    assert {fact["kept"] for fact in failed} <= {OLD, OLD + NEW}
    assert "no space left while writing" in facts[0]["error"]
    assert "free some space and run the same command again" in facts[0]["error"]


def test_a_disk_that_is_read_only_is_said_and_can_be_read(small_disk: Any, folders: Path) -> None:
    store, another, after, again = small_disk(READ_ONLY, folders)
    assert (store["kind"], another["kind"]) == ("StoreUnwritable", "StoreUnwritable")
    assert "Read-only file system. Check who owns the store" in store["error"]
    assert after == {"same": True, "datasets": ["old"]}
    assert again == {"encoded": NEW}
