"""A store: opened, made, refused, and asked for its images."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from icehouse.errors import (
    LookupFailed,
    NotAStore,
    StoreCorrupt,
    StoreTooNew,
    StoreUnwritable,
    UsageError,
)
from icehouse.store import (
    FORMAT_VERSION,
    CatalogRow,
    Place,
    Store,
    ids_from_bytes,
    image_id,
    positions,
)

X, Y, Z = (bytes.fromhex(start).ljust(32, b"\0") for start in ("abcd01", "abcd02", "ef"))


def row(key: str, image: bytes, source: str | None = "/photos") -> CatalogRow:
    return CatalogRow(key, image_id=image, source=source)


def manifest(folder: Path, text: str | bytes) -> Path:
    """Make a folder that has a ``store.json`` of that content."""
    folder.mkdir()
    (folder / "store.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_a_new_store_is_one_folder_that_says_its_format(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "deep" / "photos.icehouse")
    assert store.path == tmp_path / "deep" / "photos.icehouse"
    assert [path.name for path in store.path.iterdir()] == ["store.json"]
    said = json.loads((store.path / "store.json").read_text())
    assert said == {"format": "icehouse", "format_version": FORMAT_VERSION}


def test_a_new_store_is_empty(store: Store) -> None:
    assert store.catalog.datasets() == []
    assert store.encoder_ids() == []
    assert store.encoder_cards() == {}
    assert store.places() == {}
    assert not store.has_labels


def test_a_store_may_be_made_in_an_empty_folder(tmp_path: Path) -> None:
    Store.create(tmp_path)
    assert Store.open(tmp_path).path == tmp_path


def test_a_folder_that_holds_something_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"picture")
    with pytest.raises(UsageError, match=r"exists and is not a store\. Give another name"):
        Store.create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_file_is_refused_as_a_place_for_a_store(tmp_path: Path) -> None:
    (tmp_path / "photos").write_bytes(b"")
    with pytest.raises(UsageError, match=r"exists and is not a store\. Give another name"):
        Store.create(tmp_path / "photos")
    with pytest.raises(NotAStore, match=r"is not a store: it has no store\.json"):
        Store.open(tmp_path / "photos")


def test_a_store_is_not_made_a_second_time(store: Store) -> None:
    store.catalog.append("photos", [row("a", X)])
    with pytest.raises(UsageError, match="exists and is not a store"):
        Store.create(store.path)
    assert Store.open(store.path).catalog.datasets() == ["photos"]


def test_a_store_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnwritable, match=r"cannot write .*file/photos/store\.json"):
        Store.create(tmp_path / "file" / "photos")


def test_opening_nothing_says_how_to_make_a_store(tmp_path: Path) -> None:
    path = tmp_path / "absent"
    with pytest.raises(NotAStore, match=f"no store at {path}.*icehouse embed FOLDER"):
        Store.open(path)
    assert not path.exists()


def test_opening_a_folder_that_is_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"picture")
    with pytest.raises(NotAStore, match=r"is not a store: it has no store\.json"):
        Store.open(tmp_path)


def test_a_store_of_a_later_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = manifest(tmp_path / "new", json.dumps({"format_version": FORMAT_VERSION + 1}))
    said = f"has store format {FORMAT_VERSION + 1}, and this icehouse reads up to {FORMAT_VERSION}"
    with pytest.raises(StoreTooNew, match=f"{said}.*pip install --upgrade icehouse"):
        Store.open(path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "null", '"1"', "{}", b"\xff\xfe\x00", b"\0" * 64]
)
def test_a_damaged_manifest_is_reported_by_name(tmp_path: Path, text: str | bytes) -> None:
    path = manifest(tmp_path / "old", text)
    with pytest.raises(StoreCorrupt, match=r"old/store\.json is damaged: "):
        Store.open(path)


@pytest.mark.parametrize("version", ["1", None, [1]])
def test_a_version_that_is_no_number_is_damage(tmp_path: Path, version: object) -> None:
    path = manifest(tmp_path / "old", json.dumps({"format_version": version}))
    with pytest.raises(StoreCorrupt, match=r"store\.json is damaged"):
        Store.open(path)


def test_open_or_create_makes_a_store_once(tmp_path: Path) -> None:
    path = tmp_path / "photos"
    Store.open_or_create(path).catalog.append("photos", [row("a", X)])
    assert Store.open_or_create(path).catalog.datasets() == ["photos"]


def test_open_or_create_refuses_what_open_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotAStore, match=r"is not a store: it has no store\.json"):
        Store.open_or_create(tmp_path)
    with pytest.raises(StoreCorrupt, match=r"store\.json is damaged"):
        Store.open_or_create(manifest(tmp_path / "old", "{"))


def test_a_planned_store_is_written_when_it_is_made(tmp_path: Path) -> None:
    path = tmp_path / "photos"
    planned, also = Store.open_or_plan(path), Store.open_or_plan(path)
    assert (planned.catalog.datasets(), planned.encoder_cards()) == ([], {})
    assert not path.exists()
    planned.make()
    planned.catalog.append("photos", [row("a", X)])
    also.make()  # of another process, which planned it too
    assert also.catalog.datasets() == ["photos"]
    assert Store.open_or_plan(path).catalog.datasets() == ["photos"]


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    Store.create("~/photos")
    assert (tmp_path / "photos" / "store.json").is_file()
    assert Store.open("~/photos").path == tmp_path / "photos"
    assert Store.open_or_create("~/photos").path == tmp_path / "photos"


def test_a_moved_store_opens_with_all_that_it_holds(store: Store, tmp_path: Path) -> None:
    store.catalog.append("photos", [row("a", X)])
    store.features("e").append(ids_from_bytes([X]), np.ones((1, 2)), "float16")
    store.labels.ensure_task("animal", "single", ["cat"])
    moved = Store.open(store.path.rename(tmp_path / "moved"))
    assert moved.find_image("a").image_id == X
    assert len(moved.features("e").load()) == 1
    assert moved.labels.task("animal").classes == ("cat",)


def test_labels_lie_in_the_store(store: Store) -> None:
    store.labels.ensure_task("animal", "single", ["cat"])
    assert store.has_labels
    assert (store.path / "labels.sqlite").is_file()
    assert [task.name for task in Store.open(store.path).labels.tasks()] == ["animal"]


def test_looking_at_the_labels_makes_none(store: Store) -> None:
    assert store.labels.tasks() == []
    assert not store.has_labels


def test_encoders_are_those_that_have_a_card(store: Store) -> None:
    for name in ("b", "a"):
        store.features(name).describe({"name": name})
    (store.path / "features" / "half").mkdir()
    assert store.encoder_ids() == ["a", "b"]
    assert store.encoder_cards() == {"a": {"name": "a"}, "b": {"name": "b"}}


def test_an_image_is_found_by_its_key(store: Store) -> None:
    store.catalog.append("photos", [row("disc/1.png", X), row("disc/2.png", Y)])
    assert store.find_image("disc/2.png") == Place("photos", "disc/2.png", "/photos", Y)


@pytest.mark.parametrize("query", ["ef00", "EF00", Z.hex(), Z.hex().upper(), Z.hex()[:31]])
def test_an_image_is_found_by_a_unique_prefix_of_its_identity(store: Store, query: str) -> None:
    store.catalog.append("photos", [row("a", X), row("b", Z)])
    assert store.find_image(query).image_id == Z


def test_an_ambiguous_prefix_is_reported_with_the_images_it_may_mean(store: Store) -> None:
    store.catalog.append("photos", [row("a", X), row("b", Y), row("c", Z)])
    some = r"photos/a \(abcd01000000\), photos/b \(abcd02000000\)\. Give a longer image_id"
    with pytest.raises(LookupFailed, match=f"'abcd' is several images: {some}"):
        store.find_image("abcd")
    assert store.find_image("abcd02").key == "b"


def test_a_key_in_two_datasets_is_ambiguous_only_if_the_images_differ(store: Store) -> None:
    store.catalog.append("one", [row("same", X), row("other", X)])
    store.catalog.append("two", [row("same", X), row("other", Y)])
    assert store.find_image("same") == Place("one", "same", "/photos", X)
    with pytest.raises(LookupFailed, match=r"'other' is several images: one/other .*two/other"):
        store.find_image("other")


def test_a_prefix_of_an_image_that_has_copies_is_not_ambiguous(store: Store) -> None:
    store.catalog.append("photos", [row("a", X), row("copy of a", X)])
    assert store.find_image("abcd").key == "a"


def test_a_key_goes_before_a_prefix(store: Store) -> None:
    store.catalog.append("photos", [row("abcd", Z), row("b", X)])
    assert store.find_image("abcd").image_id == Z


def test_an_image_is_found_by_a_file_that_holds_it(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "anywhere.png"
    file.write_bytes(b"a picture")
    store.catalog.append("photos", [row("a", image_id(b"a picture")), row("b", X)])
    assert store.find_image(str(file)).key == "a"
    file.write_bytes(b"another")
    with pytest.raises(LookupFailed, match="no file of that name holds one of its images"):
        store.find_image(str(file))


@pytest.mark.parametrize("query", ["nothing", "", "abc", "ffff", "abcdefgh", "a.*", X.hex() + "0"])
def test_an_unknown_image_is_reported(store: Store, query: str) -> None:
    store.catalog.append("photos", [row("a.png", X)])
    with pytest.raises(LookupFailed, match="or an image_id that begins so"):
        store.find_image(query)


def test_in_an_empty_store_no_key_is_found(store: Store) -> None:
    with pytest.raises(LookupFailed, match="no image in the store has the key"):
        store.find_image("a.png")


def test_in_an_empty_store_no_prefix_is_found(store: Store) -> None:
    with pytest.raises(LookupFailed, match="no image in the store has the key"):
        store.find_image("abcd")


def test_what_is_an_error_or_gone_is_not_found(store: Store) -> None:
    store.catalog.append("photos", [CatalogRow("bad", error="empty"), row("old", X), row("c", Z)])
    store.catalog.append("photos", [CatalogRow("old", gone=True)])
    for query in ("bad", "old", "abcd"):
        with pytest.raises(LookupFailed, match="no image in the store has the key"):
            store.find_image(query)


def test_every_image_has_one_place_the_first_by_dataset_and_key(store: Store) -> None:
    store.catalog.append("two", [row("a", X)])
    store.catalog.append("one", [row("c", X), row("b", X), CatalogRow("bad", error="empty")])
    store.catalog.append("one", [row("d", Y)])
    assert store.places() == {
        X: Place("one", "b", "/photos", X),
        Y: Place("one", "d", "/photos", Y),
    }


def test_a_place_is_a_file_below_its_folder_or_beside_its_manifest(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path\n")
    folder = Place("photos", "disc/1.png", str(tmp_path), X)
    listed = Place("photos", "disc/1.png", str(tmp_path / "list.csv"), X)
    assert folder.path == listed.path == tmp_path / "disc" / "1.png"
    assert Place("photos", "disc/1.png", None, X).path is None


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("s3://bucket/photos", "disc/1.png"),
        ("s3://bucket/list.csv", "disc/1.png"),
        ("/data/photos.tar", "disc/1.png"),
        ("/data/shards/*.tar", "a/disc/1.png"),
        ("/data/photos.parquet#image", "disc/1.png"),
        ("/data", "https://there/1.png"),
    ],
)
def test_what_is_no_file_of_this_machine_has_no_path(source: str, key: str) -> None:
    assert Place("photos", key, source, X).path is None


def test_a_killed_writer_loses_at_most_the_batch_in_flight(
    store: Store, start_python: Callable[..., subprocess.Popen[str]]
) -> None:
    script = """
import itertools, sys
import numpy as np
from icehouse.store import CatalogRow, Store, ids_from_bytes, image_id
store = Store.open(sys.argv[1])
for batch in itertools.count():
    numbers = range(batch * 100, batch * 100 + 100)
    ids = [image_id(str(number).encode()) for number in numbers]
    vectors = np.array([[number % 2048, 1] for number in numbers])
    store.features("e").append(ids_from_bytes(ids), vectors, "float16")
    rows = [CatalogRow(str(n), image_id=i) for n, i in zip(numbers, ids)]
    store.catalog.append("photos", rows)
    print(batch, flush=True)
"""
    with start_python(script, store.path) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(5)]
        writer.kill()
        said += writer.stdout.readlines()
    assert writer.returncode == -signal.SIGKILL
    acknowledged = sum(line.endswith("\n") for line in said)

    survivor = Store.open(store.path)
    rows = survivor.catalog.rows("photos", ["key", "image_id"]).to_pylist()
    assert len(rows) % 100 == 0
    assert len(rows) // 100 - acknowledged in (0, 1)
    matrix = survivor.features("e").load()
    where = positions(ids_from_bytes([row["image_id"] for row in rows]), matrix.ids)
    assert (where >= 0).all()
    assert matrix.vectors[where, 0].tolist() == [int(row["key"]) % 2048 for row in rows]
    assert survivor.find_image("7").image_id == image_id(b"7")


def test_a_store_whose_making_was_killed_can_be_made_again(tmp_path: Path) -> None:
    (tmp_path / ".tmp-0123").write_bytes(b"{")
    Store.create(tmp_path)
