"""Claim: a run that is killed (SIGKILL) at random moments and resumed leaves the same images and
vectors as an uninterrupted one, and no committed shard is written again."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from _common import command, encoder, icehouse, real, show, workplace

from icehouse.store import Store

# Arguments: kills, images of EuroSAT, and a precision where it is not to be chosen.
KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 10
IMAGES = int(sys.argv[2]) if len(sys.argv) > 2 else 27_000
PRECISION = ["--precision", sys.argv[3]] if len(sys.argv) > 3 else []


def main() -> None:
    """Run it."""
    data = real()
    with workplace() as folder:
        whole, killed = folder / "whole", folder / "killed"
        header, *lines = (data / "eurosat.csv").read_text().splitlines()
        manifest = folder / "eurosat.csv"
        manifest.write_text("\n".join([header, *(f"{data}/{line}" for line in lines[:IMAGES])]))
        source = (manifest, "--encoder", encoder(data), *PRECISION)
        opening = icehouse("embed", *source, "--store", killed, "--dry-run", 1).seconds
        first = icehouse("embed", *source, "--store", whole)
        rewritten, moments = 0, []
        moment = random.Random(0)
        for _ in range(KILLS):
            before = _stamps(killed)
            process = subprocess.Popen(
                command("embed", *source, "--store", killed),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            # From the first import on to somewhere in the work, of which some is left for all.
            latest = opening + 2 * (first.seconds - opening) / KILLS
            moments.append(moment.uniform(0.2, latest))
            time.sleep(moments[-1])
            process.kill()
            process.wait()
            rewritten += _changed(before, _stamps(killed))
        before = _stamps(killed)
        last = icehouse("embed", *source, "--store", killed)
        rewritten += _changed(before, _stamps(killed))
        one, other = _load(whole), _load(killed)
        same_ids = one[0].tobytes() == other[0].tobytes()
        same_vectors = same_ids and one[1].tobytes() == other[1].tobytes()
    show(
        f"{KILLS} kills, after {min(moments):.1f} to {max(moments):.1f} s",
        ("what", "measured"),
        [
            ("images", len(other[0])),
            ("encoded by the last run", last.results[0]["encoded"]),
            ("same image_ids", same_ids),
            ("same vectors, bit by bit", same_vectors),
            ("committed shards written again", rewritten),
        ],
    )
    if not same_vectors or rewritten:
        sys.exit(1)


def _stamps(store: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in store.glob("features/*/*.parquet")
    }


def _changed(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> int:
    return sum(after.get(name) != stamp for name, stamp in before.items())


def _load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    store = Store.open(path)
    features = store.features(store.encoder_ids()[0]).load()
    order = np.argsort(features.ids)
    return features.ids[order], features.vectors[order]


if __name__ == "__main__":
    main()
