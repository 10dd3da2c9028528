"""Sets of classes hold what was asked, at every coverage, with every number of images."""

from __future__ import annotations

import numpy as np
import pytest

from icehouse.errors import UsageError
from icehouse.heads import Conformal
from icehouse.heads._conformal import KEPT, measure_sets, shortage


def draw(n: int, seed: int, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are too sure, and the truth: sets do not need them honest."""
    random = np.random.default_rng(seed)
    honest = random.dirichlet(np.full(classes, 0.4), n)
    target = (honest.cumsum(axis=1) < random.random((n, 1))).sum(axis=1).clip(0, classes - 1)
    sure = honest**2
    return sure / sure.sum(axis=1, keepdims=True), target


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.95, 0.99])
def test_sets_hold_the_truth_as_often_as_was_asked(coverage):
    found = Conformal.of(*draw(5_000, 0))
    proba, target = draw(20_000, 1)
    covered, size = measure_sets(target, found.sets(proba, coverage), np.arange(5))
    assert covered == pytest.approx(coverage, abs=0.012)
    assert 0 < size < 5


@pytest.mark.parametrize("images", [9, 19, 40])
def test_few_images_cover_as_much_on_average_and_no_less(images):
    proba, target = draw(400, 1)
    covered = [
        measure_sets(target, Conformal.of(*draw(images, 10 + n)).sets(proba, 0.9), np.arange(5))[0]
        for n in range(400)
    ]
    # Without the correction by one image, nine of them would cover 0.8 and 19 would 0.85.
    assert np.mean(covered) == pytest.approx(np.ceil((images + 1) * 0.9) / (images + 1), abs=0.02)
    assert np.mean(covered) > 0.885


@pytest.mark.parametrize(("coverage", "enough"), [(0.5, 1), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_too_few_images_make_sets_of_all_classes(coverage, enough):
    assert shortage(coverage, enough) == []
    assert f"takes {enough} images held out" in shortage(coverage, enough - 1)[0]
    proba, target = draw(enough, 0)
    assert not Conformal.of(proba, target).sets(proba, coverage).all()
    few = Conformal.of(proba[1:], target[1:])
    assert few.least(coverage) == 0
    assert few.sets(proba, coverage).all()


def test_the_set_is_that_of_the_formula():
    proba = np.array([[p, 1 - p] for p in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)])
    found = Conformal.of(proba, np.zeros(9, np.int64))
    # ceil(10 * 0.8) = 8th largest of 9.
    assert found.least(0.8) == pytest.approx(0.2)
    sets = found.sets(np.array([[0.2, 0.8], [0.19, 0.81], [0.9, 0.1]]), 0.8)
    assert sets.tolist() == [[True, True], [False, True], [True, False]]


def test_more_coverage_makes_no_set_smaller():
    found = Conformal.of(*draw(500, 0))
    proba, _ = draw(100, 1)
    before = np.zeros(proba.shape, bool)
    for coverage in np.linspace(0.01, 0.999, 60):
        now = found.sets(proba, coverage)
        assert (now >= before).all()
        before = now


def test_no_class_may_be_probable_enough():
    found = Conformal.of(np.tile([0.9, 0.1], (50, 1)), np.zeros(50, np.int64))
    assert not found.sets(np.array([[0.5, 0.5]]), 0.9).any()


def test_of_many_images_no_more_than_ten_thousand_numbers_are_kept_and_no_set_gets_smaller():
    proba, target = draw(25_000, 0)
    kept = Conformal.of(proba, target)
    assert len(kept.truth) == KEPT
    assert kept.images == 25_000
    truth = np.sort(proba[np.arange(25_000), target].astype(np.float32))
    for coverage in np.linspace(0.001, 0.9999, 500):
        rank = 25_001 - int(np.ceil(25_001 * coverage - 1e-9))
        exact = truth[rank - 1] if rank else 0
        assert truth[max(rank - 4, 0)] <= kept.least(coverage) <= exact


def test_in_multi_label_a_set_holds_all_labels_of_an_image_as_often_as_was_asked():
    random = np.random.default_rng(0)
    proba = random.random((20_000, 4))
    y = (random.random(proba.shape) < proba).astype(np.int64)
    found = Conformal.of(proba[:5_000], y[:5_000])
    sets = found.sets(proba[5_000:], 0.9)
    covered, _ = measure_sets(y[5_000:], sets, np.arange(4))
    assert covered == pytest.approx(0.9, abs=0.015)
    assert sets.mean() < 0.95


def test_images_without_a_label_ask_for_nothing():
    y = np.zeros((50, 3), np.int64)
    found = Conformal.of(np.full((50, 3), 0.4), y)
    assert found.least(0.9) == 1.0
    assert measure_sets(y, np.zeros((50, 3), bool), np.arange(3)) == (1.0, 0.0)


def test_an_image_of_an_unknown_class_is_never_covered():
    y, classes = np.array(["ash", "yew"]), np.array(["ash", "birch"])
    assert measure_sets(y, np.ones((2, 2), bool), classes) == (0.5, 2.0)


@pytest.mark.parametrize("coverage", [0.0, 1.0, 95, -0.1, float("nan")])
def test_a_coverage_that_is_no_share_is_refused(coverage):
    found = Conformal.of(*draw(50, 0))
    with pytest.raises(UsageError, match=r"between 0 and 1, such as 0\.95, got"):
        found.least(coverage)


def test_it_comes_back_from_arrays():
    found = Conformal.of(*draw(50, 0))
    again = Conformal.from_arrays(found.to_arrays())
    assert again.images == 50
    assert (again.truth == found.truth).all()
    assert Conformal.from_arrays({"coef": np.zeros(3)}) is None
