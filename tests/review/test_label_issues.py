"""Labels that are probably wrong, found in stores on disk."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from icehouse.embedder import embed, list_source
from icehouse.errors import TrainingDataError
from icehouse.heads import FitOptions, fit_head, load_head
from icehouse.report import contact_sheet
from icehouse.review import label_issues, write_label_issues
from icehouse.store import (
    CatalogRow,
    Store,
    forget,
    fsck,
    ids_from_bytes,
    image_id,
    plan_forget,
)

DIM = 6
PLACES = {"ash": 0, "birch": 1, "cedar": 2}


@dataclass(frozen=True)
class Tree:
    """An image whose vector is near the place of what it shows, whatever it is called."""

    key: str
    shows: str
    labels: tuple[str, ...] | None
    near: str | None = None  # the key of another, of which it is nearly a copy

    @property
    def vector(self) -> np.ndarray:
        place = np.zeros(DIM)
        place[PLACES[self.shows]] = 6
        seed = list((self.near or self.key).encode())
        wobble = 0.02 if self.near else 0.0
        own = np.random.default_rng(list(self.key.encode())).normal(size=DIM)
        return place + np.random.default_rng(seed).normal(size=DIM) + wobble * own


def trees(number: int = 12, **labels: tuple[str, ...] | None) -> list[Tree]:
    """So many of each kind, with their own names but for those given, as ``ash3=("birch",)``."""
    return [
        Tree(f"{kind}{n}", kind, labels.get(f"{kind}{n}", (kind,)))
        for kind in PLACES
        for n in range(number)
    ]


@pytest.fixture
def plant(store):
    """A function that puts trees into the store, as embedding them would; and fits a head."""

    def plant(some, *, kind="single", head="logistic", encoder="plain-0", **options):
        some = list(some)
        ids = ids_from_bytes(image_id(each.key.encode()) for each in some)
        rows = [
            CatalogRow(t.key, i.tobytes(), labels=t.labels) for t, i in zip(some, ids, strict=True)
        ]
        store.catalog.append("trees", rows)
        features = store.features(encoder)
        features.describe({"spec": {"dim": DIM}, "request": {"name": encoder}})
        features.append(ids, np.stack([t.vector for t in some]).astype(np.float32), "float32")
        store.labels.ensure_task("trees", kind, {n for t in some for n in t.labels or ()})
        said = [
            (i.tobytes(), t.labels) for t, i in zip(some, ids, strict=True) if t.labels is not None
        ]
        store.labels.record("trees", said, annotator="trees", origin="source")
        fit_head(store, head, options=FitOptions(task="trees", **options))
        return load_head(store, "trees", head)

    return plant


@pytest.mark.parametrize("head", ["logistic", "knn", "forest"])
def test_a_wrong_label_comes_first_with_its_evidence(mislabelled, head):
    report = label_issues(mislabelled, load_head(mislabelled, "shapes", head))
    first = report.issues[0]
    assert (report.task, report.head, report.images, report.notes) == ("shapes", head, 40, ())
    assert first.key == "disc/wrong.png"
    assert (first.label, first.labels, first.suggested) == ("disc", ("disc",), ("stripes",))
    assert first.score > 0.9
    assert first.head.startswith("stripes ")
    assert "disc 0." in first.head
    assert first.around.endswith("disc") or first.around.endswith("stripes")
    assert all(n.labels == ("stripes",) for n in first.neighbours)
    assert first.score == pytest.approx(1 - first.probabilities["disc"])


def test_nothing_is_changed(mislabelled):
    stored = load_head(mislabelled, "shapes", "logistic")
    label_issues(mislabelled, stored)
    before = {p: p.read_bytes() for p in mislabelled.path.rglob("*") if p.is_file()}
    label_issues(mislabelled, stored)
    assert before == {p: p.read_bytes() for p in mislabelled.path.rglob("*") if p.is_file()}


def test_many_wrong_labels_come_before_all_right_ones(store, plant):
    wrong = {f"ash{n}": ("birch",) for n in range(0, 30, 6)}
    wrong |= {f"cedar{n}": ("ash",) for n in range(0, 30, 6)}
    report = label_issues(store, plant(trees(30, **wrong)), min_score=0)
    assert {each.key for each in report.issues[:10]} == set(wrong)
    assert {each.suggested[0] for each in report.issues[:10]} == {"ash", "cedar"}
    assert len(report.issues) == report.images == 90
    scores = [each.score for each in report.issues]
    assert scores == sorted(scores, reverse=True)
    probable = label_issues(store, load_head(store, "trees", "logistic"))
    assert probable.issues == [each for each in report.issues if each.score >= 0.5]


def test_what_is_wrong_beyond_doubt_is_not_heard(store, plant):
    """A third of the ashes are called birches, and would speak for each other."""
    wrong = {f"ash{n}": ("birch",) for n in range(9)}
    report = label_issues(store, plant(trees(27, **wrong)))
    assert {each.key for each in report.issues[:9]} == set(wrong)
    for each in report.issues[:9]:
        votes, _, heard, kind = each.around.split()[:4]
        assert kind == "ash,"
        assert int(votes) <= int(heard) <= 30 - 6


def test_of_two_copies_the_one_that_contradicts_the_rest_is_named(store, plant):
    copy = Tree("copy", "ash", ("birch",), near="ash3")
    report = label_issues(store, plant([*trees(), copy]))
    assert [each.key for each in report.issues] == ["copy"]
    (other,) = report.issues[0].copies
    assert (other.key, other.labels) == ("ash3", ("ash",))
    assert 0.98 < other.similarity < 1
    assert report.issues[0].said_of_copies == f"ash3 is ash ({other.similarity:.2f})"
    assert "copy: ash3 is ash" in report.issues[0].summary


def test_unlabelled_images_are_not_judged(store, plant):
    some = trees(ash0=None, birch1=None)
    report = label_issues(store, plant(some), min_score=0)
    assert report.images == len(some) - 2
    assert not {"ash0", "birch1"} & {n.key for i in report.issues for n in i.neighbours}


def test_the_only_image_of_a_class_cannot_be_judged(store, plant):
    report = label_issues(store, plant(trees(ash0=("dogwood",))), min_score=0)
    assert "ash0" not in {each.key for each in report.issues}
    assert report.notes == ("labels of one image only, which cannot be judged: dogwood",)


def test_a_head_that_knows_little_says_so(store, plant):
    """Labels by chance: what contradicts them is the head's fault."""
    kinds = list(PLACES)
    some = [replace(t, labels=(kinds[n * 7 % 11 % 3],)) for n, t in enumerate(trees(20))]
    report = label_issues(store, plant(some))
    assert len(report.issues) > 20
    [note] = report.notes
    assert re.match(r"out-of-fold the head finds only [1-5]\d% of the images of a class", note)
    assert "its own mistakes" in note
    assert label_issues(store, load_head(store, "trees", "logistic"), min_score=1).notes == ()


def test_a_frequent_class_does_not_hide_that_the_others_are_not_found(store, plant):
    some = [
        replace(t, shows="ash", labels=("ash" if n % 12 else "birch",))
        for n, t in enumerate(trees(40))
    ]
    report = label_issues(store, plant(some))
    assert "finds only" in report.notes[0]


def test_a_class_of_two_is_not_lost_from_the_folds(store, plant):
    some = [t for t in trees() if t.shows != "cedar" or t.key in ("cedar0", "cedar1")]
    report = label_issues(store, plant(some), min_score=0)
    assert {"cedar0", "cedar1"} <= {each.key for each in report.issues}
    assert report.images == 26


def test_a_class_that_came_to_be_since_is_an_error(store, plant):
    stored = plant(trees())
    store.labels.ensure_task("trees", "single", {"elm"})
    store.labels.record("trees", [(image_id(b"ash0"), ("elm",))], annotator="ann", origin="review")
    with pytest.raises(TrainingDataError, match="does not know: elm"):
        label_issues(store, stored)


@pytest.mark.parametrize("folds", [2, 5])
def test_two_images_are_too_few(store, plant, folds):
    some = [t for t in trees(1) if t.shows != "cedar"]
    stored = plant(some)
    with pytest.raises(TrainingDataError, match=r"folds of 2 labelled images|leave 1 of 2"):
        label_issues(store, stored, folds=folds)


def test_features_that_are_all_the_same_are_an_error(store, plant):
    same = [Tree(f"{n}", "ash", (("ash", "birch")[n % 2],), near="x") for n in range(10)]
    plant(same)
    features = store.features("constant-0")
    features.describe({"spec": {"dim": 2}, "request": {"name": "constant-0"}})
    features.append(
        ids_from_bytes(image_id(t.key.encode()) for t in same), np.ones((10, 2)), "float32"
    )
    fit_head(store, "logistic", options=FitOptions(encoder="constant-0", name="blind"))
    with pytest.raises(TrainingDataError, match="all 10 labelled images have the same features"):
        label_issues(store, load_head(store, "trees", "blind"))


def test_a_head_of_an_encoder_without_features_is_an_error(store, plant):
    stored = plant(trees())
    shutil.rmtree(store.path / "features" / "plain-0")
    store.features("other-0").describe({"spec": {"dim": DIM}, "request": {"name": "other-0"}})
    with pytest.raises(TrainingDataError, match="features of encoder plain-0"):
        label_issues(store, stored)


def test_each_label_of_many_is_judged_for_itself(store, plant):
    some = [replace(t, labels=("tree", *t.labels)) for t in trees(20)]
    some[3] = replace(some[3], labels=("tree",))  # an ash that is not called so
    some[30] = replace(some[30], labels=("tree", "birch", "cedar"))  # and a birch
    report = label_issues(store, plant(some, kind="multi"))
    first = {(i.key, i.label): i for i in report.issues[:2]}
    assert set(first) == {("ash3", "ash"), ("birch10", "cedar")}
    lacking, added = first["ash3", "ash"], first["birch10", "cedar"]
    assert (set(lacking.labels), set(lacking.suggested)) == ({"tree"}, {"tree", "ash"})
    assert set(added.suggested) == {"tree", "birch"}
    assert lacking.head.startswith("ash 0.")
    assert lacking.around.endswith(" ash")
    assert lacking.score == pytest.approx(lacking.probabilities["ash"])
    assert added.score == pytest.approx(1 - added.probabilities["cedar"])


@pytest.fixture
def twice(pictures, tmp_path):
    """A store in which the file disc/02.png is also stripes/also.png; and a head."""
    images = tmp_path / "shapes"
    shutil.copytree(pictures, images)
    shutil.copy(images / "disc" / "02.png", images / "stripes" / "also.png")
    store = Store.create(tmp_path / "twice")
    embed(store, list_source(images), "descriptor")
    fit_head(store, "logistic", options=FitOptions(folds=5))
    return store


def test_one_file_under_two_labels_is_wrong_for_certain(twice):
    first = label_issues(twice, load_head(twice, "shapes", "logistic")).issues[0]
    assert (first.key, first.score, first.labels) == ("disc/02.png", 1.0, ("disc",))
    assert first.suggested == ("disc",)  # so it is the other row that is to be mended
    assert [(c.key, c.labels, c.image_id) for c in first.copies] == [
        ("stripes/also.png", ("stripes",), first.image_id)
    ]


def test_a_person_settles_which_of_two_labels_it_is(twice):
    stored = load_head(twice, "shapes", "logistic")
    image = twice.find_image("disc/02.png").image_id
    twice.labels.record("shapes", [(image, ("disc",))], annotator="ann", origin="review")
    keys = [each.key for each in label_issues(twice, stored).issues]
    assert not {"disc/02.png", "stripes/also.png"} & set(keys)
    twice.labels.undo(twice.labels.events("shapes")[-1].seq, annotator="ann")
    assert label_issues(twice, stored).issues[0].key == "disc/02.png"


def test_issues_are_written_for_programs_and_people_alike(twice, tmp_path):
    report = label_issues(twice, load_head(twice, "shapes", "logistic"), min_score=0.1)
    paths = [Path(text) for text in write_label_issues(report, tmp_path / "out")]
    assert [path.name for path in paths] == ["label-issues.csv", "label-issues.jsonl"]
    lines = [json.loads(line) for line in paths[1].read_text().splitlines()]
    assert lines == [json.loads(json.dumps(asdict(each))) for each in report.issues]
    rows = list(csv.DictReader(paths[0].read_text().splitlines()))
    assert [row["key"] for row in rows] == [line["key"] for line in lines]
    assert rows[0]["copies"] == "stripes/also.png is stripes (1.00)"
    assert rows[0]["head"] == report.issues[0].head


def test_an_earlier_sheet_does_not_outlive_its_list(twice):
    stored = load_head(twice, "shapes", "logistic")
    report = label_issues(twice, stored)
    folder = twice.path / stored.card.folder
    write_label_issues(report, folder)
    contact_sheet(report.issues, folder / "label-issues.png", "issues")
    assert fsck(twice.path).sound
    assert not [f for f in fsck(twice.path).findings if f.kind == "foreign-file"]
    write_label_issues(report, folder)
    assert not (folder / "label-issues.png").exists()


def test_a_forgotten_image_is_in_no_list(twice):
    stored = load_head(twice, "shapes", "logistic")
    folder = twice.path / stored.card.folder
    report = label_issues(twice, stored)
    write_label_issues(report, folder)
    contact_sheet(report.issues, folder / "label-issues.png", "issues")
    forget(twice, plan_forget(twice, ["disc/02.png"]))
    assert not list(folder.glob("label-issues.*"))
