"""Claim: with a hundred times the images the speed of embedding and its memory stay what they were,
and a run that finds nothing new takes a hundredth of the first.

    python benchmarks/growth.py [encoder] [largest]

The share of the last run depends on the encoder: 100,000 images take ``tiny`` less than a minute,
and a network that people would choose for them half an hour and more. Torch computes all, because
the choice of an engine depends on how much there is to do. A machine's speed drifts within half an
hour, so short runs lie before and after the long one, and their median is taken.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import simplejpeg
from _common import command, show, workplace

SMALL, MIDDLE, LARGE = 1_000, 10_000, 100_000
ORDER = SMALL, MIDDLE, SMALL, None, SMALL, MIDDLE, SMALL  # None: the largest
SIDE = 64
FOLDERS = 50


def main() -> None:
    """Run it."""
    encoder = sys.argv[1] if sys.argv[1:] else "tiny"
    largest = int(sys.argv[2]) if sys.argv[2:] else LARGE
    rows = []
    with workplace() as folder:
        draw(folder / "images", largest)
        runs: dict[int, list[tuple[float, ...]]] = {}
        for number, size in enumerate(ORDER):
            size = size or largest
            store = folder / str(number)
            words = ("embed", folder / "images", "--encoder", encoder, "--limit", size)
            words += ("--engine", "torch", "--store", store)
            runs.setdefault(size, []).append((*timed(*words), *timed(*words)[1:]))
        for size in sorted(runs):
            rate, first, peak, again, peak_again = np.median(runs[size], axis=0)
            rows.append((size, rate, first, peak, again, peak_again, f"{again / first:.1%}"))
    rates, peaks = [row[1] for row in rows], [row[3] for row in rows]
    show(
        f"{encoder} on JPEG of {SIDE} pixels, each run a process of its own",
        ("inputs", "images/s", "seconds", "peak MiB", "again: s", "MiB", "of the first"),
        rows,
    )
    print(f"images/s differ by {1 - min(rates) / max(rates):.1%} (at most 5 % are claimed)")
    print(f"peaks differ by {max(peaks) / min(peaks) - 1:.1%} (at most 10 % are claimed)")


def timed(*words: object) -> tuple[float, float, float]:
    """Run a verb in a process of its own; return images/s, seconds, and its peak in MiB."""
    program = (
        "import resource, subprocess, sys;"
        "subprocess.run(sys.argv[1:], check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )
    started = time.perf_counter()
    words = (sys.executable, "-c", program, *command(*words), "--json")
    done = subprocess.run(
        list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    seconds = time.perf_counter() - started
    report, peak = map(json.loads, done.stdout.split(b"\n")[:2])
    return (report["speed"] or {}).get("achieved", 0.0), seconds, peak


def draw(folder: Path, count: int) -> None:
    """Write small pictures, all different: coarse patches and noise."""
    random = np.random.default_rng(0)
    for number in range(count):
        if number % (count // FOLDERS) == 0:
            part = folder / f"{number // (count // FOLDERS):02d}"
            part.mkdir(parents=True)
        coarse = random.integers(0, 256, (8, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        pixels = coarse // 2 + random.integers(0, 40, (SIDE, SIDE, 3), np.uint8)
        (part / f"{number:06d}.jpg").write_bytes(simplejpeg.encode_jpeg(pixels, 85))


if __name__ == "__main__":
    main()
