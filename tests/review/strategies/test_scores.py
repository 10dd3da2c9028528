"""Scores of single images, against numbers by hand and against loops."""

import math

import numpy as np
import pytest
from scipy.stats import entropy as scipy_entropy

from icehouse.errors import UsageError
from icehouse.review.strategies import (
    _space,
    density_weighted,
    disagreement,
    entropy,
    expected_error,
    least_confidence,
    margin,
    near_threshold,
)

SURE, DRAW, ODD = [1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.3, 0.2]
THREE = np.array([SURE, DRAW, ODD])


def test_numbers_by_hand():
    assert least_confidence(THREE) == pytest.approx([0, 0.5, 0.5])
    assert margin(THREE) == pytest.approx([0, 1, 0.8])
    by_hand = [0, math.log(2) / math.log(3), scipy_entropy(ODD) / math.log(3)]
    assert entropy(THREE) == pytest.approx(by_hand)
    two = np.array([[0.3, 0.7], [0.9, 0.1]])
    assert near_threshold(two, 0.6) == pytest.approx([0.9, 0.5])


def test_several_labels_an_image():
    proba = np.array([[0.9, 0.5], [0.99, 0.01]])
    assert least_confidence(proba, multi_label=True) == pytest.approx([0.5, 0.01])
    assert entropy(proba, multi_label=True)[0] == pytest.approx(
        (scipy_entropy([0.9, 0.1], base=2) + 1) / 2
    )
    thresholds = np.array([0.8, 0.5])
    assert near_threshold(proba, thresholds, multi_label=True) == pytest.approx([1, 0.81])


@pytest.mark.parametrize("score", [least_confidence, margin, entropy])
def test_scores_lie_between_a_certain_answer_and_none(score):
    proba = np.random.default_rng(0).dirichlet(np.ones(5), 200)
    found = score(np.vstack([np.eye(5)[:1], np.full((1, 5), 0.2), proba]))
    assert found[0] == pytest.approx(0, abs=1e-9)
    assert (found[2:] >= 0).all()
    assert (found[2:] <= found[1] + 1e-9).all()


def test_one_class_is_certain():
    one = np.ones((4, 1))
    assert entropy(one) == pytest.approx(np.zeros(4))
    assert least_confidence(one) == pytest.approx(np.zeros(4))


def test_disagreement_is_the_mean_divergence_from_the_consensus():
    random = np.random.default_rng(1)
    members = [random.dirichlet(np.ones(4), 30) for _ in range(3)]
    mean = np.mean(members, axis=0)
    by_hand = np.mean([scipy_entropy(each, mean, axis=1) for each in members], axis=0)
    assert disagreement(members) == pytest.approx(by_hand, abs=1e-9)
    assert disagreement([members[0]] * 3) == pytest.approx(np.zeros(30), abs=1e-9)
    assert disagreement([np.array([SURE]), np.array([[0, 1.0, 0]])]) == pytest.approx(math.log(2))


def test_disagreement_about_several_labels_is_their_mean():
    first, second = np.array([[0.9, 0.3]]), np.array([[0.1, 0.3]])
    alone = disagreement([np.array([[0.9, 0.1]]), np.array([[0.1, 0.9]])])
    assert disagreement([first, second], multi_label=True) == pytest.approx(alone / 2)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: disagreement([THREE]), "two or more, got 1"),
        (lambda: disagreement([THREE, THREE[:, :2]]), "about the same classes"),
        (lambda: near_threshold(THREE), "Take 'margin'"),
        (lambda: expected_error(None), "icehouse label-issues"),
    ],
)
def test_what_has_no_meaning_is_refused(ask, message):
    with pytest.raises(UsageError, match=message):
        ask()


def test_density_is_the_mean_cosine_to_all():
    features = np.random.default_rng(2).uniform(0, 1, (50, 4)).astype(np.float16)
    units = features.astype(float) / np.linalg.norm(features.astype(float), axis=1)[:, None]
    by_hand = (units @ units.T).mean(axis=1)
    uncertain = np.linspace(0.1, 1, 50)
    assert density_weighted(uncertain, features) == pytest.approx(uncertain * by_hand)
    assert density_weighted(uncertain, features, 2) == pytest.approx(uncertain * by_hand**2)


def test_an_outlier_is_worth_less_than_one_of_many():
    features = np.vstack([np.tile([1.0, 0.1], (20, 1)), [[-1.0, 0.1]]])
    found = density_weighted(np.ones(21), features)
    assert found[20] < found[:20].min()


def test_the_size_of_blocks_changes_nothing(monkeypatch):
    random = np.random.default_rng(3)
    proba, features = random.dirichlet(np.ones(3), 100), random.normal(size=(100, 4))
    scores = [margin, entropy, least_confidence, lambda p: density_weighted(margin(p), features)]
    whole = [score(proba) for score in scores]
    monkeypatch.setattr(_space, "BLOCK", 21)
    for before, score in zip(whole, scores, strict=True):
        assert score(proba) == pytest.approx(before, abs=1e-12)
