"""Claim: of 1,000,000 images of 512 features in float16, of which 1,000 are labelled, coreset,
BADGE and herding choose 100 in under 60 s each, and the process that holds the pool stays under
4 GB.

Features are drawn in clusters; probabilities are those of a softmax of their distances to ten
centres. Each strategy runs in a process of its own; its peak has the features (1 GB) in it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

import numpy as np
from _common import show

IMAGES, WIDTH, CLASSES, CLUSTERS, LABELLED, BATCH = 1_000_000, 512, 10, 200, 1000, 100
SECONDS, GIGABYTES = 60, 4
CLAIM = f"< {SECONDS} s and {GIGABYTES} GB"
CLAIMED = "coreset", "badge", "herding"
OTHERS = "random", "margin", "entropy", "least-confidence", "disagreement", "density", "typical"


def main() -> None:
    """Run it."""
    if len(sys.argv) > 1 and sys.argv[1] == "one":
        measure(sys.argv[2])
        return
    rows, held = [], True
    for name in sys.argv[1:] or (*CLAIMED, *OTHERS):
        done = subprocess.run(
            [sys.executable, __file__, "one", name], stdout=subprocess.PIPE, check=True
        )
        seconds, busy, peak, chosen = json.loads(done.stdout)
        holds = ""
        if name in CLAIMED:
            holds = str(seconds < SECONDS and peak < GIGABYTES)
            held = held and holds == "True"
        rows.append((name, chosen, seconds, busy, peak, holds))
    columns = ("strategy", "chosen", "seconds", "of processors", "peak GB", CLAIM)
    show(f"{BATCH} of {IMAGES:,} x {WIDTH}", columns, rows)
    if not held:
        sys.exit(1)


def measure(name: str) -> None:
    """Choose once; print seconds, the peak of this process in GB, and how many were chosen."""
    from icehouse.review.strategies import Pool, choose

    random = np.random.default_rng(0)
    centres = random.standard_normal((CLUSTERS, WIDTH), np.float32)
    classes = random.standard_normal((WIDTH, CLASSES), np.float32) / WIDTH**0.5
    features = np.empty((IMAGES, WIDTH), np.float16)
    proba = np.empty((IMAGES, CLASSES), np.float32)
    for begin in range(0, IMAGES, 20_000):
        some = slice(begin, begin + 20_000)
        block = centres[random.integers(0, CLUSTERS, 20_000)]
        block += random.standard_normal(block.shape, np.float32)
        features[some] = block
        logits = np.exp(2 * block @ classes)
        proba[some] = logits / logits.sum(axis=1, keepdims=True)
    labelled = np.zeros(IMAGES, bool)
    labelled[random.permutation(IMAGES)[:LABELLED]] = True
    committee = (proba[:, ::-1],) if name == "disagreement" else ()
    started, before = time.perf_counter(), time.process_time()
    chosen = choose(Pool(features, proba, labelled, committee=committee), name, BATCH, random)
    seconds, busy = time.perf_counter() - started, time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(json.dumps([seconds, busy, peak, len(chosen)]))


if __name__ == "__main__":
    main()
