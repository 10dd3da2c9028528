"""Accuracy by the number of labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from icehouse.errors import TrainingDataError, UnknownHead, UsageError
from icehouse.heads import CompareOptions, FitOptions, Fractions, count_labels, fit_head, list_heads
from icehouse.heads._label_counts import choose_labels

HALF = Fractions(0.5, 0.1, 0.4)


def test_subsets_are_nested_and_have_so_many_of_each_class(labelled):
    data = labelled(np.array(["a", "b", "c"] * 20))
    data = replace(data, split=np.array(["train"] * 40 + ["val"] * 10 + ["test"] * 10))
    few, more = (choose_labels(data, count, 0, "test") for count in (2, 5))
    for split, count in ((few, 2), (more, 5)):
        chosen = data.y[split == "train"]
        assert np.unique(chosen, return_counts=True)[1].tolist() == [count] * 3
        assert ((split == "test") == (data.split == "test")).all()
        assert (data.split[split == "train"] == "train").all()
        assert set(split) == {"train", "test", "unused"}
    assert (more[few == "train"] == "train").all()
    assert (choose_labels(data, 2, 0, "test") == few).all()
    assert (choose_labels(data, 2, 1, "test") != few).any()
    everything = choose_labels(data, 99, 0, "test") == "train"
    assert (everything == (data.split == "train")).all()


def test_more_labels_are_worth_more_and_nothing_is_saved(fill, shapes, encode_noise):
    photos = shapes(disc=60, ramp=60, stripes=60)
    store = fill(photos)
    name = encode_noise(store, photos, "faint-0", signal=0.2)
    calls = []
    options = CompareOptions(encoders=(name,), heads=("logistic", "knn"), fractions=HALF, seeds=3)
    counted = count_labels(store, [20, 1, 5], options, lambda *call: calls.append(call))
    assert list_heads(store) == []
    assert (counted.task, counted.split, counted.images, counted.seeds) == ("shapes", "test", 72, 3)
    assert calls == [(0, 2, "faint-0 + logistic"), (1, 2, "faint-0 + knn")]
    for curve in counted.curves:
        assert [(p.count, p.labels) for p in curve.points] == [(1, 3), (5, 15), (20, 60)]
        assert curve.points[0].accuracy < curve.points[-1].accuracy
        assert all(p.spread is not None for p in curve.points)
    last = [curve.points[-1].accuracy for curve in counted.curves]
    assert last == sorted(last, reverse=True)
    assert counted.notes == ()


def test_all_labels_are_what_fit_head_is_fitted_on(fill, shapes):
    store = fill(shapes(disc=30, stripes=30))
    counted = count_labels(store, [100], CompareOptions(heads=("knn",), seeds=1))
    card = fit_head(store, "knn", options=FitOptions())
    (point,) = counted.curves[0].points
    assert (point.labels, point.spread) == (card.training["images"]["train"], None)
    assert point.accuracy == card.metrics["test"]["top1"]


def test_counts_beyond_what_there_is_are_left_out(fill, shapes):
    store = fill(shapes(disc=50, stripes=20))
    options = CompareOptions(heads=("knn",), seeds=1)
    counted = count_labels(store, [5, 20, 40, 50, 100], options)
    assert [p.count for p in counted.curves[0].points] == [5, 20, 40]
    assert counted.notes == (
        "no class has more than 40 images to train on, so these were left out: 50, 100",
        "some classes have fewer images, at least 16, than 20, 40: there all that they have "
        "were taken",
    )


def test_multi_label_images_count_for_their_rarest_label(fill, photo):
    kinds = [("cat",), ("sun",), ("cat", "sun"), ()]
    store = fill([photo(f"{i}", kinds[i % 4]) for i in range(160)], task="things", kind="multi")
    options = CompareOptions(heads=("logistic", "knn"), fractions=HALF, seeds=2)
    counted = count_labels(store, [1, 5, 20], options)
    assert counted.kind == "multi"
    for curve in counted.curves:
        assert [p.labels for p in curve.points] == [3, 15, 60]


def test_what_is_refused(fill, shapes):
    store = fill(shapes(disc=20, stripes=20))
    for counts in ([], [0, 5], [-1]):
        with pytest.raises(UsageError, match="numbers of labels are 1 or more"):
            count_labels(store, counts)
    with pytest.raises(UnknownHead, match="no head 'oracle'"):
        count_labels(store, [1], CompareOptions(heads=("oracle",)))
    alone = [replace(p, split="test") for p in shapes(first=20, disc=9, stripes=9)]
    fill(alone, dataset="alone", task="alone")
    with pytest.raises(TrainingDataError, match="'alone' leaves no image to train on"):
        count_labels(store, [1], CompareOptions(task="alone"))
