"""Calibrations: what each can mend, and that few images do no harm."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from sklearn.metrics import log_loss

from icehouse.heads import fit_calibration, fit_temperature, scale
from icehouse.heads._calibration import CALIBRATIONS, read_calibration
from icehouse.heads._metrics import calibration_error

every_kind = pytest.mark.parametrize("kind", CALIBRATIONS)


def softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def draw(bend, n: int = 4_000, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Honest probabilities, bent, and what came out of the honest ones."""
    random = np.random.default_rng(seed)
    logits = 1.5 * random.normal(size=(n, classes))
    honest = softmax(logits)
    target = (honest.cumsum(axis=1) < random.random((n, 1))).sum(axis=1)
    return bend(logits), target


def draw_labels(bend, n: int = 4_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    logits = 1.5 * random.normal(size=(n, 3))
    return bend(logits), (random.random((n, 3)) < sigmoid(logits)).astype(np.int64)


def biased(logits: np.ndarray) -> np.ndarray:
    """One class is said too often and another too rarely, which no one temperature mends."""
    return softmax(1.5 * logits + [1.5, 0.0, -1.0])


def biased_labels(logits: np.ndarray) -> np.ndarray:
    return sigmoid(logits * [1.0, 2.5, 0.6] + [1.5, 0.0, -1.0])


def wavy_labels(logits: np.ndarray) -> np.ndarray:
    """Rises with the truth, but in no straight line of log-odds."""
    return sigmoid(np.sign(logits) * logits**2 + 0.5)


def error(proba: np.ndarray, target: np.ndarray) -> float:
    """Calibration error over all classes, of each against the rest."""
    truth = target if target.ndim == 2 else target[:, None] == np.arange(proba.shape[1])
    return float(
        np.mean([calibration_error(p, t == 1) for p, t in zip(proba.T, truth.T, strict=True)])
    )


# What each can mend


def test_a_vector_mends_what_is_said_too_often_where_a_temperature_cannot():
    (proba, target), (fresh, truth) = draw(biased), draw(biased, seed=1)
    vector = fit_calibration("vector", proba, target)(fresh)
    one = fit_calibration("temperature", proba, target)(fresh)
    assert error(one, truth) > 0.06
    assert error(vector, truth) < 0.03
    assert log_loss(truth, vector) < log_loss(truth, one) - 0.05


def test_a_vector_finds_the_numbers_of_each_label():
    proba, target = draw_labels(biased_labels, n=20_000)
    found = fit_calibration("vector", proba, target)
    np.testing.assert_allclose(found.scales, [1.0, 0.4, 1 / 0.6], rtol=0.1)
    np.testing.assert_allclose(found.shifts, [-1.5, 0.0, 1 / 0.6], atol=0.15)


def test_isotonic_mends_what_no_straight_line_does():
    (proba, target), (fresh, truth) = draw_labels(wavy_labels), draw_labels(wavy_labels, seed=1)
    curve = fit_calibration("isotonic", proba, target)(fresh, multi_label=True)
    line = fit_calibration("vector", proba, target)(fresh, multi_label=True)
    assert error(curve, truth) < 0.03 < error(line, truth)


def test_isotonic_of_several_classes_is_normed():
    (proba, target), (fresh, truth) = draw(biased), draw(biased, seed=1)
    found = fit_calibration("isotonic", proba, target)(fresh)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert error(found, truth) < error(fresh, truth) / 3


def test_none_changes_nothing():
    proba, target = draw(biased)
    assert fit_calibration("none", proba, target)(proba) is proba


def test_the_temperature_is_the_temperature():
    proba, target = draw(biased)
    found = fit_calibration("temperature", proba, target)
    assert found.temperature == fit_temperature(proba, target)
    np.testing.assert_array_equal(found(proba), scale(proba, found.temperature))


# With little to go by


@pytest.mark.parametrize("seed", range(5))
def test_by_fifteen_images_a_vector_is_about_as_good_as_the_temperature(seed):
    def honest(logits: np.ndarray) -> np.ndarray:
        return softmax(2 * logits)

    proba, target = draw(honest, n=15, seed=seed)
    fresh, truth = draw(honest, seed=100)
    one, vector = (fit_calibration(k, proba, target)(fresh) for k in ("temperature", "vector"))
    assert log_loss(truth, vector) < log_loss(truth, one) + 0.02


def test_a_class_that_no_image_held_out_has_is_not_wiped_out():
    proba, target = draw(softmax, n=15)
    target[target == 2] = 0
    for kind in ("vector", "isotonic"):
        found = fit_calibration(kind, proba, target)(np.array([[0.05, 0.05, 0.9]]))
        assert found.argmax() == 2


def test_isotonic_is_no_surer_than_its_number_of_images_allows():
    proba = np.array([[0.9, 0.1]] * 5 + [[0.2, 0.8]] * 5)
    found = fit_calibration("isotonic", proba, np.repeat([0, 1], 5))
    assert found(proba).max() == pytest.approx(11 / 12)
    assert found(np.array([[1.0, 0.0]])).max() == pytest.approx(11 / 12)


@every_kind
@pytest.mark.parametrize("multi_label", [False, True])
def test_without_images_probabilities_stay_as_they_are(kind, multi_label):
    target = np.zeros((0, 3) if multi_label else 0, np.int64)
    found = fit_calibration(kind, np.zeros((0, 3)), target)
    proba, _ = (draw_labels(sigmoid) if multi_label else draw(softmax))[:2]
    np.testing.assert_allclose(found(proba, multi_label=multi_label), proba, atol=1e-6)
    assert found.kind == kind


@every_kind
def test_certainty_does_no_harm(kind):
    proba = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], np.float32)
    found = fit_calibration(kind, proba, np.array([0, 1, 1]))
    assert np.isfinite(found(proba)).all()
    several = fit_calibration(kind, proba, np.array([[1, 0], [0, 1], [0, 1]]))
    assert np.isfinite(several(proba, multi_label=True)).all()


# What all promise


@every_kind
def test_it_comes_back_from_json(kind):
    proba, target = draw(biased, n=200)
    found = fit_calibration(kind, proba, target)
    again = read_calibration(json.loads(json.dumps(asdict(found))))
    assert again == found
    np.testing.assert_array_equal(again(proba), found(proba))


@every_kind
def test_rows_add_up_to_1_and_labels_lie_between_0_and_1(kind):
    proba, target = draw(biased, n=300)
    np.testing.assert_allclose(fit_calibration(kind, proba, target)(proba).sum(axis=1), 1)
    proba, target = draw_labels(biased_labels, n=300)
    found = fit_calibration(kind, proba, target)(proba, multi_label=True)
    assert found.min() >= 0
    assert found.max() <= 1


@every_kind
def test_two_classes_are_each_others_complement_and_keep_their_order(kind):
    random = np.random.default_rng(0)
    positive = random.random(500)
    proba = np.stack([1 - positive, positive], axis=1)
    target = (random.random(500) < positive**2).astype(np.int64)
    found = fit_calibration(kind, proba, target)(proba)
    assert (np.diff(found[np.argsort(positive), 1]) >= -1e-12).all()
