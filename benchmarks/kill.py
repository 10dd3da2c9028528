"""Claim: a run that is killed (SIGKILL) at random moments and resumed leaves the same images and
vectors as an uninterrupted one, no committed shard is written again, and no committed image encoded
again. Kills fall from the first import on to some commits into the work; a store that is whole
before there were enough of them is compared, and another begun.

    python benchmarks/kill.py [kills] [images] [precision]
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from _common import command, encoder, icehouse, real, show, workplace

from icehouse.embedder._writer import COMMIT_SECONDS
from icehouse.store import Store

# Arguments: kills, images of EuroSAT, and a precision where it is not to be chosen.
KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 10
IMAGES = int(sys.argv[2]) if len(sys.argv) > 2 else 27_000
PRECISION = ["--precision", sys.argv[3]] if len(sys.argv) > 3 else []
EARLIEST = 0.2  # seconds
REWRITTEN = "committed shards written again"
TWICE = "images encoded twice"
REACHED = "kills after a commit"


def main() -> None:
    """Run it."""
    data = real()
    with workplace() as folder:
        whole = folder / "whole"
        header, *lines = (data / "eurosat.csv").read_text().splitlines()
        manifest = folder / "eurosat.csv"
        manifest.write_text("\n".join([header, *(f"{data}/{line}" for line in lines[:IMAGES])]))
        source = (manifest, "--encoder", encoder(data), *PRECISION)
        opening = icehouse("embed", *source, "--store", folder / "none", "--dry-run", 1).seconds
        icehouse("embed", *source, "--store", whole)
        expected = _load(whole)
        latest = opening + 3 * COMMIT_SECONDS
        moment = random.Random(0)
        counts: Counter[str] = Counter()
        while counts["kills"] < KILLS:
            store = folder / f"killed-{counts['stores']}"
            counts["stores"] += 1
            counts.update(_live(store, source, KILLS - counts["kills"], moment, latest))
            ids, vectors = _load(store)
            counts[TWICE] += _rows(store) - len(ids)
            counts["same image_ids"] += ids.tobytes() == expected[0].tobytes()
            counts["same vectors, bit by bit"] += vectors.tobytes() == expected[1].tobytes()
    show(
        f"{IMAGES:,} images, kills after {EARLIEST:g} to {latest:.1f} s",
        ("what", "measured"),
        list(counts.items()),
    )
    same = counts["same vectors, bit by bit"] == counts["stores"]
    if not same or counts[REWRITTEN] or counts[TWICE] or not counts[REACHED]:
        sys.exit(1)


def _live(
    store: Path, source: tuple[object, ...], most: int, moment: random.Random, latest: float
) -> Counter[str]:
    """Embed into one store until it is whole, killed again and again; count what happened."""
    counts = Counter({"kills": 0, REACHED: 0, REWRITTEN: 0})
    ended = False
    while not ended:
        before = _stamps(store)
        process = subprocess.Popen(
            command("embed", *source, "--store", store),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            enough = counts["kills"] == most
            process.wait(None if enough else moment.uniform(EARLIEST, latest))
            ended = True
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            counts["kills"] += 1
        after = _stamps(store)
        counts[REACHED] += not ended and len(after) > len(before)
        counts[REWRITTEN] += sum(after.get(name) != stamp for name, stamp in before.items())
    return counts


def _stamps(store: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in store.glob("features/*/*.parquet")
    }


def _rows(store: Path) -> int:
    """Return how many vectors lie in the shards; a store shows one of several for an image."""
    return sum(pq.read_metadata(path).num_rows for path in map(Path, _stamps(store)))


def _load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    store = Store.open(path)
    features = store.features(store.encoder_ids()[0]).load()
    order = np.argsort(features.ids)
    return features.ids[order], features.vectors[order]


if __name__ == "__main__":
    main()
