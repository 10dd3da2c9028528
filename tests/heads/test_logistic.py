"""Logistic regression has scikit-learn's objective, on standardised features."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from icehouse.heads import make_head


def pose(classes: int, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(classes)
    y = random.integers(0, classes, n)
    # Features of very different scale and offset, one of them constant.
    X = random.normal(size=(classes, 5))[y] + random.normal(size=(n, 5))
    X = X * [1, 100, 0.01, 1, 0] + [0, 1000, 0, -5, 7]
    return X.astype(np.float32), y


def reference(X: np.ndarray, y: np.ndarray, C: float) -> np.ndarray:
    scaled = StandardScaler().fit_transform(X.astype(np.float64))
    return exact(C).fit(scaled, y).predict_proba(scaled)


def exact(C: float) -> LogisticRegression:
    return LogisticRegression(C=C, tol=1e-8, max_iter=10_000)


@pytest.mark.parametrize("C", [0.01, 1.0])
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_probabilities_agree_with_scikit_learn_on_standardised_features(classes, C):
    X, y = pose(classes)
    ours = make_head("logistic", {"C": C, "tol": 1e-8}).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(ours, reference(X, y, C), atol=1e-4)


def test_multi_label_is_one_regression_for_each_label():
    X, number = pose(3)
    y = (number[:, None] == np.arange(3)).astype(np.int64)
    ours = make_head("logistic", {"C": 1.0, "tol": 1e-8}).fit(X, y).predict_proba(X)
    for label in range(3):
        np.testing.assert_allclose(ours[:, label], reference(X, y[:, label], 1.0)[:, 1], atol=1e-4)


@pytest.mark.parametrize(("value", "expected"), [(0, 0.5 / 201), (1, 200.5 / 201)])
def test_a_label_that_is_constant_is_answered_as_surely_as_the_sample_is_large(value, expected):
    X, number = pose(2)
    y = np.stack([number, np.full_like(number, value)], axis=1)
    proba = make_head("logistic").fit(X, y).predict_proba(X)[:, 1]
    np.testing.assert_allclose(proba, expected, rtol=1e-5)


def test_scale_and_offset_of_a_feature_change_nothing():
    X, y = pose(3)
    moved = X * np.float32(64) + np.float32(8)
    ours = make_head("logistic").fit(X, y).predict_proba(X)
    theirs = make_head("logistic").fit(moved, y).predict_proba(moved)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_without_standardising_features_are_taken_as_they_are():
    X, y = pose(3)
    X = X / np.float32(1000)
    head = make_head("logistic", {"standardise": False, "C": 1.0, "tol": 1e-8}).fit(X, y)
    wide = X.astype(np.float64)
    expected = exact(1.0).fit(wide, y).predict_proba(wide)
    np.testing.assert_allclose(head.predict_proba(X), expected, atol=1e-5)
    assert (head.to_arrays()["mean"] == 0).all()
    assert (head.to_arrays()["scale"] == 1).all()


def test_new_images_are_standardised_as_the_training_images_were():
    X, y = pose(3)
    head = make_head("logistic").fit(X, y)
    one_by_one = np.concatenate([head.predict_proba(row[None]) for row in X[:20]])
    np.testing.assert_allclose(one_by_one, head.predict_proba(X[:20]), atol=1e-6)


def test_the_smaller_c_the_less_sure():
    X, y = pose(3)
    sure = [
        make_head("logistic", {"C": C}).fit(X, y).predict_proba(X).max(axis=1).mean()
        for C in (1e-4, 1e-2, 1.0)
    ]
    assert sure == sorted(sure)
    assert sure[0] < 0.4 < 0.7 < sure[2]
