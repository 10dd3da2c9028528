"""Claim: explanations say where an answer comes from. For the ten test images of fields and roads
and ten of EuroSAT, hiding parts in the order of the map lowers the probability faster than a
random order on 90 % of images, and the map changes when the head's weights are shuffled.

ICEHOUSE_SHEETS names a folder in which the sheets stay, to be looked at; ICEHOUSE_METHODS other
methods, by commas.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from _common import Run, encoder, icehouse, real, show, workplace

METHODS = os.environ.get("ICEHOUSE_METHODS", "occlusion").split(",")
FEW = {"train": 100, "validation": 15, "test": 15}  # of each class of EuroSAT


def main() -> None:
    """Run it."""
    data = real()
    rows, images = [], []
    with workplace() as folder:
        stores = {
            "fields_roads": _fitted(folder / "fields_roads", data / "fields_roads", data),
            "EuroSAT": _fitted(folder / "eurosat", _few(data, folder / "few.csv"), data),
        }
        asked = {
            "fields_roads": sorted(_files(data / "fields_roads_test")),
            "EuroSAT": _one_of_each(folder / "few.csv"),
        }
        for method in METHODS:
            for name, store in stores.items():
                sheet = folder / f"{name}-{method}.png"
                words = ("--store", store, "--head", "logistic", "--method", method, "--check")
                run = icehouse("explain", *asked[name], *words, "--out", sheet)
                rows.append((name, method, *_measured(run)))
                images += [_image(name, method, each) for each in run.results]
                if keep := os.environ.get("ICEHOUSE_SHEETS"):
                    Path(keep).mkdir(parents=True, exist_ok=True)
                    shutil.copy(sheet, keep)
    columns = ("images", "method", "deletion", "holds", "insertion", "shuffled", "s/image")
    show("better than a random order; another map with shuffled weights", columns, rows)
    columns = ("images", "method", "image", "shown", "p", "deletion", "insertion", "shuffled")
    show("each image (random order in brackets)", columns, images)


def _fitted(store: Path, source: Path, data: Path) -> Path:
    icehouse("embed", source, "--store", store, "--encoder", encoder(data))
    icehouse("fit-head", "--store", store, "--head", "logistic")
    return store


def _few(data: Path, manifest: Path) -> Path:
    """Write a manifest of some images of EuroSAT."""
    seen: Counter[tuple[str, str]] = Counter()
    with open(data / "eurosat.csv", newline="") as file, open(manifest, "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("path", "label", "split"))
        for row in csv.DictReader(file):
            kind = row["label"], row["split"]
            seen[kind] += 1
            if seen[kind] <= FEW[row["split"]]:
                writer.writerow((data / row["path"], *kind))
    return manifest


def _one_of_each(manifest: Path) -> list[str]:
    with open(manifest, newline="") as file:
        test = [row for row in csv.DictReader(file) if row["split"] == "test"]
    first = {row["label"]: row["path"] for row in reversed(test)}
    return [first[label] for label in sorted(first)]


def _files(folder: Path) -> list[Path]:
    return [each for part in folder.iterdir() for each in part.iterdir()]


def _measured(run: Run) -> tuple[Any, ...]:
    scores = [each["scores"] for each in run.results]
    better = sum(each["deletion"] < each["random_deletion"] for each in scores)
    inserted = sum(each["insertion"] > each["random_insertion"] for each in scores)
    changed = sum(each["passed"] for each in run.results)
    count = len(scores)
    return (
        f"{better} of {count}",
        better >= 0.9 * count and changed == count,
        f"{inserted} of {count}",
        f"{changed} of {count}",
        run.seconds / count,
    )


def _image(name: str, method: str, said: dict[str, Any]) -> tuple[Any, ...]:
    s, file = said["scores"], Path(said["name"])
    return (
        name,
        method,
        f"{file.parent.name}/{file.name}",
        said["shown"],
        said["probability"],
        f"{s['deletion']:.2f} ({s['random_deletion']:.2f})",
        f"{s['insertion']:.2f} ({s['random_insertion']:.2f})",
        said["randomised"],
    )


if __name__ == "__main__":
    main()
