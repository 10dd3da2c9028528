import numpy as np
import pytest

from icehouse.review import FlagSettings, uncertainty
from icehouse.review._reasons import (
    contradiction,
    draw_distance,
    label_unlikely,
    margins,
    plausible_classes,
)


def named(proba, *, threshold=0.5, multi_label=False, settings=None):
    found = uncertainty(
        np.array(proba), threshold, settings or FlagSettings(), multi_label=multi_label
    )
    return {reason.name: reason for reason in found}


@pytest.mark.parametrize(
    ("positive", "flagged"), [(0.54, True), (0.6, True), (0.4, True), (0.61, False), (0.39, False)]
)
def test_the_band_around_the_threshold_is_inclusive(positive, flagged):
    reasons = named([[1 - positive, positive]])
    assert bool(reasons["near-threshold"].counts[0]) is flagged


def test_the_threshold_of_the_head_is_the_middle_of_the_band():
    reasons = named([[0.3, 0.7], [0.5, 0.5]], threshold=0.7)
    assert reasons["near-threshold"].counts.tolist() == [True, False]
    assert reasons["near-threshold"].strength[0] == pytest.approx(1.0)


def test_more_than_two_classes_are_judged_by_the_highest_probability():
    reasons = named([[0.4, 0.35, 0.25], [0.9, 0.05, 0.05]])
    assert "near-threshold" not in reasons
    assert reasons["low-probability"].counts.tolist() == [True, False]
    assert named([[1 / 3] * 3])["low-probability"].strength[0] == pytest.approx(1.0)


def test_in_multi_label_the_label_nearest_to_the_threshold_counts():
    reasons = named([[0.9, 0.52, 0.01], [0.99, 0.9, 0.01]], multi_label=True)
    assert list(reasons) == ["near-threshold"]
    assert reasons["near-threshold"].counts.tolist() == [True, False]


def test_every_strength_lies_between_zero_and_one():
    random = np.random.default_rng(0)
    for classes in (2, 3, 10):
        proba = random.dirichlet(np.full(classes, 0.3), size=200)
        for reason in named(proba).values():
            assert reason.strength.min() >= 0
            assert reason.strength.max() <= 1


def test_plausible_classes_counts_equally_probable_ones():
    proba = np.array([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25] * 4])
    assert plausible_classes(proba) == pytest.approx([1, 2, 4])


def test_margin_is_the_distance_of_the_two_highest():
    assert margins(np.array([[0.2, 0.5, 0.3]])) == pytest.approx([0.2])


def test_distance_to_a_draw_follows_the_kind_of_task():
    assert draw_distance(np.array([[0.3, 0.7]]), 0.6, multi_label=False) == pytest.approx([0.1])
    assert draw_distance(np.array([[0.2, 0.5, 0.3]]), 0.5, multi_label=False) == pytest.approx(
        [0.2]
    )
    assert draw_distance(np.array([[0.2, 0.45]]), 0.5, multi_label=True) == pytest.approx([0.05])


def test_a_confident_head_makes_another_label_unlikely():
    proba = np.array([[0.95, 0.05], [0.95, 0.05], [0.55, 0.45]])
    given = np.array([[0, 1], [1, 0], [0, 1]])
    reason = label_unlikely(proba, given, FlagSettings(), multi_label=False)
    assert reason.counts.tolist() == [True, False, False]
    assert reason.strength == pytest.approx([0.9, 0.0, 0.1])


def test_an_unlikely_label_is_found_among_many():
    proba = np.array([[0.95, 0.9, 0.02], [0.95, 0.1, 0.02]])
    given = np.array([[1, 0, 0], [1, 0, 0]])
    reason = label_unlikely(proba, given, FlagSettings(), multi_label=True)
    assert reason.counts.tolist() == [True, False]


def test_contradiction_of_one_label_is_one_minus_its_probability():
    proba = np.array([[0.7, 0.2, 0.1]])
    assert contradiction(proba, np.array([[0, 1, 0]])) == pytest.approx([0.8])
    assert contradiction(proba, np.array([[1, 0, 0]])) == pytest.approx([0.3])
