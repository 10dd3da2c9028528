"""A thousand spoilt files among sound ones: each is a vector or a typed error, and harms no other.

The runs are in a process of their own, so that a decoder that hangs or crashes is a failure.
"""

from __future__ import annotations

import json
import math
import os
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icehouse.embedder import EmbedOptions, EncoderRequest, embed, list_source
from icehouse.errors import ImageErrorKind
from icehouse.store import Store

CORPUS = runpy.run_path(str(Path(__file__).with_name("corpus.py")))
PASSES = 3
GROWTH = 48 * 2**20

EMBED = """
import ctypes, faulthandler, gc, json, os, sys
from dataclasses import asdict
from pathlib import Path
from icehouse.embedder import embed, list_source
from icehouse.store import Store

faulthandler.enable()
stores, folder, encoder, passes = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])

def held():
    gc.collect()
    files = sorted(os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")[:-1])
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"files": files, "memory": pages * os.sysconf("SC_PAGE_SIZE")}

for number in range(passes):
    store = Store.create(stores / f"{encoder}-{number}")
    report = embed(store, list_source(folder), encoder, dataset="corpus")
    del store
    facts = held() if Path("/proc/self/fd").is_dir() else None
    print("report", json.dumps([asdict(report), facts]), flush=True)
"""


def runs(printed: str) -> list[Any]:
    """Return the reports that a child printed."""
    lines = printed.splitlines()
    return [json.loads(line.removeprefix("report ")) for line in lines if line.startswith("report")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole corpus. Read only."""
    root = tmp_path_factory.mktemp("corpus")
    CORPUS["write"](root)
    return root


@pytest.fixture(scope="module")
def passes(folder: Path, tmp_path_factory: pytest.TempPathFactory, run_child: Any) -> Any:
    """Where the stores of three runs over the corpus are, their reports, and what was printed."""
    stores = tmp_path_factory.mktemp("stores")
    printed = run_child(EMBED, stores, folder, "descriptor", PASSES, MALLOC_ARENA_MAX="1")
    return stores, runs(printed), printed


def test_the_corpus_is_as_large_as_it_says(folder: Path) -> None:
    sound, spoilt = CORPUS["sound"](), dict(CORPUS["spoilt"]())
    assert len(spoilt) >= 1000
    assert len(set(spoilt.values()) - set(sound.values())) >= 1000
    assert dict(CORPUS["spoilt"]()) == spoilt


def test_each_input_is_a_vector_or_a_typed_error_with_its_key(folder: Path, passes: Any) -> None:
    stores, reports, _ = passes
    keys = {entry.key for entry in list_source(folder).entries}
    assert len(reports) == PASSES
    for number, (report, _) in enumerate(reports):
        failures = {failure["key"]: failure for failure in report["failures"]}
        assert report["inputs"] == len(keys)
        assert report["inputs"] == report["encoded"] + report["reused"] + len(failures)
        assert Counter(f["kind"] for f in failures.values()) == report["errors"]
        assert {f["kind"] for f in failures.values()} <= {kind.value for kind in ImageErrorKind}
        assert all(f["detail"] for f in failures.values())
        store = Store.open(stores / f"descriptor-{number}")
        matrix = store.features(report["encoder_id"]).load()
        assert np.isfinite(matrix.vectors).all()
        assert len(matrix) == report["encoded"]
        rows = store.catalog.rows("corpus").to_pylist()
        assert {row["key"] for row in rows} == keys
        assert {row["key"] for row in rows if row["error"] is not None} == failures.keys()
        named = {row["image_id"] for row in rows if row["error"] is None}
        assert named == {i.tobytes() for i in matrix.ids}


def test_every_run_finds_the_same(passes: Any) -> None:
    _, reports, _ = passes
    first, *others = [{**r, **dict.fromkeys(TIMES)} for r, _ in reports]
    assert all(other == first for other in others)


TIMES = ("seconds", "speed")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux to look at memory")
def test_nothing_is_kept_of_what_was_read(passes: Any) -> None:
    _, reports, _ = passes
    _, second, third = [held for _, held in reports]
    assert third["files"] == second["files"]
    assert third["memory"] - second["memory"] < GROWTH


def test_python_prints_no_warnings(passes: Any) -> None:
    _, _, printed = passes
    assert "Warning" not in printed
    assert "Traceback" not in printed


def expected_kind(key: str) -> str | None:
    """Return what must come of an input of the corpus that is not damaged at random."""
    name = key.rpartition("/")[2]
    kinds = {
        "bomb": "too-large", "float": "unsupported", "scans": "unsupported", "fifo": "not-a-file",
        "zero": "not-a-file", "socket": "not-a-file", "nothing": "not-a-file",
        "itself": "not-a-file", "one": "not-a-file", "other": "not-a-file", "null": "corrupt",
        "texts": "corrupt", "locked": "unreadable",
    }  # fmt: skip
    kinds |= dict.fromkeys(
        ("text", "page", "drawing", "paper", "archive", "postscript", "icon", "pointer", "desktop"),
        "not-an-image",
    )
    return None if key.endswith("text.png") else kinds.get(name.partition(".")[0].partition("-")[0])


def test_what_is_known_to_be_wrong_is_said(passes: Any) -> None:
    _, [(report, _), *_], _ = passes
    found = {failure["key"]: failure["kind"] for failure in report["failures"]}
    for key, kind in found.items():
        if key.startswith(("strange/", "odd/")):
            assert kind == expected_kind(key), key
        assert not key.startswith("sound/"), key
    assert sum(kind == "too-large" for kind in found.values()) >= 9


def vectors_by_key(store: Store, encoder_id: str) -> dict[str, bytes]:
    matrix = store.features(encoder_id).load()
    vectors = {i.tobytes(): v.tobytes() for i, v in zip(matrix.ids, matrix.vectors, strict=True)}
    [dataset] = store.catalog.datasets()
    rows = store.catalog.rows(dataset).to_pylist()
    return {row["key"]: vectors[row["image_id"]] for row in rows if row["error"] is None}


def test_sound_images_have_the_vectors_that_they_have_alone(
    folder: Path, passes: Any, tmp_path: Path
) -> None:
    stores, [(report, _), *_], _ = passes
    among = vectors_by_key(Store.open(stores / "descriptor-0"), report["encoder_id"])
    store = Store.create(tmp_path / "alone")
    listing = list_source(folder / "sound")
    alone = embed(store, listing, "descriptor", options=EmbedOptions(batch_size=5, workers=1))
    assert alone.encoded == len(listing.entries)
    expected = vectors_by_key(store, alone.encoder_id)
    assert {f"sound/{key}": vector for key, vector in expected.items()} == {
        key: vector for key, vector in among.items() if key.startswith("sound/")
    }


def test_a_network_gives_sound_images_the_vectors_that_they_have_alone(
    folder: Path, tmp_path: Path
) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for path in sorted((folder / "sound").iterdir()):
        (mixed / path.name).symlink_to(path)
    for number, path in enumerate(sorted(folder.glob("*/0*.*"))[::9]):
        (mixed / f"{number:03d}-{path.parent.name}{path.suffix}").symlink_to(path)
    request = EncoderRequest("tiny", "float32")
    found = []
    for name, source in (("with", mixed), ("alone", folder / "sound")):
        store = Store.create(tmp_path / f"{name}.icehouse")
        report = embed(store, list_source(source, labels=False), request)
        assert report.inputs == report.encoded + report.reused + sum(report.errors.values())
        found.append(vectors_by_key(store, report.encoder_id))
    among, alone = found
    assert len(alone) == len(CORPUS["sound"]())
    assert {key: among[key] for key in alone} == alone
    assert all(math.isfinite(x) for v in among.values() for x in np.frombuffer(v, np.float16))


# Files that change while they are read.


def test_files_that_change_meanwhile_are_whole_or_typed_errors(
    tmp_path: Path, store: Store
) -> None:
    data = CORPUS["encoded"](CORPUS["picture"](1, 200, 200), "PNG")
    (tmp_path / "folder").mkdir()
    paths = [tmp_path / "folder" / f"{n:02d}.png" for n in range(40)]
    for path in paths:
        path.write_bytes(data + path.name.encode())
    listing = list_source(tmp_path / "folder")
    with open(paths[1], "r+b") as file:
        file.truncate(500)
    with open(paths[2], "ab") as file:
        file.write(b"more" * 1000)
    paths[3].unlink()
    paths[4].unlink()
    paths[4].symlink_to(paths[4].name)
    paths[5].unlink()
    os.mkfifo(paths[5])
    paths[6].write_bytes(b"")
    paths[7].write_bytes(CORPUS["encoded"](CORPUS["picture"](2), "GIF"))

    def change(done: int, _total: int, _errors: int) -> None:
        for path in paths[20 + done // 2 :: 3]:
            if path.exists():
                path.write_bytes(path.read_bytes() + b"x")

    options = EmbedOptions(batch_size=2, workers=2)
    report = embed(store, listing, "descriptor", dataset="d", options=options, progress=change)
    assert report.inputs == 40 == report.encoded + report.reused + sum(report.errors.values())
    kinds = {failure.key: failure.kind for failure in report.failures}
    assert {key: kinds[key] for key in ("01.png", "03.png", "04.png", "05.png", "06.png")} == {
        "01.png": "truncated", "03.png": "unreadable", "04.png": "unreadable",
        "05.png": "not-a-file", "06.png": "empty",
    }  # fmt: skip
    # What is there now is read again where it is not what was read, and the store says so then.
    again = embed(store, list_source(tmp_path / "folder"), "descriptor", dataset="d")
    assert again.inputs == 39
    rows = {row["key"]: row for row in store.catalog.rows("d").to_pylist()}
    for path in paths[20:]:
        assert rows[path.name]["bytes"] == path.stat().st_size
        assert rows[path.name]["error"] is None
