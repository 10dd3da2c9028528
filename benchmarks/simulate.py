"""Claim: on EuroSAT, with features of MobileNetV2 and logistic regression, the default strategy
needs at most half of the labels that drawing at random needs for 95 % of the full-data accuracy,
and a replay of ten seeds takes under five minutes of two cores.

    python benchmarks/simulate.py [first seed]

The default was chosen on seeds 0 to 9; seeds 100 to 109 had no part in it. Dogs are 120 breeds at
64 pixels, of which ``tiny`` knows half: nothing is claimed for them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from _common import Run, encoder, icehouse, real, show, workplace

SEEDS, MINUTES, SAVED = 10, 5, 1 / 2
SAVING = "saving", "saving_low", "saving_high"
LARGE = 1500  # labels of a replay: MobileNetV2 has more numbers, and learns on for longer
BREEDS = 10_000  # of dogs: more than drawing at random needs for 95 %
MANY, FEW = "auto,badge,margin,least-confidence,entropy,coreset,typical", "auto,margin"


def main() -> None:
    """Run it."""
    data = real()
    first = sys.argv[1] if len(sys.argv) > 1 else "0"
    with workplace() as folder:
        store, source = folder / "eurosat", data / "eurosat.csv"
        run = replay(store, encoder(data), source, FEW, first, "--budget", LARGE)
        held = [told("EuroSAT, MobileNetV2", run)]
        [auto] = [c for c in run.results[0]["curves"] if c["strategy"] == "auto"]
        saving = auto["needed"][1]["saving"]
        held.append(saving is not None and saving >= SAVED)
        print(f"the default saves {saving:.1%} for 95 %, claim >= {SAVED:.0%}: {held[-1]}")
        run = replay(store, "tiny", source, MANY, first)
        held.append(told("EuroSAT, tiny", run))
        breeds = data / "stanford_dogs_64"
        sizes = "--start", 240, "--budget", BREEDS
        run = replay(folder / "dogs", "tiny", breeds, FEW, first, *sizes)
        held.append(told("dogs", run))
    if not all(held):
        sys.exit(1)


def told(name: str, run: Run) -> bool:
    """Show a replay, and say whether it was fast."""
    [found] = run.results
    rows = []
    for curve in found["curves"]:
        half, most = curve["needed"]
        rows.append((curve["strategy"], *said(half), *said(most), curve["points"][-1]["accuracy"]))
    size, full = curve["points"][-1]["labels"], curve["full"]
    columns = ("strategy", "labels for 90 %", "saving", "for 95 %", "saving", f"with {size:,}")
    show(f"{name}: {found['seeds']} seeds, full-data accuracy {full:.3f}", columns, rows)
    fast = run.seconds < 60 * MINUTES
    print(f"{run.seconds:.0f} s, claim < {60 * MINUTES}: {fast}", flush=True)
    return fast


def replay(store: Path, name: str, source: Path, strategies: str, *more: object) -> Run:
    """Embed a dataset, and replay."""
    icehouse("embed", source, "--store", store, "--encoder", name)
    first, *options = more
    words = ("--strategies", strategies, "--seeds", SEEDS, "--seed", first, *options)
    return icehouse("simulate", "--store", store, "--encoder", name, *words)


def said(need: dict[str, float | None]) -> tuple[str, str]:
    """Return labels and saving with their intervals."""
    cells = []
    for names, form in ((("labels", "low", "high"), "{:,.0f}"), (SAVING, "{:.0%}")):
        value, low, high = ("–" if need[n] is None else form.format(need[n]) for n in names)
        cells.append(value if value == "–" else f"{value} [{low}, {high}]")
    return cells[0], cells[1]


if __name__ == "__main__":
    main()
