"""A head that follows its labels is the head that a new fit would find."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris

from icehouse.errors import TrainingDataError, UsageError
from icehouse.heads import LiveHead, make_head

EXACT = {"C": 0.1, "tol": 1e-8}


def named(target):
    return np.array([f"class {number}" for number in target])


@pytest.fixture(params=["ten classes", "two classes"])
def digits(request):
    X, target = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    if request.param == "two classes":
        X, target = X[target < 2], target[target < 2]
    return X, named(target), np.arange(len(target)) % 5


def fitted(X, y):
    return make_head("logistic", EXACT).fit(X, y)


def test_it_begins_as_a_fit_and_its_folds(digits):
    X, y, fold = digits
    train = np.arange(len(y)) % 7 > 0
    live = LiveHead(make_head("logistic", EXACT), X, y, fold, train)
    ours, theirs = live.head.predict_proba(X), fitted(X[train], y[train]).predict_proba(X)
    np.testing.assert_allclose(ours, theirs, atol=2e-4)
    proba = live.proba
    for number in range(5):
        held = fold == number
        theirs = fitted(X[~held], y[~held]).predict_proba(X[held])
        np.testing.assert_allclose(proba[held], theirs, atol=2e-4)


def test_after_a_label_has_changed_it_is_as_a_new_fit(digits):
    X, y, fold = digits
    live = LiveHead(make_head("logistic", EXACT), X, y, fold)
    before = live.proba
    rows = np.array([3, 40, 77])
    y = y.copy()
    y[rows] = [live.classes[1], live.classes[0], live.classes[1]]
    live.relabel(rows, y[rows]).refit()
    assert live.steps <= 3
    cold = LiveHead(make_head("logistic", EXACT), X, y, fold)
    moved = np.abs(cold.proba - before).max()
    assert np.abs(live.proba - cold.proba).max() < 0.3 * moved
    for _ in range(10):
        live.refit()
    np.testing.assert_allclose(live.proba, cold.proba, atol=5e-4)
    np.testing.assert_allclose(live.head.coef_, cold.head.coef_, atol=2e-3)


def test_the_head_can_be_kept_like_any_other(digits):
    X, y, fold = digits
    head = LiveHead(make_head("logistic", EXACT), X, y, fold).head
    other = make_head("logistic", EXACT)
    other.multi_label_, other.classes_, other.n_features_in_ = False, head.classes_, X.shape[1]
    other.from_arrays(head.to_arrays())
    np.testing.assert_array_equal(other.predict_proba(X), head.predict_proba(X))
    assert head.C_ == 0.1


def test_the_strength_is_chosen_once():
    X, target = load_iris(return_X_y=True)
    live = LiveHead(make_head("logistic", {"C": "auto"}), X, named(target), np.arange(150) % 5)
    chosen = make_head("logistic", {"C": "auto"}).fit(X, target).C_
    assert chosen == live.head.C_
    assert chosen == live.relabel(np.array([0]), np.array(["class 1"])).refit().head.C_


def test_a_class_that_is_not_known_is_refused_and_nothing_is_changed():
    X, target = load_iris(return_X_y=True)
    live = LiveHead(make_head("logistic"), X, named(target), np.arange(150) % 5)
    before = live.proba
    with pytest.raises(UsageError, match="no class tulip; a new class takes a new fit"):
        live.relabel(np.array([0, 1]), np.array(["class 1", "tulip"]))
    np.testing.assert_allclose(live.refit().proba, before, atol=1e-4)


def test_one_class_is_refused():
    with pytest.raises(TrainingDataError, match="2 classes or more"):
        LiveHead(make_head("logistic"), np.zeros((9, 2)), named(np.ones(9)), np.arange(9) % 3)
