"""What is said against labels, compared with definitions written out and with cleanlab."""

from __future__ import annotations

import numpy as np
import pytest
from cleanlab.count import compute_confident_joint

from icehouse.errors import TrainingDataError
from icehouse.review._witnesses import Nearest, agreed, confident_errors, trusted


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(3)


def indicator(y, classes):
    return (np.asarray(y)[:, None] == np.arange(classes)).astype(np.int64)


def test_votes_are_those_of_the_formula(random):
    vectors = random.normal(size=(40, 5)) + 10
    given = indicator(random.integers(0, 3, 40), 3)
    heard = random.random(40) < 0.7
    centred = vectors - vectors.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    cosine = centred @ centred.T
    np.fill_diagonal(cosine, -np.inf)
    found = Nearest.among(vectors, k=6).votes(given, heard)
    for row in range(40):
        near = np.argsort(-cosine[row])[:6]
        weight = np.exp(cosine[row, near] / 0.1)
        weight /= weight.sum()
        votes = (weight * heard[near]) @ given[near]
        share = (weight * heard[near]).sum()
        expected = (6 * votes + given[heard].mean(axis=0)) / (6 * share + 1)
        np.testing.assert_allclose(found[row], expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)  # weights are float32


def test_where_no_neighbour_is_heard_the_frequencies_speak():
    vectors = np.array([[1.0, 0], [1, 0.1], [-1, 0], [-1, 0.1]])
    given = indicator([0, 1, 1, 1], 2)
    votes = Nearest.among(vectors, k=1).votes(given, np.array([False, True, True, True]))
    np.testing.assert_allclose(votes[1], [0, 1])
    votes = Nearest.among(vectors, k=1).votes(given, np.array([True, False, True, True]))
    np.testing.assert_allclose(votes[0], [1 / 3, 2 / 3])


@pytest.mark.parametrize("value", [0.0, 1e-6, 3.0, 1e4])
def test_features_that_are_all_the_same_say_nothing(value):
    with pytest.raises(TrainingDataError, match="all 5 labelled images have the same features"):
        Nearest.among(np.full((5, 3), value, np.float16))


def test_one_feature_that_differs_is_enough():
    vectors = np.full((4, 3), 7.0)
    vectors[2:, 0] = 8
    assert Nearest.among(vectors, k=1).index[:, 0].tolist() == [1, 0, 3, 2]


def test_agreement_is_the_mean_of_the_log_odds(random):
    one, other = random.random((2, 20, 4))
    both = agreed(one, other, multi_label=True)
    odds = [np.log(p / (1 - p)) for p in (one, other, both)]
    np.testing.assert_allclose(odds[2], (odds[0] + odds[1]) / 2, atol=1e-9)
    one, other = (p / p.sum(axis=1, keepdims=True) for p in (one, other))
    both = agreed(one, other, multi_label=False)
    np.testing.assert_allclose(both.sum(axis=1), 1)
    np.testing.assert_allclose(
        np.log(both[:, 0] / both[:, 1]),
        np.log(one[:, 0] * other[:, 0] / one[:, 1] / other[:, 1]) / 2,
    )


@pytest.mark.parametrize("multi_label", [False, True])
def test_certainties_that_contradict_each_other_come_to_a_half(multi_label):
    both = agreed(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), multi_label=multi_label)
    np.testing.assert_allclose(both, 0.5)


def test_confident_errors_are_off_the_diagonal_of_the_confident_joint(random):
    y = random.integers(0, 4, 300)
    proba = random.dirichlet([0.5] * 4, 300) + indicator(y, 4) * random.random((300, 1))
    proba /= proba.sum(axis=1, keepdims=True)
    _, rows = compute_confident_joint(
        y, proba, calibrate=False, return_indices_of_off_diagonals=True
    )
    found = confident_errors(proba, indicator(y, 4), multi_label=False)
    assert np.flatnonzero(found).tolist() == sorted(rows)
    assert 10 < len(rows) < 200


def test_each_label_of_many_is_a_question_of_its_own(random):
    given = random.integers(0, 2, (200, 3))
    proba = np.clip(0.7 * given + 0.3 * random.random((200, 3)), 0, 1)
    rows, columns = [5, 9], [1, 2]
    proba[rows, columns] = given[rows, columns]
    given[rows, columns] = 1 - given[rows, columns]
    found = confident_errors(proba, given, multi_label=True)
    assert {5, 9} <= set(np.flatnonzero(found))
    one = [confident_errors(p[:, None], g[:, None], multi_label=True)
           for p, g in zip(proba.T, given.T, strict=True)]  # fmt: skip
    assert np.array_equal(found, np.any(one, axis=0))


def test_a_class_without_images_is_no_error():
    given = indicator([0, 0, 1, 1], 3)
    proba = np.array([[0.1, 0.0, 0.9], [0.9, 0.1, 0], [0.1, 0.9, 0], [0, 1, 0]])
    assert not confident_errors(proba, given, multi_label=False).any()


def test_a_class_that_one_fold_could_hold_stays_whole():
    given = indicator([0] * 10 + [1] * 10 + [2], 3)
    suspected = np.zeros(21, bool)
    suspected[[0, 1, 2, 3, 4, 5, 6]] = True  # three remain, and a fold of five holds two
    suspected[10:18] = True  # two remain
    suspected[20] = True
    heard = trusted(suspected, given, folds=5)
    assert np.flatnonzero(~heard).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert trusted(suspected, given, folds=2)[:10].all()
