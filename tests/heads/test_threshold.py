"""Thresholds that are chosen."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from icehouse.errors import UsageError
from icehouse.heads._threshold import ThresholdRule


def draw(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    proba = np.round(random.beta(0.6, 1.4, n), 2)  # with many that are equal
    return proba, random.random(n) < proba


@pytest.mark.parametrize("seed", range(4))
def test_no_threshold_has_a_higher_f1(seed):
    proba, truth = draw(seed=seed)
    threshold, note = ThresholdRule.parse("f1").choose(proba, truth, 0.5)
    every = [f1_score(truth, proba >= t, zero_division=0) for t in np.unique(proba)]
    assert f1_score(truth, proba >= threshold) == pytest.approx(max(every))
    assert note == ""


@pytest.mark.parametrize("wanted", [0.6, 0.8, 0.95])
def test_a_precision_is_reached_with_the_most_recall(wanted):
    proba, truth = draw()
    threshold, note = ThresholdRule(wanted).choose(proba, truth, 0.5)
    assert precision_score(truth, proba >= threshold) >= wanted
    recalls = [
        recall_score(truth, proba >= t)
        for t in np.unique(proba)
        if precision_score(truth, proba >= t) >= wanted
    ]
    assert recall_score(truth, proba >= threshold) == max(recalls)
    assert note == ""


def test_a_precision_that_cannot_be_reached_is_said_with_the_best_there_is():
    proba = np.array([0.9, 0.8, 0.7, 0.6, 0.2])
    truth = np.array([False, True, True, False, False])
    threshold, note = ThresholdRule(0.95).choose(proba, truth, 0.5)
    assert threshold == pytest.approx(0.65)
    assert note == "no threshold reaches precision 0.95: 0.667 at 0.650"


def test_it_lies_half_way_between_what_has_the_label_and_what_has_not():
    proba, truth = np.array([0.1, 0.2, 0.7, 0.9]), np.array([False, False, True, True])
    for rule in ("f1", "precision=0.95"):
        assert ThresholdRule.parse(rule).choose(proba, truth, 0.5)[0] == pytest.approx(0.45)


def test_a_label_that_no_image_has_keeps_its_threshold():
    threshold, note = ThresholdRule().choose(np.array([0.1, 0.9]), np.array([False, False]), 0.3)
    assert threshold == 0.3
    assert note == "no image held out has it: its threshold stays 0.3"


@pytest.mark.parametrize("rule", ["f1", "precision=0.9"])
def test_a_label_that_all_images_have_is_given_to_all(rule):
    proba = np.array([0.9, 0.8, 0.01])
    threshold, _ = ThresholdRule.parse(rule).choose(proba, np.ones(3, bool), 0.5)
    assert (proba >= threshold).all()


def test_where_all_are_equal_no_threshold_lies_between_them():
    threshold, _ = ThresholdRule().choose(np.full(4, 0.3), np.array([1, 0, 0, 1], bool), 0.5)
    assert threshold <= 0.3


@pytest.mark.parametrize(
    "text", ["", "F2", "precision", "precision=", "precision=much", "precision=0", "precision=1.1",
             "precision=nan", "f1=0.5", "recall=0.9", "0.5"]
)  # fmt: skip
def test_another_rule_is_refused(text):
    with pytest.raises(UsageError, match=r"chosen by f1, or by precision=0\.95, which is a share"):
        ThresholdRule.parse(text)


def test_a_precision_in_percent_is_asked_about():
    with pytest.raises(UsageError, match=r"'precision=95'; did you mean precision=0\.95\?"):
        ThresholdRule.parse("precision=95")
    with pytest.raises(UsageError, match=r"not by 'precision=101'$"):
        ThresholdRule.parse("precision=101")
