"""Comparing heads and encoders: numbers, order, and which cannot be told apart."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace

import numpy as np
import pytest

from icehouse.errors import MissingExtra, TrainingDataError
from icehouse.heads import (
    KINDS,
    CompareOptions,
    FitOptions,
    Fractions,
    compare,
    fit_head,
    list_heads,
)

QUICK = ("logistic", "knn")
HALF = Fractions(0.5, 0.1, 0.4)


@pytest.fixture
def photos(shapes):
    return shapes(disc=40, ramp=40, stripes=40)


def test_numbers_are_those_of_fit_head_and_nothing_is_saved(fill, photos):
    store = fill(photos)
    kinds = tuple(KINDS)
    options = CompareOptions(seed=2, fractions=HALF)
    compared = compare(store, options)
    assert list_heads(store) == []
    assert sorted(c.head for c in compared.contenders) == sorted(kinds)
    assert (compared.task, compared.kind, compared.split) == ("shapes", "single", "test")
    assert (compared.trained, compared.images, compared.seeds) == (60, 48, 1)
    for each in compared.contenders:
        card = fit_head(store, each.head, options=FitOptions(seed=2, fractions=HALF))
        assert asdict(each.metrics) == pytest.approx(card.metrics["test"], abs=1e-6)
        assert each.low <= each.metrics.top1 <= each.high
        assert (each.dim, each.bytes_per_image, each.spread) == (8, 16, None)
        assert each.fit_seconds > 0
        assert each.predict_rate > 0
        assert each.train == pytest.approx(card.metrics["train"]["top1"])
        assert each.val == pytest.approx(card.metrics["val"]["top1"])
        assert each.encode_rate is None  # none was kept


def test_the_best_is_first_and_what_differs_by_more_than_chance_is_said(fill, photos, encode_noise):
    store = fill(photos)
    encode_noise(store, photos)
    compared = compare(store, CompareOptions(heads=QUICK, fractions=HALF))
    best, *others = compared.contenders
    assert (best.encoder, best.p, best.like_best) == ("plain-0", None, True)
    accuracies = [c.metrics.top1 for c in compared.contenders]
    assert accuracies == sorted(accuracies, reverse=True)
    assert [c.like_best for c in others] == [c.encoder == "plain-0" for c in others]
    assert all(c.p < 1e-6 for c in others if c.encoder == "noise-0")
    assert {c.bytes_per_image for c in others if c.encoder == "noise-0"} == {32}


def test_the_same_comparison_gives_the_same_numbers(fill, photos):
    store = fill(photos)
    options = CompareOptions(heads=("mlp", "forest"), fractions=HALF)
    first, second = (
        [replace(c, fit_seconds=0, predict_rate=0) for c in compare(store, options).contenders]
        for _ in range(2)
    )
    assert first == second


def test_several_seeds_are_averaged(fill, photos):
    store = fill(photos)
    compared = compare(store, CompareOptions(heads=("knn",), seeds=3))
    each = compared.contenders[0]
    alone = [
        fit_head(store, "knn", options=FitOptions(seed=seed)).metrics["test"]["top1"]
        for seed in range(3)
    ]
    assert each.metrics.top1 == pytest.approx(np.mean(alone))
    assert each.spread == pytest.approx(np.std(alone, ddof=1))
    assert (compared.seeds, each.metrics.n) == (3, 12)


def test_a_multi_label_task_is_compared_too(fill, photo):
    kinds = [("cat",), ("sun",), ("cat", "sun"), ()]
    store = fill([photo(f"{i}", kinds[i % 4]) for i in range(80)], task="things", kind="multi")
    compared = compare(store, CompareOptions(fractions=HALF))
    assert compared.kind == "multi"
    assert "images all of whose labels are right" in compared.notes[0]
    assert len(compared.contenders) == len(KINDS)
    for each in compared.contenders:
        card = fit_head(store, each.head, options=FitOptions(fractions=HALF))
        assert each.metrics.top1 == pytest.approx(card.metrics["test"]["top1"])
        assert each.metrics.top5 is None


def test_few_images_that_tell_nothing_apart_are_said(fill, shapes):
    store = fill(shapes(disc=20, stripes=20))
    compared = compare(store, CompareOptions(heads=QUICK))
    assert [c.like_best for c in compared.contenders] == [True, True]
    assert compared.notes[-1].startswith("none can be told from the best on 4 images")


def test_near_duplicates_are_noted(fill, shapes, photo, store):
    photos = shapes(disc=20, stripes=20)
    fill(photos)
    features = store.features("twin-0")
    features.describe({"spec": {"dim": 2}, "request": {"name": "twin-0"}})
    ids = store.features("plain-0").load().ids
    vectors = np.random.default_rng(0).normal(size=(2, 2))[np.arange(len(ids)) % 2]
    features.append(ids, vectors, "float16")
    compared = compare(store, CompareOptions(heads=QUICK))
    assert compared.near_duplicates == {"twin-0": 4}
    assert "twin-0 sees 4 of 4 measured images all but the same" in compared.notes[-1]


def test_a_head_that_is_not_installed_is_left_out(fill, photos, monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    store = fill(photos)
    compared = compare(store, CompareOptions(heads=("xgboost", "knn")))
    assert [c.head for c in compared.contenders] == ["knn"]
    assert compared.notes == (
        "xgboost was left out: this needs xgboost, which is not installed. "
        "Install it with: pip install 'icehouse[cpu]'",
    )
    with pytest.raises(MissingExtra, match="this needs xgboost"):
        compare(store, CompareOptions(heads=("xgboost",)))


def test_nothing_that_can_be_fitted_is_the_error_of_the_last(fill, shapes):
    given = [
        replace(p, split="train" if p.labels == ("disc",) else "test")
        for p in shapes(disc=9, stripes=9)
    ]
    with pytest.raises(TrainingDataError, match="needs 2 classes or more, got 1 class: 'disc'"):
        compare(fill(given), CompareOptions(heads=QUICK))


def test_progress_names_what_comes_next(fill, photos, encode_noise):
    store = fill(photos)
    encode_noise(store, photos)
    calls = []
    compare(store, CompareOptions(heads=QUICK), lambda *call: calls.append(call))
    assert [(done, total) for done, total, _ in calls] == [(i, 4) for i in range(4)]
    assert calls[1][2] == "noise-0 + knn"
