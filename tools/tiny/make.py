"""Make ``tiny``: views, a teacher's vectors of them, a student, a folder of weights.

::

    python tools/tiny/make.py --data DATA --teacher timm:local-dir:PATH --work FOLDER

DATA holds ``eurosat.csv``, ``eurosat/`` and ``stanford_dogs_64/``. Each stage goes on where it
was stopped. The last one writes the weights into the package and the record beside this file.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import platform
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from export import export, picture
from lessons import digests, make_lesson
from train import Settings, train
from views import write_views

from icehouse.embedder import embed, list_source
from icehouse.report import EmbedProgress
from icehouse.store import Store

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1] / "icehouse" / "embedder" / "tiny"


def main() -> None:
    """Run all stages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of images")
    parser.add_argument("--teacher", required=True, help="name of an encoder")
    parser.add_argument("--work", type=Path, required=True, help="folder to work in")
    parser.add_argument("--settings", type=Path, default=HERE / "settings.json")
    parser.add_argument("--weights", type=Path, default=PACKAGE, help="where the weights go")
    parser.add_argument("--record", type=Path, default=HERE / "record", help="and the record")
    given = parser.parse_args()
    settings = Settings.read(given.settings)
    views = draw(given.data, given.work, settings.views)
    store = Store.open_or_create(given.work / "teacher.icehouse")
    for folder in views:
        with EmbedProgress() as progress:
            embed(store, list_source(folder, labels=False), given.teacher, progress=progress)
    lesson = given.work / "lesson"
    if not lesson.exists():
        make_lesson(store, views, settings.dim, settings.power).save(lesson)
    run = given.work / f"run-{settings.seed}"
    run.mkdir(exist_ok=True)
    network = train(lesson, settings, run)
    export(network, settings, given.weights)
    given.record.mkdir(exist_ok=True)
    (given.record / "log.csv").write_text((run / "log.csv").read_text())
    picture(run / "log.csv", given.record / "curves.png")
    record = {
        "settings": dataclasses.asdict(settings),
        "teacher": next(iter(store.encoder_cards().values()))["spec"],
        "data": digests(store),
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
    }
    (given.record / "record.json").write_text(json.dumps(record, indent=2) + "\n")


def draw(data: Path, work: Path, count: int) -> dict[Path, bool]:
    """Write the views of all images that the student may see; return whether they may turn."""
    seen = (
        ("dogs", data / "stanford_dogs_64", list(dogs(data)), False),
        ("land", data / "eurosat", list(land(data)), True),
    )
    views = {}
    with ProcessPoolExecutor() as processes:
        jobs = []
        for name, root, images, turns in seen:
            for number in range(count):
                folder = work / f"{name}-{number}"
                views[folder] = turns
                jobs.append(processes.submit(write_views, images, root, folder, number, turns))
        for job in jobs:
            job.result()
    return views


def dogs(data: Path) -> Iterator[Path]:
    """Yield the images of 100 breeds: every sixth by name is never seen."""
    breeds = sorted(folder for folder in (data / "stanford_dogs_64").iterdir() if folder.is_dir())
    for number, breed in enumerate(breeds):
        if number % 6 != 5:
            yield from sorted(breed.iterdir())


def land(data: Path) -> Iterator[Path]:
    """Yield EuroSAT's training split."""
    with (data / "eurosat.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] == "train":
                yield data / row["path"]


if __name__ == "__main__":
    main()
