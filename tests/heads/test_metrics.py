"""The numbers are those of scikit-learn, and mean what they say where it has none."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from sklearn import metrics as sk

from icehouse.heads import measure
from icehouse.heads._metrics import calibration_error


def pose(classes: int, n: int = 200, sure: float = 1.0):
    """Truth, probabilities and the most probable answers; right more often than not."""
    random = np.random.default_rng(classes)
    names = np.array([f"class {i:02d}" for i in range(classes)])
    number = random.integers(0, classes, n)
    logits = random.normal(size=(n, classes)) + sure * np.eye(classes)[number]
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return names[number], proba, names[proba.argmax(axis=1)], names


def labels(n: int = 200, classes: int = 4):
    random = np.random.default_rng(0)
    proba = random.random((n, classes))
    y = (random.random((n, classes)) < proba).astype(np.int64)
    return y, proba, (proba >= 0.5).astype(np.int64), np.arange(classes)


# Against scikit-learn


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_single_label_numbers_are_those_of_scikit_learn(classes):
    y, proba, predicted, names = pose(classes)
    found = measure(y, proba, predicted, names)
    assert found.n == 200
    assert found.top1 == pytest.approx(sk.accuracy_score(y, predicted))
    assert found.precision == pytest.approx(sk.precision_score(y, predicted, average="macro"))
    assert found.recall == pytest.approx(sk.recall_score(y, predicted, average="macro"))
    assert found.f1 == pytest.approx(sk.f1_score(y, predicted, average="macro"))
    assert found.log_loss == pytest.approx(sk.log_loss(y, proba, labels=names))
    auc = (
        sk.roc_auc_score(y == names[1], proba[:, 1])
        if classes == 2
        else sk.roc_auc_score(y, proba, multi_class="ovr", average="macro")
    )
    assert found.auc_roc == pytest.approx(auc)


def test_multi_label_numbers_are_those_of_scikit_learn():
    y, proba, predicted, classes = labels()
    found = measure(y, proba, predicted, classes)
    assert found.n == 200
    assert found.top1 == pytest.approx(sk.accuracy_score(y, predicted))
    assert found.top5 is None
    assert found.precision == pytest.approx(sk.precision_score(y, predicted, average="macro"))
    assert found.recall == pytest.approx(sk.recall_score(y, predicted, average="macro"))
    assert found.f1 == pytest.approx(sk.f1_score(y, predicted, average="macro"))
    assert found.auc_roc == pytest.approx(sk.roc_auc_score(y, proba, average="macro"))
    each = [sk.log_loss(y[:, i], proba[:, i]) for i in range(4)]
    assert found.log_loss == pytest.approx(np.mean(each))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_single_precision_changes_no_number_by_more_than_its_own(dtype):
    y, proba, predicted, names = pose(7)
    found = asdict(measure(y, proba.astype(dtype), predicted, names))
    assert found == pytest.approx(asdict(measure(y, proba, predicted, names)), abs=1e-5)


def test_top5_is_the_share_with_the_truth_among_the_five_most_probable():
    y, proba, predicted, names = pose(12)
    found = measure(y, proba, predicted, names).top5
    order = np.argsort(-proba, axis=1)[:, :5]
    assert found == pytest.approx(np.mean([t in names[o] for t, o in zip(y, order, strict=True)]))
    assert found == pytest.approx(sk.top_k_accuracy_score(y, proba, k=5, labels=names))


@pytest.mark.parametrize(("classes", "there"), [(2, False), (5, False), (6, True)])
def test_top5_is_given_from_six_classes_on(classes, there):
    assert (measure(*pose(classes)).top5 is not None) == there


def test_answers_by_another_threshold_are_measured_as_given():
    y, proba, _, names = pose(2)
    strict = names[(proba[:, 1] >= 0.9).astype(int)]
    found = measure(y, proba, strict, names)
    assert found.top1 == pytest.approx(sk.accuracy_score(y, strict))
    # Probabilities are what they were.
    assert found.log_loss == pytest.approx(sk.log_loss(y, proba, labels=names))


# Classes that are not there


def test_a_class_that_does_not_occur_leaves_no_auc_and_lowers_no_mean():
    y, proba, predicted, names = pose(4)
    here = (y != names[2]) & (predicted != names[2])
    y, proba, predicted = y[here], proba[here], predicted[here]
    found = measure(y, proba, predicted, names)
    assert found.auc_roc is None
    present = [names[0], names[1], names[3]]
    assert found.recall == pytest.approx(
        sk.recall_score(y, predicted, labels=present, average="macro")
    )
    assert found.log_loss == pytest.approx(sk.log_loss(y, proba, labels=names))


def test_a_class_that_is_only_answered_counts_with_precision_0():
    y = np.array(["ash", "ash", "birch"])
    predicted = np.array(["ash", "cedar", "birch"])
    found = measure(y, np.eye(3)[[0, 2, 1]], predicted, np.array(["ash", "birch", "cedar"]))
    assert found.precision == pytest.approx((1 + 1 + 0) / 3)
    assert found.recall == pytest.approx((0.5 + 1 + 0) / 3)


def test_images_of_a_class_that_the_head_does_not_know_count_as_wrong():
    y, proba, predicted, names = pose(6)
    known = measure(y, proba, predicted, names)
    y = np.concatenate([y, np.full(50, "unheard of")])
    proba = np.concatenate([proba, proba[:50]])
    predicted = np.concatenate([predicted, predicted[:50]])
    found = measure(y, proba, predicted, names)
    assert found.n == 250
    assert found.top1 == pytest.approx(known.top1 * 200 / 250)
    assert found.top5 == pytest.approx(known.top5 * 200 / 250)
    assert found.recall == pytest.approx(sk.recall_score(y, predicted, average="macro"))
    # The loss has no column for them, and is that of the others.
    assert found.log_loss == pytest.approx(known.log_loss)
    assert found.ece > known.ece


def test_images_of_unknown_classes_alone_are_all_wrong():
    _, proba, predicted, names = pose(7)
    found = measure(np.full(200, "unheard of"), proba, predicted, names)
    assert (found.top1, found.top5, found.f1, found.auc_roc) == (0.0, 0.0, 0.0, None)


def test_numbers_of_unknown_classes_alone_can_be_written_as_json():
    _, proba, predicted, names = pose(7)
    found = measure(np.full(200, "unheard of"), proba, predicted, names)
    assert "Infinity" not in json.dumps(asdict(found))


def test_one_image_can_be_measured():
    y, proba, predicted, names = pose(3)
    found = measure(y[:1], proba[:1], predicted[:1], names)
    assert found.n == 1
    assert found.auc_roc is None
    assert found.top1 == float(y[0] == predicted[0])


@pytest.mark.parametrize("value", [0, 1])
def test_a_label_that_is_constant_leaves_no_auc(value):
    y, proba, predicted, classes = labels()
    y[:, 2] = value
    assert measure(y, proba, predicted, classes).auc_roc is None


def test_more_classes_than_half_of_the_images_are_measured_without_a_warning():
    _, proba, predicted, names = pose(40, n=40, sure=3.0)
    found = measure(names, proba, predicted, names)
    assert found.n == 40
    assert found.auc_roc is not None


# Certain and wrong


def test_a_certain_and_wrong_answer_costs_much_but_not_infinitely_much():
    y, proba = np.array(["ash", "birch"]), np.array([[1.0, 0.0], [1.0, 0.0]])
    found = measure(y, proba, np.array(["ash", "ash"]), np.array(["ash", "birch"]))
    assert found.log_loss == pytest.approx(-np.log(1e-7) / 2, rel=1e-3)
    multi = measure(np.array([[1, 0]]), np.array([[0.0, 0.0]]), np.array([[0, 0]]), np.arange(2))
    assert multi.log_loss == pytest.approx(-np.log(1e-7) / 2, rel=1e-3)


# Expected calibration error


def test_the_calibration_error_of_a_case_made_by_hand():
    # Of 15 bins the last, from 14/15 = 0.933 on, holds four answers of which two are right; the
    # one below holds two, both right; the rest are empty.
    confidence = np.array([0.94, 0.95, 0.96, 1.0, 0.9, 0.92])
    hit = np.array([True, True, False, False, True, True])
    expected = 4 / 6 * (0.9625 - 0.5) + 2 / 6 * (1 - 0.91)
    assert calibration_error(confidence, hit) == pytest.approx(expected)


def test_errors_of_opposite_sign_cancel_within_a_bin_and_not_between_bins():
    assert calibration_error(np.array([0.5, 0.5]), np.array([True, False])) == 0
    apart = calibration_error(np.array([0.5, 0.9]), np.array([True, False]))
    assert apart == pytest.approx((0.5 + 0.9) / 2)


@pytest.mark.parametrize(("confidence", "hit"), [(1.0, True), (0.0, False)])
def test_certainty_that_is_right_has_no_calibration_error(confidence, hit):
    assert calibration_error(np.full(10, confidence), np.full(10, hit)) == 0


def test_the_calibration_error_is_that_of_the_probability_of_the_given_answer():
    y, proba, _, names = pose(2)
    number = (proba[:, 1] >= 0.8).astype(int)
    found = measure(y, proba, names[number], names)
    confidence = proba[np.arange(200), number]
    assert found.ece == pytest.approx(calibration_error(confidence, names[number] == y))


@pytest.mark.parametrize(
    "threshold",
    [
        0.5,
        0.8,
    ],
)
def test_the_calibration_error_of_multi_label_is_that_of_the_given_answers(threshold):
    y, proba, _, classes = labels()
    predicted = (proba >= threshold).astype(np.int64)
    given = np.where(predicted == 1, proba, 1 - proba)
    expected = calibration_error(given.reshape(-1), (y == predicted).reshape(-1))
    assert measure(y, proba, predicted, classes).ece == pytest.approx(expected)


def test_numbers_are_plain_and_frozen():
    found = measure(*pose(7))
    assert all(type(value) in (int, float) for value in asdict(found).values())
    assert json.loads(json.dumps(asdict(found))) == asdict(found)
    assert replace(found, n=1) != found
