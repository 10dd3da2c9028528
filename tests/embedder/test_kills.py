"""Runs that are killed at any moment of their life: what they leave is completed, never redone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from icehouse.embedder import embed, list_source
from icehouse.store import Store

PARTS, IMAGES, COPIES = 14, 8, 3
KILLS = 20

# Each life is forked from one process that has loaded the libraries, and embeds all parts, each
# of which is a commit. Later lives may last longer, since they first pass what is done already.
LIVES = """
import json, os, random, signal, sys, time, traceback
from pathlib import Path
from icehouse.embedder import EmbedOptions, embed, list_source, open_encoder
from icehouse.store import Store

store, parts, kills = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

def live(store):
    for part in sorted(parts.iterdir()):
        embed(Store.open_or_create(store), list_source(part), "descriptor",
              options=EmbedOptions(batch_size=4, workers=2))

def fork(store):
    process = os.fork()
    if process == 0:
        try:
            live(store)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return process

def shards():
    found = [*store.glob("features/*/*.parquet"), *store.glob("catalog/*/*.parquet")]
    return {str(p): [p.stat().st_mtime_ns, p.stat().st_ino] for p in found}

open_encoder("descriptor")
started = time.monotonic()
_, status = os.waitpid(fork(store.with_name("whole")), 0)
assert status == 0
life = time.monotonic() - started

moments = random.Random(0)
kept = shards()
for number in range(kills):
    process = fork(store)
    time.sleep(moments.uniform(0, 0.65 * life * (number + 1) / kills))
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    ended = os.waitstatus_to_exitcode(status)
    assert ended in (0, -signal.SIGKILL), ended
    now = shards()
    assert {name: now.get(name) for name in kept} == kept, "a committed shard was changed"
    kept = now
    print("life", json.dumps([ended, len(kept)]), flush=True)
"""


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of tiny pictures in two class folders; each shares some with the one before."""
    root = tmp_path_factory.mktemp("parts")
    for part in range(PARTS):
        for number in range(IMAGES):
            path = root / f"part-{part:02d}" / "ab"[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            seed = max(0, part * IMAGES + number - COPIES * part)
            pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
    return root


def logical(store: Store) -> dict[str, Any]:
    """Return what a store says, whatever files it says it in."""
    [encoder_id] = store.encoder_ids()
    matrix = store.features(encoder_id).load()
    pairs = zip(matrix.ids, matrix.vectors, strict=True)
    rows = store.catalog.everything(["dataset", "key", "image_id", "error", "labels", "bytes"])
    return {
        "vectors": {i.tobytes(): vector.tobytes() for i, vector in pairs},
        "rows": sorted(rows.to_pylist(), key=lambda row: (row["dataset"], row["key"])),
        "events": {
            task.name: Counter((e.image_id, e.labels) for e in store.labels.events(task.name))
            for task in store.labels.tasks()
        },
    }


def test_a_store_of_killed_runs_is_completed_to_what_one_run_makes(
    parts: Path, tmp_path: Path, run_child: Callable[..., str]
) -> None:
    printed = run_child(LIVES, tmp_path / "killed", parts, KILLS)
    lines = [line for line in printed.splitlines() if line.startswith("life ")]
    lives = [json.loads(line.removeprefix("life ")) for line in lines]

    assert len(lives) == KILLS
    assert len({shards for _, shards in lives}) > 1  # they got further from life to life

    whole, killed = Store.open(tmp_path / "whole"), Store.open_or_create(tmp_path / "killed")
    encoder_ids = killed.encoder_ids()
    before = sum(len(killed.features(name).load()) for name in encoder_ids)
    reports = [embed(killed, list_source(part), "descriptor") for part in sorted(parts.iterdir())]
    assert logical(killed) == logical(whole)
    assert before + sum(report.encoded for report in reports) == len(logical(whole)["vectors"])
    # No image stands in two shards: what was committed was never encoded again.
    [encoder_id] = killed.encoder_ids()
    shards = [killed.files.path(name) for name in killed.features(encoder_id).shards()]
    assert sum(pq.read_metadata(shard).num_rows for shard in shards) == len(
        logical(whole)["vectors"]
    )
    again = [embed(killed, list_source(part), "descriptor") for part in sorted(parts.iterdir())]
    assert sum(report.encoded for report in again) == 0
