"""The verb map, from the command line."""

from __future__ import annotations

import csv
import shutil

import pytest
from PIL import Image
from threadpoolctl import threadpool_limits

from icehouse.embedder import one_torch_thread
from icehouse.store import MapFiles, Store, fsck

from .test_cli import lines, process, run

STORE = ("-s", "photos.icehouse")
PCA = ("--method", "pca")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Problems this small are slower on many threads."""
    import scipy.linalg  # noqa: F401  (whose threads are its own)

    with one_torch_thread(), threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def photos(pictures, tmp_path_factory):
    """Two datasets of one encoder, and one of another; two heads, and one of both encoders."""
    folder = tmp_path_factory.mktemp("cli-map")
    shutil.copytree(pictures, folder / "photos")
    (folder / "loose").mkdir()
    with Image.open(pictures / "disc" / "03.png") as image:
        image.rotate(90).save(folder / "loose" / "a.png")
    for encoder in ("descriptor", "thumbnail"):
        run(folder, "embed", "photos", *STORE, "-e", encoder)
    run(folder, "embed", "loose", *STORE, "-e", "descriptor")
    for kind, encoder in (("logistic", "descriptor"), ("knn", "thumbnail")):
        words = ("--head", kind, "--encoder", encoder, "--folds", "5")
        run(folder, "fit-head", *STORE, *words, "--task", "photos")
    words = ("--head", "ensemble", "--of", "logistic,knn", "--name", "both")
    run(folder, "fit-head", *STORE, *words, "--task", "photos")
    return folder


@pytest.fixture(scope="module")
def mapped(photos):
    """The same, and what was printed when its map was first made."""
    return photos, run(photos, "map", *STORE, "--points", "points.csv")


def encoder_of(folder, name="descriptor"):
    [found] = [i for i in Store.open(folder / "photos.icehouse").encoder_ids() if name in i]
    return found


def table(path):
    with open(path) as file:
        return list(csv.DictReader(file))


def drawn(text):
    """Return where the picture was written."""
    [line] = [line for line in text.splitlines() if line.endswith(".png")]
    return line.removeprefix("written: ")


def test_all_images_are_drawn_by_their_labels(mapped):
    folder, printed = mapped
    assert "41 images by label" in printed
    assert "no label" in printed  # the loose one
    assert "note:" not in printed
    encoder = encoder_of(folder)
    path = folder / "photos.icehouse" / "reports" / "maps" / f"{encoder}-umap-label-photos.png"
    with Image.open(path) as picture:
        assert picture.height == 1620
    rows = table(folder / "points.csv")
    assert len(rows) == 41
    assert {row["group"] for row in rows if row["dataset"] == "photos"} == {"disc", "stripes"}
    assert all(row["key"].startswith(row["group"]) for row in rows)
    assert fsck(folder / "photos.icehouse").sound


def test_what_is_printed_as_json_is_the_table(mapped):
    folder, _ = mapped
    assert lines(folder, "map", *STORE) == [
        {"group": "disc", "images": 20},
        {"group": "stripes", "images": 20},
        {"group": "no label", "images": 1},
    ]


def test_the_map_that_is_kept_is_drawn_again_in_other_colours(mapped):
    folder, _ = mapped
    files = MapFiles(Store.open(folder / "photos.icehouse").files, encoder_of(folder))
    before = files.read("umap")
    words = ("--colour", "error", "--head", "logistic", "--out", "map.png", "--points", "again.csv")
    printed = run(folder, "map", *STORE, *words)
    assert "41 images by error" in printed
    assert drawn(printed).endswith("map.png")
    places = [[(row["x"], row["y"]) for row in table(folder / name)]
              for name in ("points.csv", "again.csv")]  # fmt: skip
    assert places[0] == places[1]
    assert files.read("umap").xy.tobytes() == before.xy.tobytes()


def test_one_dataset_is_a_part_of_the_map(mapped):
    folder, _ = mapped
    found = lines(folder, "map", *STORE, "--dataset", "loose", "--points", "loose.csv")
    assert found == [{"group": "no label", "images": 1}]
    [row] = table(folder / "loose.csv")
    assert row in table(folder / "points.csv")


def test_other_options_are_said_to_replace_the_map_and_are_kept(photos, tmp_path):
    shutil.copytree(photos / "photos.icehouse", tmp_path / "photos.icehouse")
    run(tmp_path, "map", *STORE)
    words = ("--neighbours", "5", "--min-dist", "0.5", "--seed", "2", "--most", "30")
    printed = run(tmp_path, "map", *STORE, *words, "--points", "points.csv")
    assert "note: this takes the place of the map that was kept" in printed
    assert sum(row["placed"] == "yes" for row in table(tmp_path / "points.csv")) == 11
    assert "note:" not in run(tmp_path, "map", *STORE, "--anew", "--points", "again.csv")
    assert table(tmp_path / "again.csv") == table(tmp_path / "points.csv")


@pytest.mark.parametrize(
    ("colour", "words", "groups"),
    [
        ("prediction", ("--head", "logistic"), {"disc", "stripes", "not asked about"}),
        ("flag", ("--head", "logistic"), None),
        ("dataset", (), {"photos", "loose"}),
        ("split", (), {"no split"}),
    ],
)
def test_every_colouring_has_a_picture_of_its_own(photos, colour, words, groups):
    words = (*STORE, *PCA, "--encoder", "descriptor", "--colour", colour, *words)
    printed = run(photos, "map", *words)
    assert f"41 images by {colour}" in printed
    of = "-photos-logistic" if "--head" in words else ""
    assert drawn(printed).endswith(f"{encoder_of(photos)}-pca-{colour}{of}.png")
    if groups is not None:
        assert {each["group"] for each in lines(photos, "map", *words)} == groups


def test_a_head_is_drawn_on_the_map_of_its_encoder(photos):
    knn = run(photos, "map", *STORE, *PCA, "--colour", "prediction", "--head", "knn")
    assert encoder_of(photos, "thumbnail") in drawn(knn)
    assert "40 images" in knn
    words = ("--colour", "prediction", "--head", "knn", "--encoder", "descriptor")
    assert encoder_of(photos) in drawn(run(photos, "map", *STORE, *PCA, *words))


def test_of_a_head_of_several_encoders_the_map_of_the_first_is_drawn(photos):
    words = ("--colour", "prediction", "--head", "both")
    printed = run(photos, "map", *STORE, *PCA, *words)
    first, second = encoder_of(photos), encoder_of(photos, "thumbnail")
    assert f"note: both is of several encoders, and this is the map of {first}" in printed
    assert f"with --encoder that of {second}" in printed
    other = run(photos, "map", *STORE, *PCA, *words, "--encoder", "thumbnail")
    assert second in drawn(other)
    assert "note:" not in other


def test_few_images_are_drawn_by_pca_and_said_to_be(photos, tmp_path):
    run(photos, "embed", "loose", "-s", str(tmp_path / "few"), "-e", "descriptor")
    printed = run(photos, "map", "-s", str(tmp_path / "few"))
    assert "note: 1 image is too few for umap" in printed
    assert "-pca-dataset.png" in drawn(printed)
    assert "1 image by dataset" in printed


def test_an_empty_store_says_what_to_do(photos, tmp_path):
    Store.create(tmp_path / "empty")
    done = process(photos, "map", "-s", str(tmp_path / "empty"))
    assert done.returncode == 2
    assert "the store has no features yet. Make some with: icehouse embed" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--colour", "nonsense"], "--colour is label, prediction, flag, error, dataset, split"),
        (["--colour", "error"], "several heads; choose one with --head: both, knn, logistic"),
        (["--colour", "error", "--head", "forest"], "no head 'forest'"),
        (["--task", "other"], "no task 'other'"),
        (["--encoder", "clip"], "the store has no encoder 'clip'"),
        (["--dataset", "none"], "no dataset 'none'; it has: loose, photos"),
        (["--method", "tsne"], "a map is made by umap or pca"),
        (["--neighbours", "1"], "2 to 200 neighbours"),
        (["--most", "3"], "16 images or more"),
        (["--method", "pca", "--min-dist", "0.3", "--seed", "1"], "--min-dist, --seed"),
        (["--out", "photos"], "photos is a folder; give the name of a PNG, with --out, in it"),
        (["--points", "photos/"], "photos/ is a folder; give the name of a CSV, with --points"),
        (["--out", "points.csv/map.png"], "points.csv is no folder that can be written to"),
    ],
)
def test_what_cannot_be_drawn_is_said_before_anything_is_made(mapped, words, message):
    folder, _ = mapped
    before = sorted((folder / "photos.icehouse").rglob("*"))
    done = process(folder, "map", *STORE, "--anew", *words)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert sorted((folder / "photos.icehouse").rglob("*")) == before


def test_a_store_on_object_storage_keeps_its_map_there(photos, bucket, tmp_path):
    store = f"{bucket[0]}/cli-map"
    run(photos, "embed", "photos", "-s", store, "-e", "descriptor",
        "--labels", f"sqlite:///{tmp_path}/labels.sqlite")  # fmt: skip
    printed = run(photos, "map", "-s", f"{store}/")  # and nobody has said where the labels are
    assert "40 images by dataset" in printed
    assert drawn(printed).startswith(f"{store}/reports/maps/descriptor-")
    names = Store.open(store).files.walk()
    assert f"maps/{encoder_of(photos)}/umap.parquet" in names
    assert "note:" not in run(photos, "map", "-s", store)
