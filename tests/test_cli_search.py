"""The verbs search and index, from the command line."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image, ImageOps

from .test_cli import lines, process, run

STORE = ("-s", "photos.icehouse")


@pytest.fixture(scope="module")
def photos(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli-search")
    shutil.copytree(pictures, folder / "photos")
    run(folder, "embed", "photos", *STORE, "-e", "descriptor")
    return folder


def test_search_says_what_is_near_and_draws_it(photos):
    shown = run(photos, "search", "disc/01.png", *STORE, "-k", "3", "--out", "found")
    assert "most similar of 39 images" in shown
    assert shown.count("disc/") == 3
    hits = lines(photos, "search", "disc/01.png", *STORE, "-k", "3")
    with open(photos / "found" / "search.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["image_id"] for row in rows] == [hit["image_id"] for hit in hits]
    assert [row["labels"] for row in rows] == ["disc"] * 3
    with Image.open(photos / "found" / "search.png") as sheet:
        assert sheet.width > 500
        assert len(sheet.getcolors(10**6)) > 1000  # pictures, not only words


def test_the_sheet_shows_what_was_asked_for_above_what_was_found(photos):
    asked = ("photos/disc/02.png", "--unlike", "stripes/01.png")
    run(photos, "search", *asked, *STORE, "-k", "7", "--out", "both")
    with Image.open(photos / "both" / "search.png") as sheet:
        assert sheet.height == 60 + 3 * 242  # one row above, and two of six
        for left, name in ((16, "disc/02.png"), (16 + 192, "stripes/01.png")):
            cell = np.asarray(sheet.crop((left, 54, left + 180, 54 + 180)).convert("RGB"), float)
            with Image.open(photos / "photos" / name) as image:
                padded = ImageOps.pad(image.convert("RGB"), (180, 180), color="#eef1f4")
            drawn = np.asarray(padded, float)
            assert np.abs(cell - drawn).mean() < 10  # of a palette


def test_of_several_tasks_one_has_to_be_named_for_its_labels(photos, tmp_path):
    shutil.copytree(photos / "photos.icehouse", tmp_path / "photos.icehouse")
    run(tmp_path, "labels", "task", "shape", "--classes", "round,square", *STORE)
    said = run(tmp_path, "search", "disc/01.png", *STORE, "-k", "2")
    assert "no labels are shown, as there are several tasks: --task photos or shape" in said
    assert lines(tmp_path, "search", "disc/01.png", *STORE)[0]["labels"] is None
    assert "several tasks" not in run(tmp_path, "search", "disc/01.png", *STORE, "--task", "photos")


def test_search_takes_several_images_filters_and_vectors(photos):
    options = ("--unlike", "stripes/01.png", "--label", "disc", "--dataset", "photos")
    hits = lines(
        photos, "search", "disc/01.png", "photos/disc/02.png", *options, *STORE, "-k", "50"
    )
    assert len(hits) == 18
    assert {hit["labels"][0] for hit in hits} == {"disc"}
    np.save(photos / "one.npy", np.ones(556))
    by_vector = lines(photos, "search", "--vector", "one.npy", *STORE)
    assert by_vector == lines(photos, "search", "--vector", "one.npy", *STORE, "--exact")
    assert len(by_vector) == 5


def test_an_index_is_built_listed_extended_and_dropped(photos):
    said = " ".join(run(photos, "index", "build", *STORE).split())
    assert "no index; exact search is the fastest" in said
    options = ("--target-recall", "0.5", "--kind", "ivf-sq", "--max-memory", "1GB")
    assert "chosen" in run(photos, "index", "build", *STORE, *options)
    [card] = lines(photos, "index", "build", *STORE, *options, "--max-latency", "10s")
    assert (card["kind"], card["rows"]) == ("ivf-sq", 40)
    [state] = lines(photos, "index", "list", *STORE)
    assert state["lacks"] == 0
    assert "ivf-sq" in run(photos, "index", "list", *STORE)
    assert "0 vectors added; the index has 40" in run(photos, "index", "extend", *STORE)
    assert run(photos, "index", "drop", *STORE).count("removed:") == 3
    assert "there was none" in run(photos, "index", "drop", *STORE)


def test_vectors_are_pushed_to_milvus_searched_there_listed_and_dropped(photos):
    index = ("--index", "milvus:vectors.db")
    [first] = lines(photos, "index", "push", *STORE, *index)
    assert (first["rows"], first["added"], first["where"]) == (40, 40, "vectors.db")
    assert "nothing to do" in run(photos, "index", "push", *STORE, *index)
    exact = lines(photos, "search", "disc/01.png", *STORE, "-k", "2", "--exact")
    assert lines(photos, "search", "disc/01.png", *STORE, "-k", "2", *index) == exact
    assert "note:" not in run(photos, "search", "disc/01.png", *STORE, "-k", "2", *index)
    [state] = lines(photos, "index", "list", *STORE, *index)
    assert (state["vectors"], state["lacks"], state["gone"]) == (40, 0, 0)
    assert "icehouse_descriptor" in run(photos, "index", "list", *STORE, *index)
    assert "removed: icehouse_descriptor" in run(photos, "index", "drop", *STORE, *index)
    said = run(photos, "search", "disc/01.png", *STORE, *index)
    assert "note: the index is not used" in " ".join(said.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search"], "say what is looked for"),
        (["search", "--text", "a disc"], "no encoder of the store takes words"),
        (["search", "--vector", "none.npy"], "holds no vectors"),
        (["search", "disc/01.png", "--split", "val"], "passes (filters: splits: val)"),
        (["search", "disc/01.png", "--label", "ring"], "not among the classes"),
        (["index", "extend"], "Make one with: icehouse index build"),
        (["index", "build", "--max-memory", "lots"], "write it like 4GB"),
        (["index", "build", "--kind", "lsh"], "there is no index 'lsh'"),
        (["index", "push", "--index", "photos.db"], "--index takes milvus:photos.db"),
        (["search", "disc/01.png", "--exact", "--index", "milvus:x.db"], "one or the other"),
    ],
)
def test_what_cannot_be_searched_is_said(photos, words, message):
    done = process(photos, *words, *STORE)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
