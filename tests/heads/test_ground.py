"""The images that encoders are compared on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from icehouse.errors import LookupFailed, TrainingDataError, UnknownHead, UsageError
from icehouse.heads import CompareOptions, Fractions, load_labelled
from icehouse.heads._ground import common_ground, near_duplicates, usable
from icehouse.store import forget, plan_forget


def test_one_encoder_is_compared_on_what_it_would_be_fitted_on(fill, shapes):
    store = fill(shapes(disc=30, stripes=30))
    ground = common_ground(store, CompareOptions(seed=3))
    alone = load_labelled(store, "plain-0", store.labels.task("shapes"), seed=3)
    data = ground.data("plain-0")
    assert data.digest == alone.digest
    assert (data.X == alone.X).all()
    assert ground.encoders == {"plain-0": "plain-0"}
    assert (ground.measured, ground.images) == ("test", {"test": 6, "train": 48, "val": 6})
    assert ground.notes == ()


def test_images_that_one_encoder_lacks_are_left_out_for_all(fill, shapes, encode_noise):
    photos = shapes(disc=30, stripes=30)
    store = fill(photos)
    encode_noise(store, [p for p in photos if not p.key.endswith("7")])
    ground = common_ground(store, CompareOptions(seeds=2))
    a, b = (ground.data(each) for each in ("plain-0", "noise-0"))
    assert len(a) == len(b) == 54
    assert (a.ids == b.ids).all()
    assert (a.y == b.y).all()
    assert (a.split == b.split).all()
    wide = load_labelled(store, "plain-0", store.labels.task("shapes"), seed=1)
    kept = np.isin(wide.ids.tolist(), a.ids.tolist())
    assert (ground.splits[1] == wide.split[kept]).all()
    assert ground.notes == (
        "noise-0: 6 labelled images have no features of this encoder",
        "left out, as not every encoder has features of them: 6 images",
    )


def test_encoders_without_features_for_the_task_take_no_part(fill, shapes, photo, encode_noise):
    store = fill(shapes(disc=10, stripes=10))
    encode_noise(store, [photo("unlabelled")])
    assert list(common_ground(store, CompareOptions()).encoders) == ["plain-0"]
    with pytest.raises(TrainingDataError, match="has features of encoder noise-0"):
        common_ground(store, CompareOptions(encoders=("plain-0", "noise-0")))
    with pytest.raises(LookupFailed, match="no encoder 'other'"):
        common_ground(store, CompareOptions(encoders=("other",)))


def test_no_encoder_with_features_is_an_error(fill, shapes):
    store = fill([replace(p, vector=False) for p in shapes(disc=3, stripes=3)])
    with pytest.raises(TrainingDataError, match="Run icehouse embed"):
        common_ground(store, CompareOptions())


def test_without_a_test_split_validation_is_measured_on(fill, shapes):
    store = fill(shapes(disc=30, stripes=30))
    ground = common_ground(store, CompareOptions(fractions=Fractions(0.5, 0.5, 0.0)))
    assert (ground.measured, ground.images) == ("val", {"train": 30, "val": 30})
    assert "so ECE flatters" in ground.notes[0]


def test_nothing_to_measure_on_is_an_error(fill, shapes):
    store = fill(shapes(disc=2, stripes=2))
    with pytest.raises(TrainingDataError, match="no image to measure on, of 4 labelled ones"):
        common_ground(store, CompareOptions())


def test_a_split_of_the_source_is_the_same_for_all_seeds(fill, shapes):
    photos = shapes(disc=10, stripes=10)
    given = [replace(p, split="test" if i % 3 == 0 else "train") for i, p in enumerate(photos)]
    ground = common_ground(fill(given), CompareOptions(seeds=3))
    assert ground.notes == ("the source gives the split: seeds change only what heads draw",)
    assert len(ground.splits) == 3


def test_labels_that_change_meanwhile_change_nothing_and_forgotten_images_are_named(fill, shapes):
    photos = shapes(disc=10, stripes=10)
    store = fill(photos)
    ground = common_ground(store, CompareOptions())
    before = ground.data("plain-0").y
    store.labels.record(
        "shapes", [(photos[0].image_id, ("stripes",))], annotator="me", origin="review"
    )
    assert (ground.data("plain-0").y == before).all()
    forget(store, plan_forget(store, [photos[0].image_id.hex()]))
    with pytest.raises(TrainingDataError, match="1 images were forgotten"):
        ground.data("plain-0")


def test_near_duplicates_are_counted_across_the_split_only(labelled):
    data = labelled(np.array(["a", "b"] * 30))
    split = np.array(["train"] * 40 + ["test"] * 20)
    X = data.X + 100  # as all vectors of an encoder lie in one direction
    X[40], X[41] = X[0] + 1e-3, X[1] + 1e-3
    X[3], X[43] = X[2], X[42]
    assert near_duplicates(replace(data, X=X, split=split), "test") == 2
    assert near_duplicates(replace(data, X=X, split=split), "val") == 0


def test_kinds_are_checked_before_anything_is_loaded():
    assert CompareOptions(heads=("knn", "mlp", "knn")).kinds() == ("knn", "mlp")
    with pytest.raises(UnknownHead, match="no head 'oracle'"):
        CompareOptions(heads=("knn", "oracle")).kinds()
    with pytest.raises(UsageError, match="1 seed or more, got 0"):
        CompareOptions(seeds=0).kinds()
    with pytest.raises(UsageError, match="a seed is a whole number from 0 to 4294967295, got -1"):
        CompareOptions(seed=-1).kinds()
    assert usable(("knn", "logistic")) == (["knn", "logistic"], [])
