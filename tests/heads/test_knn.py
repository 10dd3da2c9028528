"""kNN is its documented formula, computed one image after the other."""

from __future__ import annotations

import numpy as np
import pytest

from icehouse.heads import make_head


def pose(classes: int = 3, n: int = 60, D: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(classes)
    y = random.integers(0, classes, n)
    X = random.normal(size=(classes, D))[y] + random.normal(size=(n, D)) + 3
    return X.astype(np.float32), y, random.normal(size=(25, D)) + 3


def formula(X, votes, queries, k, temperature, centre) -> np.ndarray:
    """exp(cosine / temperature) votes of the k nearest, and the class shares as one vote more."""
    mean = X.mean(axis=0, dtype=np.float64) if centre else 0.0
    answers = []
    for query in queries:
        cosines = np.array(
            [
                (query - mean)
                @ (x - mean)
                / np.linalg.norm(query - mean)
                / np.linalg.norm(x - mean)
                for x in X
            ]
        )
        nearest = np.argsort(-cosines)[:k]
        weight = np.exp(cosines[nearest] / temperature)
        vote = weight @ votes[nearest] / weight.sum()
        answers.append((len(nearest) * vote + votes.mean(axis=0)) / (len(nearest) + 1))
    return np.array(answers)


@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.parametrize(("k", "temperature"), [(1, 0.1), (10, 0.1), (7, 1.0), (500, 0.05)])
@pytest.mark.parametrize("classes", [2, 4])
def test_probabilities_are_the_documented_vote(classes, k, temperature, centre):
    X, y, queries = pose(classes)
    settings = {"k": k, "temperature": temperature, "centre": centre}
    ours = make_head("knn", settings).fit(X, y).predict_proba(queries)
    expected = formula(X, np.eye(classes)[y], queries, k, temperature, centre)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_multi_label_probabilities_are_the_documented_vote():
    X, y, queries = pose()
    votes = np.stack([y == 0, y < 2, y * 0 == 0], axis=1).astype(np.int64)
    ours = make_head("knn", {"k": 8}).fit(X, votes).predict_proba(queries)
    np.testing.assert_allclose(ours, formula(X, votes, queries, 8, 0.1, True), atol=1e-5)


def test_neighbours_of_one_mind_do_not_make_another_class_impossible():
    X = np.concatenate([np.eye(4), -np.eye(4)])
    proba = make_head("knn", {"k": 1}).fit(X, [0] * 6 + [1] * 2).predict_proba(X[:1])
    np.testing.assert_allclose(proba, [[(1 + 0.75) / 2, 0.25 / 2]])


def test_an_image_at_the_mean_of_all_is_answered_by_whole_numbers_of_votes():
    X, y, _ = pose(2)
    head = make_head("knn", {"k": 4, "centre": False}).fit(X, y)
    # A zero vector has no direction: all cosines are 0, and all votes weigh the same.
    proba = head.predict_proba(np.zeros((1, 5)))
    votes = (proba[0] * 5 - [np.mean(y == 0), np.mean(y == 1)]).tolist()
    assert votes == pytest.approx(np.round(votes).tolist(), abs=1e-5)


def test_a_cold_vote_is_that_of_the_nearest_alone():
    X, y, queries = pose()
    cold = make_head("knn", {"k": 10, "temperature": 1e-4}).fit(X, y).predict(queries)
    nearest = make_head("knn", {"k": 1}).fit(X, y).predict(queries)
    assert cold.tolist() == nearest.tolist()


def test_answers_do_not_depend_on_the_neighbours_in_the_batch():
    X, y, queries = pose()
    head = make_head("knn").fit(X, y)
    one_by_one = np.concatenate([head.predict_proba(query[None]) for query in queries])
    np.testing.assert_allclose(one_by_one, head.predict_proba(queries), atol=1e-6)
