"""The forest's arrays answer as scikit-learn's trees do."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from icehouse.heads import make_head

TREES = 20


def grid(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Small whole numbers, so that halves between them are the values that trees split at.

    No row is there twice, so that every leaf of a full tree is of one class.
    """
    random = np.random.default_rng(0)
    X = np.unique(random.integers(0, 5, size=(2 * n, 6)), axis=0).astype(np.float32)
    X = random.permutation(X)[:n]
    return X, ((X[:, 0] + X[:, 1] * X[:, 2] + random.integers(0, 3, n)) % 4).astype(int)


def halves() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 11, size=(400, 6)).astype(np.float32) / 2


def reference(X, y, seed=0, **settings) -> RandomForestClassifier:
    return RandomForestClassifier(TREES, random_state=seed, **settings).fit(X, y)


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("classes", [2, 4])
def test_probabilities_are_exactly_those_of_scikit_learn(classes, seed):
    X, y = grid()
    y = np.array(["ash", "birch", "cedar", "date"])[y % classes]
    head = make_head("forest", {"n_estimators": TREES, "seed": seed}).fit(X, y)
    expected = reference(X, y, seed).predict_proba(halves()).astype(np.float32)
    assert (head.predict_proba(halves()) == expected).all()


def test_multi_label_probabilities_are_exactly_those_of_scikit_learn():
    X, number = grid()
    y = np.stack([number == 0, number % 2, X[:, 3] > 2], axis=1).astype(np.int64)
    head = make_head("forest", {"n_estimators": TREES}).fit(X, y)
    theirs = reference(X, y).predict_proba(halves())
    expected = np.stack([label[:, 1] for label in theirs], axis=1).astype(np.float32)
    assert (head.predict_proba(halves()) == expected).all()


def test_labels_that_are_constant_leave_the_others_exactly_as_in_scikit_learn():
    X, number = grid()
    y = np.stack([number * 0, number % 2, number * 0 + 1], axis=1)
    proba = make_head("forest", {"n_estimators": TREES}).fit(X, y).predict_proba(halves())
    theirs = reference(X, y).predict_proba(halves())
    assert (proba[:, 0] == 0).all()
    assert (proba[:, 1] == theirs[1][:, 1].astype(np.float32)).all()
    assert (proba[:, 2] == 1).all()


def test_only_constant_labels_are_answered_too():
    X, number = grid()
    y = np.stack([number * 0, number * 0 + 1], axis=1)
    proba = make_head("forest", {"n_estimators": TREES}).fit(X, y).predict_proba(halves())
    assert (proba == [0, 1]).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"max_depth": 3},
        {"min_samples_leaf": 10},
        {"max_features": 0.5, "min_samples_leaf": 3},
        {"max_features": "log2", "max_depth": 1},
    ],
)
def test_settings_mean_what_they_mean_in_scikit_learn(settings):
    X, y = grid()
    head = make_head("forest", {"n_estimators": TREES, **settings}).fit(X, y)
    expected = reference(X, y, **settings).predict_proba(halves())
    np.testing.assert_allclose(head.predict_proba(halves()), expected, atol=1e-6)


def test_trees_that_are_a_single_leaf_answer_with_the_share_of_their_sample():
    X, y = grid()
    head = make_head("forest", {"n_estimators": TREES, "min_samples_leaf": 200}).fit(X, y)
    assert len(head.to_arrays()["left"]) == TREES
    expected = reference(X, y, min_samples_leaf=200).predict_proba(X)
    np.testing.assert_allclose(head.predict_proba(X), expected, atol=1e-6)


def test_every_tree_is_kept_whole():
    X, y = grid()
    arrays = make_head("forest", {"n_estimators": TREES}).fit(X, y).to_arrays()
    trees = [tree.tree_ for tree in reference(X, y).estimators_]
    assert len(arrays["roots"]) == TREES
    assert len(arrays["left"]) == sum(tree.node_count for tree in trees)
    inner = arrays["left"] >= 0
    children = np.concatenate([arrays["left"][inner], arrays["right"][inner]])
    # Every node but the roots is the child of exactly one other.
    nodes = np.setdiff1d(np.arange(len(arrays["left"])), arrays["roots"])
    assert np.sort(children).tolist() == nodes.tolist()
