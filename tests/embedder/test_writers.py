"""Several processes that embed into one store at once: nothing lost, nothing twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import EmbedReport, embed, list_source
from icehouse.store import Store

IMAGES = 60
ROUNDS = 2
DATASETS = ("one", "two", "three", "four")

# Forked from one process that has loaded the libraries; they begin at the same moment, and wait
# for each other before they commit.
CREW = """
import json, os, signal, sys, traceback
from dataclasses import asdict
from pathlib import Path
from icehouse.embedder import EmbedOptions, embed, list_source, open_encoder
from icehouse.store import Store

def work(store, folder, dataset, killed, meet):
    def progress(done, total, errors):
        if killed and done >= total // 2:
            os.kill(os.getpid(), signal.SIGKILL)
        if done == total:
            meet()

    report = embed(
        Store.open_or_plan(store), list_source(folder), "descriptor", dataset=dataset,
        options=EmbedOptions(batch_size=4, workers=1), progress=progress,
    )
    os.write(1, ("report " + json.dumps([store, asdict(report)]) + "\\n").encode())

def crew(store, jobs):
    begin, arrived, go_on = os.pipe(), os.pipe(), os.pipe()
    members = {}
    for folder, dataset, killed in jobs:
        process = os.fork()
        if process == 0:
            os.close(begin[1]), os.close(go_on[1])
            os.read(begin[0], 1)
            def meet():
                os.write(arrived[1], b"x")
                os.read(go_on[0], 1)
            try:
                work(store, folder, dataset, killed, meet)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        members[process] = killed
    os.close(begin[1])
    for _ in range(sum(not killed for killed in members.values())):
        os.read(arrived[0], 1)
    os.close(go_on[1])
    for _ in list(members):
        process, status = os.wait()
        ended = os.waitstatus_to_exitcode(status)
        assert ended == (-signal.SIGKILL if members[process] else 0), ended

open_encoder("descriptor")
for store, jobs in json.loads(sys.argv[1]):
    crew(store, jobs)
"""

Job = tuple[Path, str, bool]
"""A folder, the dataset that it is embedded as, and whether the process is killed half-way."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty tiny pictures in three class folders, some of them copies, and a damaged one."""
    root = tmp_path_factory.mktemp("folder")
    for number in range(IMAGES):
        path = root / ("a", "b", "c")[number % 3] / f"{number:02d}.png"
        path.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(number % 50).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    (root / "a" / "damaged.png").write_bytes(path.read_bytes()[:100])
    return root


@pytest.fixture(scope="module")
def written(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, run_child: Callable[..., str]
) -> dict[str, tuple[Store, list[Any]]]:
    """Stores by name that crews wrote to, each with the reports of those that were not killed."""
    root = tmp_path_factory.mktemp("stores")
    crews: dict[str, list[Job]] = {
        **{f"two-{turn}": [(folder, "d", False)] * 2 for turn in range(ROUNDS)},
        **{f"four-{turn}": [(folder, "d", False)] * 4 for turn in range(ROUNDS)},
        "killed": [(folder, "d", killed) for killed in (False, True, False, True)],
        "datasets": [(folder, name, False) for name in DATASETS],
    }
    rounds = [
        (str(root / name), [(str(source), d, k) for source, d, k in jobs])
        for name, jobs in crews.items()
    ]
    reports: dict[str, list[Any]] = {name: [] for name in crews}
    for line in run_child(CREW, json.dumps(rounds)).splitlines():
        if line.startswith("report "):
            store, report = json.loads(line.removeprefix("report "))
            reports[Path(store).name].append(report)
    return {name: (Store.open(root / name), found) for name, found in reports.items()}


def logical(store: Store) -> dict[str, Any]:
    """Return what a store says, whatever files it says it in."""
    [encoder_id] = store.encoder_ids()
    matrix = store.features(encoder_id).load()
    ids = [i.tobytes() for i in matrix.ids]
    assert len(set(ids)) == len(ids)
    rows = store.catalog.everything(["dataset", "key", "image_id", "error", "labels", "bytes"])
    events = {
        task.name: Counter(
            (e.image_id, e.labels, e.annotator, e.note) for e in store.labels.events(task.name)
        )
        for task in store.labels.tasks()
    }
    return {
        "vectors": {i: vector.tobytes() for i, vector in zip(ids, matrix.vectors, strict=True)},
        "rows": sorted(rows.to_pylist(), key=lambda row: (row["dataset"], row["key"])),
        "events": events,
        "classes": {task.name: task.classes for task in store.labels.tasks()},
    }


def again(store: Store, folder: Path, dataset: str) -> EmbedReport:
    return embed(store, list_source(folder), "descriptor", dataset=dataset)


@pytest.fixture(scope="module")
def alone(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a store says that one process has written."""
    store = Store.create(tmp_path_factory.mktemp("alone") / "store")
    embed(store, list_source(folder), "descriptor", dataset="d")
    return logical(store)


@pytest.mark.parametrize("number", ["two", "four"])
def test_writers_of_one_dataset_leave_what_one_would(
    number: str, folder: Path, alone: Any, written: Any
) -> None:
    for turn in range(ROUNDS):
        store, reports = written[f"{number}-{turn}"]
        assert len(reports) == {"two": 2, "four": 4}[number]
        for report in reports:
            assert report["inputs"] == IMAGES + 1
            assert report["encoded"] + report["reused"] == IMAGES
        assert logical(store) == alone
        report = again(store, folder, "d")
        assert (report.encoded, report.reused, report.errors) == (0, IMAGES, {"truncated": 1})
        assert logical(store) == alone


def test_writers_of_datasets_that_share_images_leave_each_of_them_whole(
    folder: Path, alone: Any, written: Any
) -> None:
    store, reports = written["datasets"]
    assert sorted(report["dataset"] for report in reports) == sorted(DATASETS)
    found = logical(store)
    assert found["vectors"] == alone["vectors"]
    for name in DATASETS:
        rows = [{**row, "dataset": "d"} for row in found["rows"] if row["dataset"] == name]
        assert rows == alone["rows"]
        events = Counter(
            {(i, said, "d", n): k for (i, said, _, n), k in found["events"][name].items()}
        )
        assert events == alone["events"]["d"]
        assert again(store, folder, name).encoded == 0


def test_a_writer_that_is_killed_takes_nothing_from_the_others(
    folder: Path, alone: Any, written: Any
) -> None:
    store, reports = written["killed"]
    assert len(reports) == 2
    assert logical(store) == alone
    assert again(store, folder, "d").encoded == 0
