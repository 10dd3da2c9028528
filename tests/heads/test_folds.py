"""Out-of-fold probabilities: nothing is judged by a head that has seen it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from icehouse.errors import TrainingDataError, UsageError
from icehouse.heads import fit_temperature, make_head, out_of_fold, scale
from icehouse.heads._data import strata_of
from icehouse.heads._split import make_folds

NAMES = np.array(["ash", "birch", "cedar"])
FEW = {
    "mlp": {"epochs": 5, "hidden": 16},
    "logistic": {},
    "forest": {"n_estimators": 11},
    "xgboost": {"n_estimators": 5},
    "knn": {},
}


def ratio(proba: np.ndarray) -> np.ndarray:
    """What a temperature does not change: a quotient of differences of logarithms."""
    logs = np.log(proba.astype(np.float64))
    return (logs[:, 0] - logs[:, 1]) / (logs[:, 0] - logs[:, 2])


@pytest.fixture
def data(labelled):
    return labelled(np.repeat(NAMES, 30), noise=3.0)


@pytest.mark.parametrize("kind", FEW)
def test_every_fold_is_judged_and_calibrated_by_the_others(kind, data):
    head = make_head(kind, FEW[kind])
    found = out_of_fold(head, data, NAMES, folds=3)
    fold = make_folds(data.ids, data.y, 3, 0)
    raw = cross_val_predict(head, data.X, data.y, cv=PredefinedSplit(fold), method="predict_proba")
    target = np.searchsorted(NAMES, data.y)
    for number in range(3):
        held = fold == number
        temperature = fit_temperature(raw[~held], target[~held])
        np.testing.assert_allclose(found.proba[held], scale(raw[held], temperature), atol=1e-6)
    assert found.folds == 3
    assert (found.ids == data.ids).all()
    assert found.proba.shape == (90, 3)
    assert found.proba.dtype == np.float32


def test_the_head_that_is_given_is_not_fitted(data):
    head = make_head("logistic")
    out_of_fold(head, data, NAMES, folds=2)
    assert not hasattr(head, "classes_")


def test_folds_are_the_same_on_every_run_and_others_with_another_seed(data):
    head = make_head("logistic")
    first = out_of_fold(head, data, NAMES).proba
    assert (out_of_fold(head, data, NAMES).proba == first).all()
    assert (out_of_fold(head, data, NAMES, seed=1).proba != first).any()


def test_a_head_that_memorises_knows_nothing_of_labels_that_mean_nothing(labelled):
    y = np.repeat(NAMES, 60)
    data = labelled(y, noise=3.0)
    meaningless = replace(data, y=np.random.default_rng(0).permutation(y))
    head = make_head("knn", {"k": 1})
    memorised = head.fit(data.X, meaningless.y).predict(data.X) == meaningless.y
    honest = NAMES[out_of_fold(head, meaningless, NAMES).proba.argmax(axis=1)] == meaningless.y
    assert memorised.mean() == 1
    assert honest.mean() < 0.45


@pytest.fixture
def flipped(labelled):
    """A set, the same set with one label changed and no image in another fold, and which."""
    ids = labelled(np.zeros(90, int)).ids
    # Folds are dealt class by class in an order of hashes. Where classes follow that order, the
    # last image of one class can become the first of the next without moving any.
    rank = make_folds(ids, np.zeros(90, int), 90, 0)
    before = labelled(NAMES[rank // 30], noise=3.0)
    at = int(np.flatnonzero(rank == 29)[0])
    y = before.y.copy()
    assert y[at] == "ash"
    y[at] = "birch"
    after = replace(before, y=y)
    folds = [make_folds(each.ids, strata_of(each), 3, 0) for each in (before, after)]
    assert (folds[0] == folds[1]).all()
    return before, after, at, folds[0]


def test_an_images_probability_does_not_depend_on_its_own_label(flipped):
    before, after, at, fold = flipped
    old, new = (
        out_of_fold(make_head("logistic"), each, NAMES, folds=3).proba for each in (before, after)
    )
    with_it = fold == fold[at]
    # But for the one temperature, all that were held out together are judged as before; the
    # others are judged by heads that have seen the changed label.
    np.testing.assert_allclose(ratio(new[with_it]), ratio(old[with_it]), rtol=1e-3)
    assert (np.abs(ratio(new[~with_it]) / ratio(old[~with_it]) - 1) > 1e-3).mean() > 0.9


def test_its_own_label_reaches_an_image_only_through_a_slight_change_of_temperature(flipped):
    before, after, at, _ = flipped
    old, new = (
        out_of_fold(make_head("logistic"), each, NAMES, folds=3).proba for each in (before, after)
    )
    assert np.abs(new[at] - old[at]).max() < 0.02


def test_a_head_that_is_too_sure_is_softened(data):
    head = make_head("logistic", {"C": 100.0})
    found = out_of_fold(head, data, NAMES, folds=3)
    raw = out_of_fold(head, data, NAMES, folds=3, calibrate="none")
    assert raw.proba.max(axis=1).mean() > found.proba.max(axis=1).mean() + 0.05
    right = (NAMES[found.proba.argmax(axis=1)] == data.y).mean()
    assert found.proba.max(axis=1).mean() == pytest.approx(right, abs=0.1)


# Classes that some folds lack


def test_a_class_that_the_training_folds_lack_gets_next_to_nothing(labelled):
    y = np.array(["ash"] * 30 + ["birch"] * 30 + ["cedar"])
    data = labelled(y, noise=3.0)
    found = out_of_fold(make_head("logistic", {"C": 0.01}), data, NAMES, folds=2)
    fold = make_folds(data.ids, y, 2, 0)
    alone = fold == fold[-1]
    assert found.proba[alone, 2].max() < 1e-3
    assert found.proba[~alone, 2].min() > 1e-3
    np.testing.assert_allclose(found.proba.sum(axis=1), 1, atol=1e-6)


def test_a_class_that_no_image_has_any_more_gets_next_to_nothing(labelled):
    data = labelled(np.repeat(NAMES[[0, 2]], 30), noise=3.0)
    found = out_of_fold(make_head("logistic"), data, NAMES, folds=3)
    assert found.proba.shape == (60, 3)
    assert found.proba[:, 1].max() < 1e-3
    assert (NAMES[found.proba.argmax(axis=1)] == data.y).mean() > 0.7


@pytest.mark.parametrize("unknown", ["birch", "date"])
def test_a_label_that_is_no_column_is_an_error_that_names_it(labelled, unknown):
    data = labelled(np.repeat(["ash", unknown, "cedar"], 20))
    with pytest.raises(TrainingDataError, match=unknown):
        out_of_fold(make_head("logistic"), data, np.array(["ash", "cedar"]), folds=2)


def test_a_training_fold_of_one_class_is_an_error(labelled):
    data = labelled(np.array(["ash"] * 9 + ["birch"]))
    with pytest.raises(TrainingDataError, match=r"2 classes or more, got 1 class: .*'ash'"):
        out_of_fold(make_head("logistic"), data, NAMES[:2], folds=2)


# Multi-label


def test_multi_label_sets_are_judged_label_by_label(labelled):
    random = np.random.default_rng(0)
    y = (random.random((120, 3)) < [0.5, 0.3, 0.02]).astype(np.int64)
    data = labelled(y, noise=2.0)
    classes = np.array(data.classes)
    found = out_of_fold(make_head("logistic"), data, classes, folds=4)
    assert found.proba.shape == (120, 3)
    predicted = found.proba >= 0.5
    assert (predicted[:, :2] == y[:, :2]).mean() > 0.8


# How many


@pytest.mark.parametrize(("folds", "images"), [(1, 30), (0, 30), (-2, 30), (5, 4)])
def test_folds_that_cannot_be_made_are_refused(labelled, folds, images):
    data = labelled(NAMES[np.arange(images) % 3])
    with pytest.raises(
        (UsageError, TrainingDataError),
        match=rf"2 folds or more, got {folds}|{folds} folds of {images} labelled",
    ):
        out_of_fold(make_head("logistic"), data, NAMES, folds=folds)


def test_as_many_folds_as_images_leave_one_out(labelled):
    data = labelled(NAMES[np.arange(12) % 3], noise=0.1)
    found = out_of_fold(make_head("knn", {"k": 1}), data, NAMES, folds=12)
    assert (NAMES[found.proba.argmax(axis=1)] == data.y).all()


@pytest.mark.parametrize("number", [2, 3])
def test_a_fold_that_leaves_one_image_to_train_on_is_refused(number, labelled):
    few = labelled(NAMES[[0, 1, 1][:number]])
    with pytest.raises(TrainingDataError, match=f"2 folds leave 1 of {number} labelled images"):
        out_of_fold(make_head("logistic"), few, NAMES[:2], folds=2)


@pytest.mark.parametrize("kind", FEW)
def test_all_are_judged_and_only_some_learnt_from(kind, data):
    head = make_head(kind, FEW[kind])
    teaching = np.arange(90) % 3 > 0
    found = out_of_fold(head, data, NAMES, folds=3, teaching=teaching)
    astray = replace(data, y=np.where(teaching, data.y, np.roll(data.y, 30)))
    fold, target = make_folds(data.ids, data.y, 3, 0), np.searchsorted(NAMES, data.y)
    raw = np.zeros((90, 3), np.float32)
    for number in range(3):
        taught = teaching & (fold != number)
        fitted = make_head(kind, FEW[kind]).fit(astray.X[taught], astray.y[taught])
        raw[fold == number] = fitted.predict_proba(data.X[fold == number])
    for number in range(3):
        taught, held = teaching & (fold != number), fold == number
        temperature = fit_temperature(raw[taught], target[taught])
        np.testing.assert_allclose(found.proba[held], scale(raw[held], temperature), atol=1e-5)


def test_to_learn_from_all_is_the_default(data):
    head = make_head("logistic")
    everyone = out_of_fold(head, data, NAMES, teaching=np.ones(90, bool))
    assert np.array_equal(everyone.proba, out_of_fold(head, data, NAMES).proba)
