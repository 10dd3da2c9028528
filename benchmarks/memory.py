"""Claim: ten times the images need at most 1.2 times the memory to embed."""

from __future__ import annotations

import sys

from _common import encoder, icehouse, real, show, workplace

SIZES = (2_700, 27_000)


def main() -> None:
    """Run it."""
    data = real()
    lines = (data / "eurosat.csv").read_text().splitlines()
    rows = []
    with workplace() as folder:
        for size in SIZES:
            manifest = folder / f"{size}.csv"
            absolute = [f"{data}/{line}" for line in lines[1 : size + 1]]
            manifest.write_text("\n".join([lines[0], *absolute]))
            run = icehouse(
                "embed", manifest, "--store", folder / str(size), "--encoder", encoder(data)
            )
            rows.append((size, run.results[0]["encoded"], run.peak_mb, run.seconds))
    ratio = rows[1][2] / rows[0][2]
    show("peak memory of embed", ("inputs", "encoded", "MiB", "seconds"), rows)
    print(f"ratio {ratio:.3f}, claim <= 1.2")
    if ratio > 1.2:
        sys.exit(1)


if __name__ == "__main__":
    main()
