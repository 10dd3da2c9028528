"""The solver finds what scikit-learn finds when it is made to search long."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris, load_wine, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from icehouse.heads import make_head
from icehouse.heads._logistic_data import ROUGH_SIZE, LogisticData
from icehouse.heads._logistic_path import best_strength, held_out_loss
from icehouse.heads._logistic_solver import solve

TIGHT = 1e-8


def scaled(X):
    return StandardScaler().fit_transform(X).astype(np.float32)


def wide(n=5000, d=512, classes=5):
    """Enough numbers for the steps on rounded features, of a spectrum that falls off."""
    X, y = make_classification(
        n, d, n_informative=40, n_redundant=200, n_classes=classes, class_sep=2, random_state=0
    )
    assert X.size >= ROUGH_SIZE
    return scaled(X), y


SETS = {
    "iris": lambda: (scaled(load_iris().data), load_iris().target),
    "wine": lambda: (scaled(load_wine().data), load_wine().target),
    "digits": lambda: (scaled(load_digits().data), load_digits().target),
    "wide": wide,
}


def reference(C, X, y, weight=None):
    model = LogisticRegression(C=C, tol=1e-8, max_iter=20_000)
    return model.fit(X.astype(np.float64), y, weight)


def objective(X, y, coef, intercept, C):
    logits = X.astype(np.float64) @ coef.T.astype(np.float64) + intercept
    if logits.shape[1] == 1:
        logits = np.concatenate([-logits, logits], axis=1) / 2
    highest = logits.max(axis=1)
    total = np.log(np.exp(logits - highest[:, None]).sum(axis=1)) + highest
    loss = (total - logits[np.arange(len(y)), y]).mean()
    return loss + (coef.astype(np.float64) ** 2).sum() / (2 * C * len(y))


def relative(ours, theirs):
    return np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)


@pytest.mark.parametrize("C", [0.01, 1.0])
@pytest.mark.parametrize("name", SETS)
def test_coefficients_and_objective_are_those_of_scikit_learn(name, C):
    X, y = SETS[name]()
    theirs = reference(C, X, y)
    lowest = objective(X, y, theirs.coef_, theirs.intercept_, C)
    found = solve(LogisticData(X, y), C, tolerance=TIGHT)
    assert relative(found.coef, theirs.coef_) < 1e-4
    assert objective(X, y, found.coef, found.intercept, C) == pytest.approx(lowest, rel=1e-5)
    assert found.objective == pytest.approx(lowest, rel=1e-5)
    # As it is called by default, it is near in what it is to minimise.
    usual = solve(LogisticData(X, y), C)
    assert usual.gradient <= 1e-4
    assert objective(X, y, usual.coef, usual.intercept, C) == pytest.approx(lowest, abs=1e-4)


@pytest.mark.parametrize("C", [0.01, 1.0])
def test_two_classes_are_one_column(C):
    X, y = wide(classes=2)
    theirs = reference(C, X, y)
    found = solve(LogisticData(X, y[:, None]), C, tolerance=TIGHT)
    assert relative(found.coef, theirs.coef_) < 1e-4
    np.testing.assert_allclose(found.intercept, theirs.intercept_, atol=1e-4)


def test_independent_columns_are_as_many_regressions():
    X, y = SETS["digits"]()
    both = np.stack([y % 2, y > 4], axis=1).astype(np.int64)
    found = solve(LogisticData(X, both), 0.1, tolerance=TIGHT)
    for column in range(2):
        assert relative(found.coef[column], reference(0.1, X, both[:, column]).coef_[0]) < 1e-4


def test_a_weight_is_a_number_of_images():
    X, y = SETS["wine"]()
    weight = np.random.default_rng(0).integers(0, 4, len(y))
    theirs = reference(0.1, X, y, weight)
    found = solve(LogisticData(X, y, weights=weight[None]), 0.1, tolerance=TIGHT)
    assert relative(found.coef, theirs.coef_) < 1e-4


def test_problems_side_by_side_are_solved_as_one_by_one():
    X, y = SETS["digits"]()
    held = np.arange(len(y)) % 3 == np.arange(3)[:, None]
    found = solve(LogisticData(X, y, weights=1.0 - held), 0.1, tolerance=TIGHT)
    for number, left_out in enumerate(held):
        theirs = reference(0.1, X[~left_out], y[~left_out])
        assert relative(found.coef[10 * number : 10 * number + 10], theirs.coef_) < 1e-4


def test_a_penalty_is_what_another_scale_of_a_feature_would_do():
    X, y = SETS["wine"]()
    scale = np.linspace(0.5, 2, X.shape[1], dtype=np.float32)
    theirs = reference(1.0, X / scale, y)
    found = solve(LogisticData(X, y, penalties=scale[None] ** 2), 1.0, tolerance=TIGHT)
    assert relative(found.coef * scale, theirs.coef_) < 1e-4


def test_one_who_begins_near_the_end_has_few_steps_to_go():
    X, y = wide()
    data = LogisticData(X, y)
    cold = solve(data, 0.1)
    assert solve(data, 0.1, cold).steps == 0
    # One label is another now.
    y[0] = (y[0] + 1) % 5
    other = LogisticData(X, y)
    tight = solve(other, 0.1, tolerance=TIGHT)
    warm = solve(other, 0.1, solve(data, 0.1, tolerance=TIGHT), tolerance=TIGHT)
    assert warm.steps < tight.steps / 2
    assert relative(warm.coef, tight.coef) < 1e-4


def test_features_that_say_nothing_or_too_much_have_an_answer():
    y = np.arange(40) % 4
    constant = solve(LogisticData(np.ones((40, 3), np.float32), y), 1.0)
    np.testing.assert_array_equal(constant.coef, 0)
    np.testing.assert_allclose(constant.intercept, constant.intercept.mean(), atol=1e-4)
    separable = np.eye(4, dtype=np.float32)[y] * 1000
    found = solve(LogisticData(separable, y), 1.0)
    assert ((separable @ found.coef.T + found.intercept).argmax(axis=1) == y).all()


def test_the_loss_of_images_held_out_is_their_log_loss():
    X, y = SETS["digits"]()
    held = np.arange(len(y)) % 2 == np.arange(2)[:, None]
    data = LogisticData(X, y, weights=1.0 - held)
    found = solve(data, 0.1, tolerance=TIGHT)
    theirs = [
        log_loss(y[out], reference(0.1, X[~out], y[~out]).predict_proba(X[out])) for out in held
    ]
    ours = held_out_loss(data, found, held.astype(np.float64))
    assert ours == pytest.approx(np.mean(theirs), rel=1e-3)


def test_the_strength_is_the_one_that_cross_validation_finds_best():
    X, y = SETS["wine"]()
    strengths = np.logspace(-3, 1, 5)
    best, start = best_strength(X, y, 3, np.ones(len(y)), strengths)
    # The best of them must also be best by scikit-learn on folds of its own, or next to it.
    from sklearn.model_selection import cross_val_score

    scores = [
        cross_val_score(reference(C, X, y), X, y, cv=5, scoring="neg_log_loss").mean()
        for C in strengths
    ]
    assert abs(int(np.argmax(scores)) - int(np.flatnonzero(strengths == best)[0])) <= 1
    assert relative(start.coef, reference(best, X, y).coef_) < 0.2


def test_auto_is_a_setting_of_the_head():
    X, y = SETS["wine"]()
    head = make_head("logistic", {"C": "auto"}).fit(X, y)
    assert head.C_ in np.logspace(-4, 0.5, 10)
    fixed = make_head("logistic", {"C": head.C_, "tol": TIGHT}).fit(X, y)
    np.testing.assert_allclose(head.predict_proba(X), fixed.predict_proba(X), atol=5e-3)


@pytest.mark.parametrize("n", [2, 3, 7])
def test_auto_works_on_the_fewest_images(n):
    X = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)
    proba = make_head("logistic", {"C": "auto"}).fit(X, np.arange(n) % 2).predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
