"""Which files show one picture, what is said of it there, and in which order that is told."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from icehouse.embedder import THUMBNAIL, choose_encoder, embed, list_source
from icehouse.errors import LookupFailed, UsageError
from icehouse.review import DuplicateOptions, find_duplicates, write_duplicates
from icehouse.store import Store, forget, fsck, plan_forget


@pytest.fixture
def add(store, plant, tmp_path):
    """A function that embeds planted files as a dataset."""

    def add(files, dataset="photos", task="photos", encoder="descriptor"):
        folder = tmp_path / dataset
        plant(folder, files)
        embed(store, list_source(folder), encoder, dataset=dataset, task=task)
        return folder

    return add


def keys(report):
    return [sorted(copy.key for copy in cluster.copies) for cluster in report.clusters]


@pytest.mark.parametrize("kind", ["same", "recompressed", "resized", "cropped", "mirrored", "png"])
def test_each_kind_of_copy_is_found_among_others(store, add, kind):
    others = {f"a/{n}.jpg": n for n in range(20)}
    add({**others, "a/copy.jpg": (7, kind)})
    [cluster] = find_duplicates(store).clusters
    assert sorted(copy.key for copy in cluster.copies) == ["a/7.jpg", "a/copy.jpg"]
    assert cluster.kind == ("exact" if kind == "same" else "near")
    assert cluster.mirrored == (kind == "mirrored")
    if kind == "same":
        assert (cluster.distance, cluster.correlation) == (None, None)
        assert cluster.evidence == "same bytes"
    else:
        assert cluster.distance <= 16
        assert cluster.correlation >= 0.9
    assert not cluster.conflict


def test_one_file_under_two_labels_comes_first_then_other_conflicts_then_leaks(store, add):
    add(
        {
            "train/cat/1.jpg": 1,
            "test/cat/1.jpg": (1, "recompressed"),
            "test/cat/1m.jpg": (1, "mirrored"),
            "train/cat/2.jpg": 2,
            "train/dog/2.jpg": (2, "resized"),
            "train/dog/3.jpg": 3,
            "train/cat/3.jpg": 3,
            "train/cat/4.jpg": 4,
            "train/cat/4m.jpg": (4, "mirrored"),
            "train/cat/5.jpg": 5,
            "train/cat/5m.jpg": (5, "mirrored"),
            "train/cat/5c.jpg": (5, "cropped"),
            "test/dog/6.jpg": 6,
        }
    )
    report = find_duplicates(store)
    assert keys(report) == [
        ["train/cat/3.jpg", "train/dog/3.jpg"],
        ["train/cat/2.jpg", "train/dog/2.jpg"],
        ["test/cat/1.jpg", "test/cat/1m.jpg", "train/cat/1.jpg"],
        ["train/cat/5.jpg", "train/cat/5c.jpg", "train/cat/5m.jpg"],
        ["train/cat/4.jpg", "train/cat/4m.jpg"],
    ]
    assert [each.flags for each in report.clusters] == [
        ("one file, two labels",),
        ("labels differ",),
        ("across splits",),
        (),
        (),
    ]
    assert (report.task, report.images) == ("photos", 12)
    assert [copy.said for copy in report.clusters[0].copies] == [("cat",), ("dog",)]
    assert {copy.labels for copy in report.clusters[0].copies} == {("cat",)}
    assert report.counts == {
        "clusters": 5,
        "files in them": 12,
        "of the same bytes": 1,
        "one file, two labels": 1,
        "labels differ": 1,
        "across splits": 1,
        "across datasets": 0,
    }


def test_what_a_person_has_said_since_settles_one_file_and_not_two(store, add):
    add({"cat/1.jpg": 1, "dog/1.jpg": 1, "cat/2.jpg": 2, "dog/2m.jpg": (2, "mirrored")})
    assert [each.conflict for each in find_duplicates(store).clusters] == [True, True]
    for key in ("cat/1.jpg", "dog/2m.jpg"):
        said = [(store.find_image(key).image_id, ("dog",))]
        store.labels.record("photos", said, annotator="ann", origin="cli")
    one, two = find_duplicates(store).clusters
    assert (one.conflict, two.conflict) == (True, False)
    assert {copy.labels for copy in one.copies} == {("cat",), ("dog",)}
    said = [(store.find_image("cat/2.jpg").image_id, ("dog",))]
    store.labels.record("photos", said, annotator="ann", origin="cli")
    assert not any(each.conflict for each in find_duplicates(store).clusters)


def test_three_datasets_with_tasks_of_their_own(store, add):
    add({"cat/1.jpg": 1, "dog/2.jpg": 2, "cat/3.jpg": 3}, "one", "one")
    add({"cat/1m.jpg": (1, "mirrored"), "cat/2.jpg": 2, "dog/9.jpg": 9}, "two", "two")
    add({"indoor/1.jpg": (1, "cropped"), "outdoor/3.jpg": 3}, "three", "rooms")
    report = find_duplicates(store)
    assert report.task is None
    assert [len(each.copies) for each in report.clusters] == [2, 3, 2]
    assert [each.flags for each in report.clusters] == [
        ("one file, two labels", "across datasets"),  # tasks one and two share their classes
        ("across datasets",),  # "cat" and "indoor" answer different questions
        ("across datasets",),
    ]
    alone = find_duplicates(store, DuplicateOptions(dataset="three"))
    assert (alone.clusters, alone.images) == ([], 2)
    rooms = find_duplicates(store, DuplicateOptions(task="rooms"))
    assert not any(each.conflict for each in rooms.clusters)


def test_the_split_that_a_head_would_make_leaks_too(store, add):
    files = {f"{'cat' if n % 2 else 'dog'}/{n}.jpg": n for n in range(40)}
    copies = {f"{'cat' if n % 2 else 'dog'}/{n}m.jpg": (n, "mirrored") for n in range(40)}
    add({**files, **copies})
    report = find_duplicates(store)
    assert len(report.clusters) == 40
    leaks = [each for each in report.clusters if each.leak]
    assert 0 < len(leaks) < 40
    assert all({copy.split for copy in each.copies} != {"train"} for each in leaks)
    assert report.clusters[: len(leaks)] == leaks


def test_images_of_several_labels_have_all_that_their_files_say(store, tmp_path, plant):
    plant(tmp_path, {"1.jpg": 1, "1b.jpg": 1, "2.jpg": 2, "2m.jpg": (2, "mirrored")})
    (tmp_path / "list.csv").write_text(
        "path,labels\n1.jpg,cat;dog\n1b.jpg,dog\n2.jpg,cat\n2m.jpg,cat;dog\n"
    )
    embed(store, list_source(tmp_path / "list.csv"), "descriptor", task="animals")
    [one, two] = find_duplicates(store).clusters
    assert (one.kind, one.conflict, one.same_file) == ("near", True, False)
    assert (two.kind, two.conflict) == ("exact", False)


def test_thumbnails_are_made_once_and_nothing_else_changes(store, add):
    folder = add({"cat/1.jpg": 1, "dog/2.jpg": 2})
    before, events = store.catalog.rows("photos"), store.labels.events("photos")
    shards = store.catalog.shards("photos")
    done = []
    find_duplicates(store, progress=lambda *said: done.append(said))
    assert done[-1] == (2, 2, 0)
    assert store.catalog.rows("photos").equals(before)
    assert store.catalog.shards("photos") == shards
    assert store.labels.events("photos") == events
    shutil.rmtree(folder)  # nothing is read again
    done.clear()
    find_duplicates(store, progress=lambda *said: done.append(said))
    assert done == []
    assert fsck(store.path).sound


def test_what_is_new_is_looked_at_too(store, add):
    add({"cat/1.jpg": 1, "dog/2.jpg": 2})
    assert find_duplicates(store).clusters == []
    add({"dog/3.jpg": (1, "cropped")})
    assert keys(find_duplicates(store)) == [["cat/1.jpg", "dog/3.jpg"]]


def test_of_a_source_that_is_gone_files_of_the_same_bytes_are_known(store, add):
    folder = add({"cat/1.jpg": 1, "cat/2.jpg": 1, "dog/3.jpg": 3, "dog/3m.jpg": (3, "mirrored")})
    shutil.rmtree(folder)
    report = find_duplicates(store)
    assert keys(report) == [["cat/1.jpg", "cat/2.jpg"]]
    [note] = report.notes
    assert note.startswith("3 images cannot be read any more, so only files of the same bytes")


def test_an_image_that_was_forgotten_is_nobodys_duplicate(store, add):
    add({"cat/1.jpg": 1, "dog/1m.jpg": (1, "mirrored"), "dog/2.jpg": 2})
    report = find_duplicates(store)
    written = write_duplicates(report, f"{store.path}/reports/photos")
    sheet = store.path / "reports" / "photos" / "duplicates.png"
    sheet.write_bytes(b"pictures")
    plan = plan_forget(store, ["dog/2.jpg"])
    assert plan.removed == ()
    plan = plan_forget(store, ["dog/1m.jpg"])
    assert {store.files.where(name) for name in plan.removed} == {*written, str(sheet)}
    forget(store, plan)
    assert not sheet.exists()
    assert find_duplicates(store).clusters == []


@pytest.mark.parametrize("n", [0, 1])
def test_a_store_of_one_image_or_none_has_no_duplicates(store, add, n):
    if n:
        add({"cat/1.jpg": 1})
    report = find_duplicates(store)
    assert (report.clusters, report.images, report.notes) == ([], n, ())


def test_cosines_count_where_they_are_asked_for(store, add):
    files = {f"a/{n}.jpg": n for n in range(12)}
    add({**files, "a/copy.jpg": (3, "recompressed")})
    strict = DuplicateOptions(max_distance=0, min_correlation=1.0)
    assert find_duplicates(store, strict).clusters == []
    asked = DuplicateOptions(max_distance=0, min_correlation=1.0, cosine=0.9)
    [cluster] = find_duplicates(store, asked).clusters
    assert sorted(copy.key for copy in cluster.copies) == ["a/3.jpg", "a/copy.jpg"]
    assert cluster.cosine >= 0.9
    assert cluster.evidence.endswith(f"cosine {cluster.cosine:.3f}")
    add({"b/new.jpg": 40}, "other", encoder="thumbnail")
    report = find_duplicates(store, asked)
    assert len(report.clusters) == 1
    assert report.notes[0].startswith("1 images have no vector of descriptor-")


def test_the_files_say_what_the_report_says(store, add, tmp_path):
    add({"train/cat/1.jpg": 1, "test/dog/1m.jpg": (1, "mirrored"), "train/dog/2.jpg": 2})
    report = find_duplicates(store)
    lines, table = write_duplicates(report, tmp_path / "out")
    [said] = [json.loads(line) for line in Path(lines).read_text("utf-8").splitlines()]
    assert (said["conflict"], said["leak"], said["kind"]) == (True, True, "near")
    assert {copy["key"] for copy in said["copies"]} == {"train/cat/1.jpg", "test/dog/1m.jpg"}
    rows = list(csv.DictReader(Path(table).read_text("utf-8").splitlines()))
    assert [(row["cluster"], row["flags"]) for row in rows] == [
        ("1", "labels differ;across splits")
    ] * 2
    assert {(row["source_labels"], row["split"]) for row in rows} == {
        ("cat", "train"),
        ("dog", "test"),
    }


def test_thumbnails_are_not_what_is_meant_where_no_encoder_is_named(store, add):
    add({"cat/1.jpg": 1, "dog/2.jpg": 2})
    usual = choose_encoder(store)
    find_duplicates(store)
    assert len(store.encoder_ids()) == 2
    assert choose_encoder(store) == usual
    assert choose_encoder(store, THUMBNAIL).startswith("thumbnail-")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_distance": 64}, "0 to 63 bits, got 64"),
        ({"min_correlation": 1.5}, "a correlation is -1 to 1, got 1.5"),
        ({"cosine": -2.0}, "a cosine is -1 to 1"),
        ({"encoder": "tiny"}, "--cosine"),
    ],
)
def test_what_cannot_be_asked_is_said(options, words):
    with pytest.raises(UsageError, match=words):
        DuplicateOptions(**options)


def test_what_is_not_there_is_said(store, add):
    add({"cat/1.jpg": 1})
    for options in (DuplicateOptions(task="none"), DuplicateOptions(dataset="none")):
        with pytest.raises(LookupFailed, match="none"):
            find_duplicates(store, options)
    with pytest.raises(LookupFailed, match="no encoder 'tiny'"):
        find_duplicates(store, DuplicateOptions(encoder="tiny", cosine=0.99))
    with pytest.raises(LookupFailed, match="no features yet"):
        find_duplicates(Store.create(store.path.parent / "new"), DuplicateOptions(cosine=0.99))
