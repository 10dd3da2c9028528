"""Every image is encoded once; whatever happens in between, nothing is lost and nothing twice."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import (
    EmbedOptions,
    EmbedReport,
    Encoder,
    EncoderRequest,
    EncoderSpec,
    Listing,
    LocalFile,
    PreprocessSpec,
    decode,
    embed,
    list_source,
    rehearse,
)
from icehouse.embedder.sources import FileBytes
from icehouse.errors import (
    Interrupted,
    SourceError,
    StoreUnwritable,
    UnknownEncoder,
    UsageError,
    VectorError,
    WeightsError,
)
from icehouse.store import Store, fsck, image_id

Child = Callable[..., subprocess.Popen[str]]


def png(seed: int, side: int = 12) -> bytes:
    """Return the bytes of a small picture; each seed gives another."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def freeze(
    store: Store,
    source: Path | Listing,
    request: EncoderRequest | str = "descriptor",
    *,
    dataset: str | None = "d",
    **options: Any,
) -> EmbedReport:
    """Embed, and hold the promise that every input is counted once."""
    listing = source if isinstance(source, Listing) else list_source(source)
    report = embed(store, listing, request, dataset=dataset, options=EmbedOptions(**options))
    assert report.inputs == len(listing.entries)
    assert report.inputs == report.encoded + report.reused + sum(report.errors.values())
    rows = store.catalog.rows(report.dataset)
    assert len(rows) == report.inputs
    assert rows["error"].null_count == report.encoded + report.reused
    return report


def rows_of(store: Store, dataset: str = "d") -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in store.catalog.rows(dataset).to_pylist()}


def vectors_of(store: Store, encoder_id: str) -> dict[bytes, bytes]:
    """Return the bytes of every vector by image_id."""
    matrix = store.features(encoder_id).load()
    return {
        i.tobytes(): vector.tobytes() for i, vector in zip(matrix.ids, matrix.vectors, strict=True)
    }


def shards(store: Store, encoder_id: str) -> dict[str, tuple[int, int, bytes]]:
    """Return name, inode, time of change and bytes of the shards of vectors."""
    paths = [store.files.path(name) for name in store.features(encoder_id).shards()]
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns, p.read_bytes()) for p in paths}


def overwrite_unseen(path: Path, data: bytes) -> None:
    """Write other bytes of the same length, and set the old time of change."""
    status = path.stat()
    assert len(data) == status.st_size
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures in two class folders."""
    root = tmp_path / "folder"
    for number, name in enumerate(("a", "b", "c", "d", "e", "f")):
        path = root / ("cat" if number < 4 else "dog") / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))
    return root


# The first run.


def test_a_first_run_encodes_every_image(store: Store, folder: Path) -> None:
    report = freeze(store, folder)
    assert (report.inputs, report.encoded, report.reused) == (6, 6, 0)
    assert (report.errors, report.gone, report.dataset) == ({}, 0, "d")
    assert report.speed is not None
    speed = report.speed
    assert speed.bound < min(speed.decode, speed.encode)
    stages = {"reading": speed.read, "decode": speed.decode, "encode": speed.encode}
    assert stages[speed.limit] == min(stages.values())


@dataclass(frozen=True)
class Slow:
    """A file that takes long to come."""

    file: LocalFile

    def read(self) -> FileBytes:
        time.sleep(0.1)
        return self.file.read()


def test_a_source_that_lets_workers_wait_is_the_limit(store: Store, folder: Path) -> None:
    listing = list_source(folder)
    slow = replace(
        listing, entries=[replace(entry, origin=Slow(entry.origin)) for entry in listing.entries]
    )
    options = EmbedOptions(workers=2)
    rehearsal = rehearse(slow, "descriptor", 6, options=options)
    report = embed(store, slow, "descriptor", options=options)
    for speed in (rehearsal.speed, report.speed):
        assert speed is not None
        assert speed.limit == "reading"
        assert speed.read is not None
        assert speed.read <= 2 / 0.1


def test_vectors_are_those_of_the_encoder(
    store: Store, folder: Path, opened: Callable[[str], Encoder]
) -> None:
    encoder = opened("descriptor")
    report = freeze(store, folder)
    assert report.encoder_id == encoder.spec.encoder_id
    known = vectors_of(store, report.encoder_id)
    for path in folder.rglob("*.png"):
        data = path.read_bytes()
        vector = encoder.encode(encoder.preprocess(decode(data))[None])[0]
        assert known[image_id(data)] == vector.astype(np.float16).tobytes()


def test_vectors_are_stored_in_the_type_asked_for(store: Store, folder: Path) -> None:
    half = freeze(store, folder).encoder_id
    full = freeze(store, folder, EncoderRequest("descriptor", stored_as="float32")).encoder_id
    assert store.features(half).load().vectors.dtype == np.float16
    assert store.features(full).load().vectors.dtype == np.float32
    assert half != full


def test_the_catalog_says_what_each_file_is(store: Store, folder: Path) -> None:
    freeze(store, folder)
    path = folder / "cat" / "b.png"
    row = rows_of(store)["cat/b.png"]
    assert row["image_id"] == image_id(path.read_bytes())
    assert (row["width"], row["height"], row["format"]) == (12, 12, "PNG")
    assert (row["bytes"], row["mtime_ns"]) == (path.stat().st_size, path.stat().st_mtime_ns)
    assert (row["labels"], row["source"], row["error"]) == (["cat"], str(folder), None)


def test_the_card_says_what_the_encoder_is(store: Store, folder: Path) -> None:
    encoder_id = freeze(store, folder).encoder_id
    card = store.features(encoder_id).card
    assert card["encoder_id"] == encoder_id
    assert card["request"] == {
        "name": "descriptor", "precision": None, "stored_as": "float16", "stamps": [],
        "pictures": {
            "decode": "exact", "resize": None, "adjust": [], "normalise": "encoder",
            "statistics": None,
        },
    }  # fmt: skip
    layout = PreprocessSpec(**card["spec"].pop("preprocess"))
    assert EncoderSpec(preprocess=layout, **card["spec"]).encoder_id == encoder_id
    assert {"python", "torch", "pillow", "scikit-image"} <= set(card["software"])


def test_the_dataset_is_called_as_the_folder_unless_named(store: Store, folder: Path) -> None:
    freeze(store, folder, dataset=None)
    freeze(store, folder, dataset="another")
    assert store.catalog.datasets() == ["another", "folder"]


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "x" * 300, "a\nb"])
def test_a_dataset_that_could_not_be_a_folder_is_refused(
    store: Store, folder: Path, name: str
) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a dataset"):
        embed(store, list_source(folder), "descriptor", dataset=name)


def test_progress_rises_to_all_inputs(store: Store, folder: Path) -> None:
    (folder / "bad.png").write_text("hello")
    (folder / "link.png").symlink_to("nowhere")
    told: list[tuple[int, int, int]] = []
    embed(
        store,
        list_source(folder),
        "descriptor",
        dataset="d",
        options=EmbedOptions(batch_size=2, workers=1),
        progress=lambda *numbers: told.append(numbers),
    )
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert {total for _, total, _ in told} == {8}
    assert told[-1] == (8, 8, 2)


@pytest.mark.parametrize("settings", [(1, 1), (2, 3), (64, 1), (5, 4)], ids=str)
def test_batches_and_workers_change_no_vector(
    store: Store, folder: Path, tmp_path: Path, settings: tuple[int, int]
) -> None:
    other = Store.create(tmp_path / "other.icehouse")
    batch_size, workers = settings
    one = freeze(store, folder)
    two = freeze(other, folder, batch_size=batch_size, workers=workers)
    assert vectors_of(store, one.encoder_id) == vectors_of(other, two.encoder_id)


def test_it_runs_in_a_thread_that_is_not_the_main_one(store: Store, folder: Path) -> None:
    reports: list[EmbedReport] = []
    worker = threading.Thread(target=lambda: reports.append(freeze(store, folder)))
    worker.start()
    worker.join(timeout=60)
    assert [report.encoded for report in reports] == [6]


def test_threads_and_signals_are_left_as_they_were(store: Store, folder: Path) -> None:
    import torch

    before = torch.get_num_threads(), signal.getsignal(signal.SIGINT)
    torch.set_num_threads(2)
    try:
        freeze(store, folder)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before[0])
    assert signal.getsignal(signal.SIGINT) is before[1]


# The next run.


def test_a_second_run_encodes_nothing_and_writes_nothing(store: Store, folder: Path) -> None:
    first = freeze(store, folder)
    before = {path: path.stat().st_mtime_ns for path in store.path.rglob("*.parquet")}
    second = freeze(store, folder)
    assert (second.encoded, second.reused, second.encoder_id) == (0, 6, first.encoder_id)
    assert second.speed is None
    assert {path: path.stat().st_mtime_ns for path in store.path.rglob("*.parquet")} == before


def test_a_run_without_changes_loads_no_heavy_library(
    store: Store, folder: Path, run_child: Callable[..., str]
) -> None:
    freeze(store, folder)
    program = """
import sys
from pathlib import Path
from icehouse.embedder import embed, list_source
from icehouse.store import Store
report = embed(Store.open(sys.argv[1]), list_source(sys.argv[2]), "descriptor", dataset="d")
heavy = {"torch", "torchvision", "timm", "open_clip", "skimage", "sklearn", "scipy"}
loaded = sorted(heavy & set(sys.modules))
print("encoded", report.encoded, "reused", report.reused, "loaded", loaded)
"""
    printed = run_child(program, store.path, folder)
    assert "encoded 0 reused 6 loaded []" in printed


def test_renaming_every_file_encodes_nothing(store: Store, folder: Path) -> None:
    freeze(store, folder)
    for path in list(folder.rglob("*.png")):
        path.rename(path.with_name(f"new-{path.name}"))
    report = freeze(store, folder)
    assert (report.encoded, report.reused, report.gone) == (0, 6, 6)


def test_moving_every_file_to_another_class_encodes_nothing(store: Store, folder: Path) -> None:
    freeze(store, folder)
    (folder / "cat").rename(folder / "wolf")
    report = freeze(store, folder)
    assert (report.encoded, report.reused, report.gone) == (0, 6, 4)
    assert rows_of(store)["wolf/a.png"]["labels"] == ["wolf"]


def test_moving_the_folder_encodes_nothing(store: Store, folder: Path) -> None:
    freeze(store, folder)
    moved = folder.rename(folder.with_name("moved"))
    report = freeze(store, moved)
    assert (report.encoded, report.reused, report.gone) == (0, 6, 0)
    assert {row["source"] for row in rows_of(store).values()} == {str(moved)}
    said = f"6 inputs came from {folder} until now, and come from {moved} from now on"
    assert report.notes == (said,)
    assert freeze(store, moved).notes == ()


def test_a_tar_that_takes_the_place_of_a_folder_is_told(store: Store, folder: Path) -> None:
    freeze(store, folder)
    (folder / "cat/new.png").write_bytes(png(7))
    archive = folder.with_name("some.tar")
    with tarfile.open(archive, "w") as tar:
        for name in ("cat/a.png", "cat/b.png", "cat/new.png"):
            tar.add(folder / name, name)
    report = freeze(store, archive)
    assert (report.encoded, report.reused, report.gone) == (1, 2, 4)
    said = f"2 inputs came from {folder} until now, and come from {archive} from now on"
    assert report.notes == (said,)


def test_touching_every_file_encodes_nothing(store: Store, folder: Path) -> None:
    freeze(store, folder)
    for number, path in enumerate(folder.rglob("*.png")):
        os.utime(path, ns=(0, 10**18 + number))
    report = freeze(store, folder)
    assert (report.encoded, report.reused) == (0, 6)
    assert all(row["mtime_ns"] >= 10**18 for row in rows_of(store).values())


def test_the_same_images_in_a_second_dataset_encode_nothing(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    first = freeze(store, folder, dataset="one")
    copy = shutil.copytree(folder, tmp_path / "copy")
    second = freeze(store, Path(copy), dataset="two")
    assert (second.encoded, second.reused) == (0, 6)
    assert len(store.features(first.encoder_id).load()) == 6


def test_copies_inside_a_folder_are_one_vector(store: Store, folder: Path) -> None:
    for number in range(5):
        shutil.copy(folder / "cat" / "a.png", folder / "cat" / f"copy{number}.png")
    report = freeze(store, folder, batch_size=2)
    assert (report.encoded, report.reused) == (6, 5)
    assert len(store.features(report.encoder_id).load()) == 6
    rows = rows_of(store)
    assert rows["cat/copy3.png"]["image_id"] == rows["cat/a.png"]["image_id"]


def test_only_what_is_new_is_encoded(store: Store, folder: Path) -> None:
    first = freeze(store, folder)
    before = shards(store, first.encoder_id)
    (folder / "dog" / "g.png").write_bytes(png(100))
    (folder / "cat" / "a.png").write_bytes(png(101))
    report = freeze(store, folder)
    assert (report.encoded, report.reused) == (2, 5)
    after = shards(store, first.encoder_id)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 1


def test_what_changed_unseen_is_not_read(store: Store, folder: Path) -> None:
    # Size and time of change are what tells, as in git.
    freeze(store, folder)
    path = folder / "cat" / "a.png"
    overwrite_unseen(path, b"x" * path.stat().st_size)
    assert freeze(store, folder).reused == 6


def test_removed_files_are_gone_and_may_come_back(store: Store, folder: Path) -> None:
    freeze(store, folder)
    data = (folder / "cat" / "a.png").read_bytes()
    (folder / "cat" / "a.png").unlink()
    report = freeze(store, folder)
    assert (report.inputs, report.reused, report.gone) == (5, 5, 1)
    assert "cat/a.png" not in rows_of(store)
    assert freeze(store, folder).gone == 0
    (folder / "cat" / "a.png").write_bytes(data)
    report = freeze(store, folder)
    assert (report.inputs, report.encoded, report.reused) == (6, 0, 6)


def test_a_source_with_nothing_in_common_is_refused(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    freeze(store, folder)
    stranger = tmp_path / "holidays"
    stranger.mkdir()
    (stranger / "z.png").write_bytes(png(7))
    with pytest.raises(UsageError, match=r"has no file in common with it. Name the new one"):
        embed(store, list_source(stranger), "descriptor", dataset="d")
    assert set(rows_of(store)) == {f"cat/{n}.png" for n in "abcd"} | {"dog/e.png", "dog/f.png"}


def test_a_second_encoder_encodes_the_same_dataset_anew(
    store: Store, folder: Path, clip_folder: Path
) -> None:
    one = freeze(store, folder)
    request = EncoderRequest(f"clip:local-dir:{clip_folder}", "float32")
    two = freeze(store, folder, request)
    assert (two.encoded, two.reused) == (6, 0)
    assert set(vectors_of(store, one.encoder_id)) == set(vectors_of(store, two.encoder_id))
    assert freeze(store, folder, request).reused == 6
    assert freeze(store, folder).reused == 6


# Inputs that are not pictures.


def test_a_corrupt_file_and_its_copy_are_typed_rows(store: Store, folder: Path) -> None:
    data = png(50, side=40)
    for name in ("x.png", "y.png", "z.png"):
        (folder / name).write_bytes(data[: len(data) // 2])
    report = freeze(store, folder, batch_size=2)
    assert (report.encoded, report.errors) == (6, {"truncated": 3})
    rows = rows_of(store)
    for name in ("x.png", "y.png", "z.png"):
        assert rows[name]["error"] == "truncated"
        assert rows[name]["error_detail"]
        assert rows[name]["image_id"] is None
        assert rows[name]["bytes"] == len(data) // 2


def test_every_kind_of_error_is_counted(store: Store, folder: Path) -> None:
    data = png(50, side=40)
    (folder / "1.png").write_bytes(data[: len(data) // 2])
    (folder / "2.png").write_text("hello")
    (folder / "3.png").touch()
    (folder / "4.png").symlink_to("nowhere")
    os.mkfifo(folder / "5.png")
    Image.new("RGB", (64, 64)).save(folder / "6.png")
    Image.new("F", (8, 8)).save(folder / "7.tif")
    expected = {
        "empty": 1, "not-a-file": 2, "not-an-image": 1, "too-large": 1, "truncated": 1,
        "unsupported": 1,
    }  # fmt: skip
    assert freeze(store, folder, max_pixels=4095).errors == expected
    again = freeze(store, folder, max_pixels=4095)
    assert (again.errors, again.encoded, again.reused) == (expected, 0, 6)


def test_a_corrupt_file_that_was_replaced_is_picked_up(store: Store, folder: Path) -> None:
    (folder / "x.png").write_text("hello")
    assert freeze(store, folder).errors == {"not-an-image": 1}
    (folder / "x.png").write_bytes(png(60))
    report = freeze(store, folder)
    assert (report.encoded, report.reused, report.errors) == (1, 6, {})
    assert rows_of(store)["x.png"]["error"] is None


def test_a_good_file_that_was_spoilt_becomes_an_error(store: Store, folder: Path) -> None:
    freeze(store, folder)
    (folder / "cat" / "a.png").write_text("hello")
    report = freeze(store, folder)
    assert (report.encoded, report.reused, report.errors) == (0, 5, {"not-an-image": 1})
    assert rows_of(store)["cat/a.png"]["image_id"] is None


def test_what_could_not_be_decoded_is_read_again_only_on_request(
    store: Store, folder: Path
) -> None:
    good = png(61)
    (folder / "x.png").write_bytes(b"x" * len(good))
    freeze(store, folder)
    overwrite_unseen(folder / "x.png", good)
    assert freeze(store, folder).errors == {"not-an-image": 1}
    report = freeze(store, folder, retry_errors=True)
    assert (report.encoded, report.errors) == (1, {})


def test_a_broken_link_that_was_mended_is_picked_up(store: Store, folder: Path) -> None:
    (folder / "x.png").symlink_to(folder.parent / "later.png")
    assert freeze(store, folder).errors == {"not-a-file": 1}
    (folder.parent / "later.png").write_bytes(png(62))
    report = freeze(store, folder)
    assert (report.encoded, report.errors) == (1, {})


def test_images_on_a_disk_that_is_away_stay(store: Store, folder: Path) -> None:
    disk = (folder / "cat").rename(folder.with_name("disk"))
    (folder / "cat").symlink_to(disk)
    first = freeze(store, folder)
    away = disk.rename(disk.with_name("away"))
    for _ in range(2):
        report = embed(store, list_source(folder), "descriptor", dataset="d", task="another")
        assert (report.inputs, report.reused, report.gone) == (3, 2, 0)
        assert report.errors == {"not-a-file": 1}
        assert len(store.catalog.rows("d")) == 7
    away.rename(disk)
    report = freeze(store, folder)
    assert (report.encoded, report.reused, report.gone) == (0, first.inputs, 1)
    (folder / "cat").unlink()
    assert freeze(store, folder).gone == 4


def test_missing_files_of_a_manifest_are_typed_rows(store: Store, folder: Path) -> None:
    (folder / "list.csv").write_text("path,label\ncat/a.png,cat\nnowhere.png,dog\n")
    report = freeze(store, folder / "list.csv")
    assert (report.encoded, report.errors) == (1, {"unreadable": 1})
    assert rows_of(store)["nowhere.png"]["error_detail"] == "no such file"


def test_a_file_that_vanishes_after_it_was_listed_is_a_typed_row(
    store: Store, folder: Path
) -> None:
    listing = list_source(folder)
    (folder / "cat" / "a.png").unlink()
    report = freeze(store, listing)
    assert (report.encoded, report.errors) == (5, {"unreadable": 1})


def test_a_file_that_became_a_folder_after_it_was_listed_is_a_typed_row(
    store: Store, folder: Path
) -> None:
    listing = list_source(folder)
    (folder / "cat" / "a.png").unlink()
    (folder / "cat" / "a.png").mkdir()
    assert freeze(store, listing).errors == {"not-a-file": 1}


def test_a_folder_of_nothing_readable_is_refused_and_says_why(store: Store, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.png").symlink_to("nowhere")
    message = r"nothing of .*/folder can be read: 1 not-a-file\. The first is x\.png: .*link"
    with pytest.raises(SourceError, match=message):
        embed(store, list_source(tmp_path / "folder"), "descriptor")
    assert store.catalog.datasets() == []


def test_texts_that_another_encoder_has_met_are_not_read_again_unless_asked(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("a")
    freeze(store, tmp_path / "folder")
    request = EncoderRequest("descriptor", stored_as="float32")
    with pytest.raises(
        SourceError, match=r"1 not-an-image\. The first is a\.txt: .*--retry-errors"
    ):
        freeze(store, tmp_path / "folder", request)
    report = freeze(store, tmp_path / "folder", request, retry_errors=True)
    assert report.errors == {"not-an-image": 1}


def test_a_folder_of_texts_is_all_errors(store: Store, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "folder" / name).write_text(name)
    assert freeze(store, tmp_path / "folder").errors == {"not-an-image": 2}
    assert freeze(store, tmp_path / "folder").errors == {"not-an-image": 2}


def test_a_higher_pixel_limit_is_tried_on_what_was_too_large(store: Store, folder: Path) -> None:
    Image.new("RGB", (64, 64)).save(folder / "large.png")
    assert freeze(store, folder, max_pixels=1000).errors == {"too-large": 1}
    assert freeze(store, folder, max_pixels=10_000).errors == {}


def test_a_store_inside_the_folder_is_not_an_input(folder: Path) -> None:
    store = Store.create(folder / "photos.icehouse")
    freeze(store, folder)
    assert freeze(store, folder).inputs == 6
    assert store.labels.task("d").classes == ("cat", "dog")


# Labels.


def labels_of(store: Store, task: str = "d", dataset: str = "d") -> dict[str, tuple[str, ...]]:
    present = store.labels.present(task)
    return {
        key: present[row["image_id"]]
        for key, row in rows_of(store, dataset).items()
        if row["image_id"] in present
    }


def test_class_folders_become_the_labels_of_a_task(store: Store, folder: Path) -> None:
    freeze(store, folder)
    task = store.labels.task("d")
    assert (task.kind, task.classes) == ("single", ("cat", "dog"))
    assert labels_of(store) == {
        **{f"cat/{name}.png": ("cat",) for name in "abcd"},
        **{f"dog/{name}.png": ("dog",) for name in "ef"},
    }
    assert {event.origin for event in store.labels.events("d")} == {"source"}


def test_the_task_can_be_named(store: Store, folder: Path) -> None:
    embed(store, list_source(folder), "descriptor", dataset="d", task="animals")
    assert [task.name for task in store.labels.tasks()] == ["animals"]


def test_without_labels_there_is_no_task(store: Store, folder: Path) -> None:
    freeze(store, list_source(folder, labels=False))
    assert store.labels.tasks() == []


def test_several_labels_make_a_task_of_that_kind(store: Store, folder: Path) -> None:
    lines = ["path,labels", "cat/a.png,furry;small", "cat/b.png,;", "cat/c.png,"]
    (folder / "list.csv").write_text("\n".join(lines))
    freeze(store, folder / "list.csv")
    assert store.labels.task("d").kind == "multi"
    assert labels_of(store) == {"cat/a.png": ("furry", "small"), "cat/b.png": ()}


def test_labels_of_another_kind_are_refused_before_anything_is_read(
    store: Store, folder: Path
) -> None:
    freeze(store, folder)
    (folder / "list.csv").write_text("path,labels\ncat/a.png,furry\n")
    with pytest.raises(UsageError, match="task 'd' takes single labels, but got multi ones"):
        embed(store, list_source(folder / "list.csv"), "descriptor", dataset="e", task="d")
    assert store.catalog.datasets() == ["d"]


def test_a_task_that_cannot_be_named_so_is_refused_before_anything_is_read(
    store: Store, folder: Path
) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a task"):
        embed(store, list_source(folder), "descriptor", dataset="d", task="a/b")
    assert store.catalog.datasets() == []


def test_a_second_run_adds_no_label_events(store: Store, folder: Path) -> None:
    freeze(store, folder)
    freeze(store, folder)
    for path in folder.rglob("*.png"):
        os.utime(path, ns=(0, 10**18))
    freeze(store, folder)
    assert len(store.labels.events("d")) == 6


def test_images_under_several_labels_are_noted_on_every_run(store: Store, folder: Path) -> None:
    shutil.copy(folder / "cat" / "a.png", folder / "dog" / "again.png")
    told = (
        "1 image has several labels, of which the first counts: cat/a.png (cat, dog). "
        "icehouse label-issues lists them, once a head is fitted",
    )
    assert freeze(store, folder).notes == told
    assert freeze(store, folder).notes == told
    for path in (folder / "dog").iterdir():
        shutil.copy(path, folder / "cat" / path.name)
    for name in "bcd":
        shutil.copy(folder / "cat" / f"{name}.png", folder / "dog")
    [note] = freeze(store, folder).notes
    assert note.startswith("6 images have several labels, of which the first counts: cat/a.png (c")
    assert "cat/e.png (cat, dog); and 1 more. icehouse label-issues" in note
    assert freeze(store, folder / "dog", dataset="dogs").notes == ()


def test_a_label_changed_in_a_manifest_is_logged_without_reading_the_file(
    store: Store, folder: Path
) -> None:
    manifest = folder / "list.csv"
    manifest.write_text("path,label\ncat/a.png,cat\ncat/b.png,cat\n")
    freeze(store, manifest)
    path = folder / "cat" / "a.png"
    overwrite_unseen(path, b"x" * path.stat().st_size)
    manifest.write_text("path,label\ncat/a.png,lynx\ncat/b.png,cat\n")
    report = freeze(store, manifest)
    assert (report.encoded, report.reused) == (0, 2)
    assert labels_of(store) == {"cat/a.png": ("lynx",), "cat/b.png": ("cat",)}
    assert len(store.labels.events("d")) == 3


def test_a_label_that_a_person_gave_is_not_overridden_by_a_re_run(
    store: Store, folder: Path
) -> None:
    freeze(store, folder)
    image = rows_of(store)["cat/a.png"]["image_id"]
    store.labels.record("d", [(image, ("dog",))], annotator="ann", origin="review")
    freeze(store, folder)
    os.utime(folder / "cat" / "a.png", ns=(0, 10**18))
    freeze(store, folder)
    (folder / "cat" / "a.png").rename(folder / "cat" / "z.png")
    freeze(store, folder)
    assert labels_of(store)["cat/z.png"] == ("dog",)


def test_what_a_source_says_anew_is_heard_after_a_person(store: Store, folder: Path) -> None:
    freeze(store, folder)
    image = rows_of(store)["cat/a.png"]["image_id"]
    store.labels.record("d", [(image, ("dog",))], annotator="ann", origin="review")
    (folder / "lynx").mkdir()
    (folder / "cat" / "a.png").rename(folder / "lynx" / "a.png")
    freeze(store, folder)
    assert labels_of(store)["lynx/a.png"] == ("lynx",)


def test_labels_of_copies_and_of_known_images_arrive(store: Store, folder: Path) -> None:
    freeze(store, list_source(folder, labels=False))
    freeze(store, folder)
    assert len(labels_of(store)) == 6
    shutil.copy(folder / "cat" / "a.png", folder / "cat" / "copy.png")
    freeze(store, folder)
    assert labels_of(store)["cat/copy.png"] == ("cat",)


def test_what_is_no_picture_has_no_label_until_it_is_mended(store: Store, folder: Path) -> None:
    (folder / "cat" / "x.png").write_text("hello")
    freeze(store, folder)
    assert "cat/x.png" not in labels_of(store)
    (folder / "cat" / "x.png").write_bytes(png(70))
    freeze(store, folder)
    assert labels_of(store)["cat/x.png"] == ("cat",)


# Encoders that change or fail.


@pytest.fixture
def network(timm_folder: Path, tmp_path: Path) -> Path:
    """A folder of weights that may be changed."""
    return Path(shutil.copytree(timm_folder, tmp_path / "network"))


def change_weight(network: Path, value: float) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(network / "model.safetensors")
    state["layer1.0.conv1.weight"].view(-1)[:9] = value
    save_file(state, network / "model.safetensors")


def test_an_encoder_replaced_under_its_name_leaves_the_old_features(
    store: Store, folder: Path, network: Path
) -> None:
    request = EncoderRequest(f"timm:local-dir:{network}", "float32")
    first = freeze(store, folder, request)
    before = shards(store, first.encoder_id)
    change_weight(network, 2.0)
    second = freeze(store, folder, request)
    assert second.encoder_id != first.encoder_id
    assert (second.encoded, second.reused) == (6, 0)
    assert shards(store, first.encoder_id) == before
    assert set(store.encoder_ids()) == {first.encoder_id, second.encoder_id}
    assert freeze(store, folder, request).encoder_id == second.encoder_id


def test_the_precision_of_the_first_run_is_kept(store: Store, folder: Path, network: Path) -> None:
    name = f"timm:local-dir:{network}"
    first = freeze(store, folder, EncoderRequest(name, "float32"))
    (folder / "new.png").write_bytes(png(80))
    second = freeze(store, folder, name)
    assert second.encoder_id == first.encoder_id
    assert (second.encoded, second.reused) == (1, 6)


def test_vectors_that_are_not_numbers_are_refused_and_leave_no_row(
    store: Store, folder: Path, network: Path
) -> None:
    change_weight(network, float("nan"))
    with pytest.raises(VectorError, match=r"6 vectors .* hold NaN or infinity"):
        embed(store, list_source(folder), f"timm:local-dir:{network}", dataset="d")
    assert store.catalog.datasets() == []
    assert all(not store.features(name).shards() for name in store.encoder_ids())


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [("nonsense", UnknownEncoder, "no encoder 'nonsense'"),
     ("timm:local-dir:/nowhere", WeightsError, "there is no folder /nowhere")],
)  # fmt: skip
def test_an_encoder_that_cannot_be_opened_leaves_no_trace(
    store: Store, folder: Path, name: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        embed(store, list_source(folder), name, dataset="d")
    assert store.catalog.datasets() == []
    assert not store.has_labels


def test_an_error_of_the_caller_keeps_what_was_done(store: Store, folder: Path) -> None:
    def progress(done: int, _total: int, _errors: int) -> None:
        if done >= 2:
            raise RuntimeError("the screen is gone")

    before = set(threading.enumerate())
    options = EmbedOptions(batch_size=1, workers=2)
    with pytest.raises(RuntimeError, match="the screen is gone"):
        embed(
            store, list_source(folder), "descriptor", dataset="d", options=options,
            progress=progress,
        )  # fmt: skip
    assert not [t for t in set(threading.enumerate()) - before if t.join(30) or t.is_alive()]
    assert len(rows_of(store)) == 2
    assert freeze(store, folder).encoded == 4


def test_a_store_that_cannot_be_written_to_any_more_is_said_so(store: Store, folder: Path) -> None:
    encoder_id = freeze(store, folder).encoder_id
    place = store.path / "features" / encoder_id

    def progress(*_numbers: int) -> None:
        if place.is_dir():
            place.rename(store.path / "away")
            place.write_text("in the way")

    (folder / "new.png").write_bytes(png(90))
    before = set(threading.enumerate())
    with pytest.raises(StoreUnwritable, match=f"cannot write {place}.*Check who owns the store"):
        embed(store, list_source(folder), "descriptor", dataset="d", progress=progress)
    assert not [t for t in set(threading.enumerate()) - before if t.join(30) or t.is_alive()]
    place.unlink()
    (store.path / "away").rename(place)
    assert "new.png" not in rows_of(store)
    assert freeze(store, folder).encoded == 1


def test_what_a_killed_writer_left_is_swept_away(store: Store, folder: Path) -> None:
    encoder_id = freeze(store, folder).encoder_id
    leftovers = [store.path / "features" / encoder_id, store.path / "catalog" / "d"]
    for place in leftovers:
        (place / ".tmp-old").write_bytes(b"x")
        os.utime(place / ".tmp-old", ns=(0, 10**18))
        (place / ".tmp-new").write_bytes(b"x")  # of another writer that is at work
    (folder / "new.png").write_bytes(png(81))
    freeze(store, folder)
    for place in leftovers:
        assert not (place / ".tmp-old").exists()
        assert (place / ".tmp-new").exists()


# A store that is planned.


def test_a_planned_store_is_made_by_the_first_run_that_can_work(
    tmp_path: Path, folder: Path
) -> None:
    path = tmp_path / "new.icehouse"
    store = Store.open_or_plan(path)
    with pytest.raises(UnknownEncoder, match="no encoder 'nonsense'"):
        freeze(store, folder, "nonsense")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "x.png").symlink_to("nowhere")
    with pytest.raises(SourceError, match="can be read"):
        freeze(store, tmp_path / "links")
    assert not path.exists()
    assert freeze(store, folder).encoded == 6
    assert fsck(path).findings == ()


# Runs that are stopped.

TINY = 300
EMBED = """
import sys, time, torch
from pathlib import Path
from icehouse.embedder import EmbedOptions, embed, list_source
from icehouse.errors import Interrupted
from icehouse.store import Store

store, folder, mode = sys.argv[1:4]
slept = False

def progress(done, total, errors):
    global slept
    print("done", done, flush=True)
    if mode == "ask":
        sys.stdin.readline()
    if mode == "sleep" and done >= 100 and not slept:
        slept = True
        time.sleep(5.2)  # a commit is due five seconds after the last one

try:
    report = embed(
        Store.open_or_create(store),
        list_source(folder),
        "descriptor",
        dataset="d",
        options=EmbedOptions(batch_size=6, workers=2),
        progress=progress,
    )
    print("finished", report.encoded, report.reused, flush=True)
except Interrupted as error:
    print("interrupted", error, flush=True)
except KeyboardInterrupt:
    print("broken off", flush=True)
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hundred tiny pictures in two class folders, some of them copies. Read only."""
    root = tmp_path_factory.mktemp("tiny")
    for number in range(TINY):
        path = root / ("even", "odd")[number % 2] / f"{number:03d}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png(1000 + number % (TINY - 20), side=8))
    return root


def wait_for(process: subprocess.Popen[str], images: int) -> int:
    """Read what a child prints until it has done so many images; return how many it has."""
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        if line.startswith("done") and int(line.split()[1]) >= images:
            return int(line.split()[1])
        if line.startswith("finished"):
            return TINY
        printed.append(line)
    raise AssertionError("the child ended too early:\n" + "".join(printed))


def finish(process: subprocess.Popen[str]) -> str:
    printed, _ = process.communicate(timeout=120)
    return printed


def assert_sound(store: Store) -> None:
    """Assert what holds after any end of a run: each row's image has its vector."""
    for encoder_id in store.encoder_ids():
        have = set(vectors_of(store, encoder_id))
        for dataset in store.catalog.datasets():
            rows = rows_of(store, dataset).values()
            assert {row["image_id"] for row in rows if row["error"] is None} <= have


def test_a_run_killed_again_and_again_ends_as_one_that_was_not(
    tmp_path: Path, tiny: Path, child: Child
) -> None:
    whole = Store.create(tmp_path / "whole.icehouse")
    report = freeze(whole, tiny)
    expected = vectors_of(whole, report.encoder_id)
    assert len(expected) == report.encoded == TINY - 20

    path = tmp_path / "killed.icehouse"
    random = np.random.default_rng(9)
    committed: dict[str, tuple[int, int, bytes]] = {}
    kills = [("sleep", 180), *(("run", int(random.integers(110, 290))) for _ in "ab")]
    for mode, images in kills:
        with child(EMBED, path, tiny, mode) as process:
            try:
                wait_for(process, images)
            finally:
                process.kill()
        store = Store.open(path)
        assert_sound(store)
        kept = shards(store, report.encoder_id)
        assert {name: kept[name] for name in committed} == committed
        committed = kept
        assert committed  # the first child slept until a commit was due

    store = Store.open(path)
    last = freeze(store, tiny)
    assert last.encoded < TINY - 20
    assert vectors_of(store, report.encoder_id) == expected
    final = shards(store, report.encoder_id)
    assert {name: final[name] for name in committed} == committed
    assert rows_of(store).keys() == rows_of(whole).keys()
    assert labels_of(store) == labels_of(whole)
    assert freeze(store, tiny).encoded == 0


def test_a_run_killed_while_it_commits_ends_as_one_that_was_not(
    tmp_path: Path, tiny: Path, child: Child
) -> None:
    whole = Store.create(tmp_path / "whole.icehouse")
    report = freeze(whole, tiny)
    path = tmp_path / "killed.icehouse"
    features = path / "features" / report.encoder_id
    with child(EMBED, path, tiny, "run") as process:
        try:
            wait_for(process, TINY)  # what follows is the commit, and nothing else
            while process.poll() is None and not list(features.glob("*.parquet")):
                pass
        finally:
            process.kill()
    store = Store.open(path)
    assert_sound(store)
    committed = shards(store, report.encoder_id)
    last = freeze(store, tiny)
    assert last.encoded + last.reused == TINY
    assert vectors_of(store, report.encoder_id) == vectors_of(whole, report.encoder_id)
    assert labels_of(store) == labels_of(whole)
    final = shards(store, report.encoder_id)
    assert {name: final[name] for name in committed} == committed


def test_ctrl_c_commits_what_is_done(tmp_path: Path, tiny: Path, child: Child) -> None:
    path = tmp_path / "stopped.icehouse"
    with child(EMBED, path, tiny, "ask") as process:
        assert process.stdin is not None
        for images in (1, 7, 13):
            done = wait_for(process, images)
            if images == 13:
                process.send_signal(signal.SIGINT)
            process.stdin.write("go on\n")
            process.stdin.flush()
        printed = finish(process)
    assert process.returncode == 0
    assert "interrupted stopped after" in printed
    assert "of 300 inputs. All of them are kept; run the same command again" in printed
    store = Store.open(path)
    assert_sound(store)
    assert done <= len(rows_of(store)) < TINY
    assert labels_of(store).keys() == rows_of(store).keys()
    [encoder_id] = store.encoder_ids()
    kept = len(vectors_of(store, encoder_id))
    assert freeze(store, tiny).encoded == TINY - 20 - kept


def test_ctrl_c_becomes_interrupted_wherever_it_comes(store: Store, tiny: Path) -> None:
    def progress(done: int, _total: int, _errors: int) -> None:
        if 20 < done < 60:
            signal.raise_signal(signal.SIGINT)
            progress_calls.append(done)

    progress_calls: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    options = EmbedOptions(batch_size=20, workers=1)
    try:
        with pytest.raises(Interrupted, match=r"stopped after \d+ of 300 inputs") as caught:
            embed(
                store, list_source(tiny), "descriptor", dataset="d", options=options,
                progress=lambda *a: progress(*a) if not progress_calls else None,
            )  # fmt: skip
    except KeyboardInterrupt:
        pytest.fail("the interrupt came through")
    assert signal.getsignal(signal.SIGINT) is before
    assert len(rows_of(store)) == int(str(caught.value).split()[2])
    assert_sound(store)


def test_a_second_ctrl_c_breaks_in_and_keeps_what_is_done(store: Store, tiny: Path) -> None:
    def progress(done: int, _total: int, _errors: int) -> None:
        if done >= 40:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    broken = False
    try:
        embed(
            store, list_source(tiny), "descriptor", dataset="d",
            options=EmbedOptions(batch_size=20, workers=1), progress=progress,
        )  # fmt: skip
    except KeyboardInterrupt:
        broken = True
    assert broken
    assert len(rows_of(store)) >= 40
    assert_sound(store)


def test_two_runs_at_once_leave_a_sound_store(tmp_path: Path, tiny: Path, child: Child) -> None:
    path = tmp_path / "shared.icehouse"
    Store.create(path)
    with child(EMBED, path, tiny, "run") as one:
        wait_for(one, 1)
        with child(EMBED, path, tiny, "run") as two:
            printed = [finish(one), finish(two)]
    assert all("finished" in text for text in printed), printed
    store = Store.open(path)
    assert_sound(store)
    [encoder_id] = store.encoder_ids()
    assert len(vectors_of(store, encoder_id)) == TINY - 20
    assert freeze(store, tiny).reused == TINY
