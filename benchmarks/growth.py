"""Claim: with a hundred times the images the speed of embedding and its memory stay what they were,
and a run that finds nothing new takes a hundredth of the first.

    python benchmarks/growth.py [encoder]

Claimed for the encoder that is taken where none is named: ViT-B/32, here with random weights, for
which 100,000 images are twenty minutes of work. A run has half a second of its own besides, which
shows in the 1,000 of a network that takes only five seconds for them. Torch computes all, because
the choice of an engine depends on how much there is to do. A processor that has worked for minutes
is slower than one that begins, by up to a tenth: so the long run is halted three times, and runs of
the other sizes take its place. Their median is taken; the halts are not counted.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import simplejpeg
from _common import command, show, workplace
from embed_cpu import make_weights

SMALL, MIDDLE, LARGE = 1_000, 10_000, 100_000
HALTS = 3
SIDE = 64
FOLDERS = 50
PROGRAM = (
    "import resource, subprocess, sys;"
    "subprocess.run(sys.argv[1:], check=True);"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
)


class Run(NamedTuple):
    """What a process took: images/s of the embedding itself, and seconds and MiB of all of it."""

    rate: float
    seconds: float
    peak: float


def main() -> None:
    """Run it."""
    rows = []
    with workplace() as folder:
        if sys.argv[1:]:
            encoder = sys.argv[1]
        else:
            encoder = f"clip:local-dir:{make_weights(folder / 'weights', 'ViT-B-32')}"
        draw(folder / "images", LARGE)

        def words(size: int, number: int) -> tuple[object, ...]:
            store = folder / f"{size}-{number}"
            return (
                *("embed", folder / "images", "--encoder", encoder, "--limit", size),
                *("--engine", "torch", "--store", store, "--json"),
            )

        sizes = SMALL, MIDDLE
        first: dict[int, list[Run]] = {size: [] for size in (*sizes, LARGE)}
        expected = LARGE / timed(words(MIDDLE, 0)).rate
        running, started, halted = start(words(LARGE, 0)), time.perf_counter(), 0.0
        for number in range(1, HALTS + 1):
            due = started + halted + expected * (number - 0.5) / HALTS
            time.sleep(max(0.0, due - time.perf_counter()))
            os.killpg(running.pid, signal.SIGSTOP)
            at = time.perf_counter()
            for size in sizes:
                first[size].append(timed(words(size, number)))
            os.killpg(running.pid, signal.SIGCONT)
            halted += time.perf_counter() - at
        run = finish(running, started)
        rate = LARGE / (LARGE / run.rate - halted)
        first[LARGE].append(Run(rate, run.seconds - halted, run.peak))
        for size, runs in first.items():
            again = [
                timed(words(size, number)) for number in ((1, 2, 3) if size in sizes else (0,))
            ]
            (rate, seconds, peak), nothing = np.median(runs, axis=0), np.median(again, axis=0)
            rows.append((size, rate, seconds, peak, nothing[1], nothing[2]))
    rates, peaks = [row[1] for row in rows], [row[3] for row in rows]
    apart, more = 1 - min(rates) / max(rates), max(peaks) / min(peaks) - 1
    share = rows[-1][4] / rows[-1][2]
    show(
        f"{encoder} on JPEG of {SIDE} pixels, each run a process of its own",
        ("inputs", "images/s", "seconds", "peak MiB", "again: s", "MiB"),
        rows,
    )
    print(f"images/s differ by {apart:.1%} (at most 5 % are claimed)")
    print(f"peaks differ by {more:.1%} (at most 10 % are claimed)")
    print(f"{LARGE} again take {share:.1%} of the first run (at most 1 % is claimed)")
    if apart > 0.05 or more > 0.1 or share > 0.01:
        sys.exit(1)


def timed(words: tuple[object, ...]) -> Run:
    """Run a verb in a process of its own."""
    started = time.perf_counter()
    return finish(start(words), started)


def start(words: tuple[object, ...]) -> subprocess.Popen[bytes]:
    """Start a verb in a process of its own, and in a group that signals can be sent to."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, command(*words))],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def finish(running: subprocess.Popen[bytes], started: float) -> Run:
    """Wait for a verb, and read what it says."""
    out, _ = running.communicate()
    seconds = time.perf_counter() - started
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, running.args)
    report, peak = map(json.loads, out.split(b"\n")[:2])
    return Run((report["speed"] or {}).get("achieved", 0.0), seconds, peak)


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
