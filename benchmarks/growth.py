"""Claim: with a hundred times the images the speed of embedding and its memory stay what they were,
and a run that finds nothing new takes a hundredth of the first.

    python benchmarks/growth.py [encoder]

The first run of the last line is that of a small network at 224 pixels, whose seconds per image are
measured here; an encoder that is slower makes the share smaller.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import simplejpeg
from _common import command, show, workplace

SIZES = (1_000, 10_000, 100_000)
SIDE = 64
FOLDERS = 50


def main() -> None:
    """Run it."""
    encoder = sys.argv[1] if sys.argv[1:] else "tiny"
    rows, worst = [], []
    with workplace() as folder:
        draw(folder / "images", max(SIZES))
        for size in SIZES:
            pattern = [] if size == max(SIZES) else ["--limit", size]
            words = ["embed", folder / "images", "--encoder", encoder, *pattern]
            first = timed(*words, "--store", folder / str(size))
            again = timed(*words, "--store", folder / str(size))
            rows.append((size, *first, *again))
    show(
        f"{encoder} on JPEG of {SIDE} pixels, each run a process of its own",
        ("inputs", "images/s", "seconds", "peak MiB", "", "again: s", "again: MiB"),
        rows,
    )
    del worst


def timed(*words: object) -> tuple[float, float, float]:
    """Run a verb under ``/usr/bin/time``; return images/s, seconds and the peak in MiB."""
    raise NotImplementedError


def draw(folder: Path, count: int) -> None:
    """Write small pictures, all different: coloured noise, smooth and rough."""
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
