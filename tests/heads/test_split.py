"""Splits and folds that know of copies of a picture."""

from __future__ import annotations

import numpy as np
import pytest

from icehouse.errors import TrainingDataError, UsageError
from icehouse.heads import (
    CompareOptions,
    FitOptions,
    Fractions,
    compare,
    find_run,
    fit_head,
    folds_of,
    list_runs,
    load_head,
    load_labelled,
    training_set,
)
from icehouse.heads._split import make_folds, make_split
from icehouse.store import CatalogRow, ids_from_bytes, image_id

THUMBNAIL_DIM = 256


def identities(*names: str) -> np.ndarray:
    return ids_from_bytes(image_id(name.encode()) for name in names)


def together(ids: np.ndarray, sides: np.ndarray) -> bool:
    return all(len(set(sides[ids == one].tolist())) == 1 for one in np.unique(ids))


def test_rows_of_one_identity_are_on_one_side_and_shares_are_kept():
    units = identities(*(f"{n // 3}" for n in range(300)))
    strata = np.repeat(["a", "b"], 150)
    split = make_split(units, strata, Fractions(0.6, 0.2, 0.2), 0)
    assert together(units, split)
    for name in ("a", "b"):
        sides, count = np.unique(split[strata == name], return_counts=True)
        assert dict(zip(sides.tolist(), count.tolist(), strict=True)) == {
            "test": 30,
            "train": 90,
            "val": 30,
        }


def test_what_is_larger_than_a_side_is_trained_on():
    units = identities(*["many"] * 30, *map(str, range(70)))
    split = make_split(units, np.zeros(100, int), Fractions(), 0)
    assert (split[:30] == "train").all()
    assert [(split == side).sum() for side in ("val", "test")] == [10, 10]


def test_a_picture_of_two_classes_counts_as_of_its_first():
    units = identities(*(f"{n // 2}" for n in range(80)))
    strata = np.tile(["a", "b"], 40)
    split = make_split(units, strata, Fractions(0.5, 0.25, 0.25), 3)
    assert together(units, split)
    assert (split == "test").sum() == 20


def test_rows_of_one_identity_are_in_one_fold():
    units = identities(*(f"{n // 2}" for n in range(100)))
    fold = make_folds(units, np.repeat(["a", "b"], 50), 5, 0)
    assert together(units, fold)
    assert np.bincount(fold).tolist() == [20] * 5


@pytest.fixture
def with_copies(fill, shapes):
    """A store of 40 pictures in two files each, with thumbnails, and one that has none."""
    photos = shapes(disc=40, ramp=41)
    store = fill(photos)
    request = {"name": "thumbnail", "precision": None, "stored_as": "float16", "stamps": []}
    spec = {"dim": THUMBNAIL_DIM, "precision": "float32", "stored_as": "float16"}
    thumbnails = store.features("thumbnail-0")
    thumbnails.describe({"spec": spec, "request": {**request, "pictures": {}}})
    random = np.random.default_rng(2)
    coarse = random.integers(0, 256, (40, 4, 4)).repeat(4, axis=1).repeat(4, axis=2)
    vectors = coarse.reshape(40, THUMBNAIL_DIM).repeat(2, axis=0)
    ids = ids_from_bytes(photo.image_id for photo in photos[:80])
    thumbnails.append(ids, vectors.astype(np.float16), "float16")
    return store


def pairs_of(store, data):
    """Rows of the files of each picture."""
    at = {i.tobytes(): n for n, i in enumerate(data.ids)}
    keys = [f"disc/{n}" for n in range(40)] + [f"ramp/{n}" for n in range(40)]
    rows = [at[image_id(key.encode())] for key in keys]
    return list(zip(rows[::2], rows[1::2], strict=True))


def test_a_head_keeps_copies_together_and_remembers_that(with_copies):
    store = with_copies
    plain = fit_head(store, "logistic", options=FitOptions(encoder="plain-0", folds=4))
    grouped = FitOptions(encoder="plain-0", folds=4, group_duplicates=True, name="apart")
    card = fit_head(store, "logistic", options=grouped)
    data = training_set(store, card)
    pairs = pairs_of(store, data)
    assert all(data.split[one] == data.split[other] for one, other in pairs)
    before = training_set(store, plain)
    assert any(before.split[one] != before.split[other] for one, other in pairs)
    folds = make_folds(data.units, data.y, 4, 0)
    assert all(folds[one] == folds[other] for one, other in pairs)
    assert card.training["group_duplicates"] is True
    assert card.training["digest"] == data.digest != plain.training["digest"]
    assert card.notes[:2] == (
        "duplicates are kept together in splits and folds: 80 images of 40 pictures",
        "1 labelled images have no thumbnail, so nobody knows their duplicates: icehouse "
        "duplicates makes what is missing",
    )
    stored = load_head(store, card.task, "apart")
    assert folds_of(store, stored).folds == 4


def test_a_run_says_it_and_the_same_again_is_the_same(with_copies):
    asked = FitOptions(encoder="plain-0", group_duplicates=True)
    one, two = (fit_head(with_copies, "logistic", options=asked) for _ in range(2))
    assert (one.weights_sha256, one.metrics) == (two.weights_sha256, two.metrics)
    fit_head(with_copies, "logistic", options=FitOptions(encoder="plain-0"))
    first, second, other = (find_run(with_copies, run.id) for run in list_runs(with_copies).runs)
    assert first.options["group_duplicates"] is True
    assert first.recipe == second.recipe != other.recipe


def test_an_ensemble_is_split_as_its_members_are(with_copies):
    for kind in ("logistic", "knn"):
        asked = FitOptions(encoder="plain-0", group_duplicates=True)
        fit_head(with_copies, kind, options=asked)
    card = fit_head(with_copies, "ensemble", options=FitOptions(of=("logistic", "knn")))
    assert card.training["group_duplicates"] is True
    asked = FitOptions(of=("logistic", "knn"), group_duplicates=True)
    with pytest.raises(UsageError, match="leave out --group-duplicates"):
        fit_head(with_copies, "ensemble", options=asked)
    fit_head(with_copies, "knn", options=FitOptions(encoder="plain-0"))
    with pytest.raises(TrainingDataError, match="group_duplicates True"):
        fit_head(with_copies, "ensemble", options=FitOptions(of=("logistic", "knn")))


def test_a_comparison_keeps_copies_together_and_leaves_thumbnails_out(with_copies):
    options = CompareOptions(heads=("knn",), seeds=2, group_duplicates=True)
    compared = compare(with_copies, options)
    assert [each.encoder for each in compared.contenders] == ["plain-0"]
    assert any(note.startswith("duplicates are kept together") for note in compared.notes)


def test_what_the_source_says_is_respected(with_copies):
    store = with_copies
    rows = store.catalog.rows("shapes").to_pylist()
    said = [
        CatalogRow(
            r["key"], r["image_id"], labels=tuple(r["labels"]), split=("train", "test")[n % 2]
        )
        for n, r in enumerate(rows)
    ]
    store.catalog.append("shapes", said)
    data = load_labelled(store, "plain-0", store.labels.task("shapes"), group_duplicates=True)
    assert sum(data.split[one] != data.split[other] for one, other in pairs_of(store, data)) == 40
    assert data.notes[0].startswith("duplicates are kept together in folds, as the source gives")


def test_without_thumbnails_it_says_how_to_make_them(fill, shapes):
    store = fill(shapes(disc=5, ramp=5))
    with pytest.raises(TrainingDataError, match="icehouse duplicates --store"):
        fit_head(store, "knn", options=FitOptions(group_duplicates=True))
