"""One temperature: found where there is one, cautious where there is little to go by."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from icehouse.heads import fit_temperature, scale
from icehouse.heads._metrics import calibration_error


def softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def draw(temperature: float, n: int = 20_000, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are honest once their logits are divided by the temperature."""
    random = np.random.default_rng(0)
    logits = 1.5 * random.normal(size=(n, classes))
    honest = softmax(logits)
    target = (honest.cumsum(axis=1) < random.random((n, 1))).sum(axis=1)
    return softmax(logits * temperature), target


def draw_labels(temperature: float, n: int = 5_000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    logits = 1.5 * random.normal(size=(n, 4))
    target = (random.random((n, 4)) < sigmoid(logits)).astype(np.int64)
    return sigmoid(logits * temperature), target


# Finding it


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 3.5])
@pytest.mark.parametrize("classes", [2, 4])
def test_the_temperature_of_synthetic_logits_is_recovered(temperature, classes):
    proba, target = draw(temperature, classes=classes)
    assert fit_temperature(proba, target) == pytest.approx(temperature, rel=0.05)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_synthetic_multi_label_logits_is_recovered(temperature):
    proba, target = draw_labels(temperature)
    assert fit_temperature(proba, target) == pytest.approx(temperature, rel=0.05)


def test_float32_probabilities_give_the_same_temperature():
    proba, target = draw(2.5)
    single = fit_temperature(proba.astype(np.float32), target)
    assert single == pytest.approx(fit_temperature(proba, target), rel=1e-4)


def test_calibrated_probabilities_are_more_honest_than_before():
    proba, target = draw(3.0)
    fitted, fresh = slice(0, 10_000), slice(10_000, None)
    calibrated = scale(proba[fresh], fit_temperature(proba[fitted], target[fitted]))
    hit = proba[fresh].argmax(axis=1) == target[fresh]
    before = calibration_error(proba[fresh].max(axis=1), hit)
    after = calibration_error(calibrated.max(axis=1), hit)
    assert before > 0.15
    assert after < 0.02
    assert log_loss(target[fresh], calibrated) < log_loss(target[fresh], proba[fresh])


# With little to go by


@pytest.mark.parametrize("shape", [(0, 3), (0,)])
def test_nothing_to_learn_from_leaves_probabilities_as_they_are(shape):
    target = np.zeros(shape, np.int64)
    assert fit_temperature(np.zeros((0, 3)), target) == 1.0


@pytest.mark.parametrize("n", [1, 5, 15])
def test_a_few_images_all_answered_rightly_do_not_make_certain(n):
    proba = np.tile([0.9, 0.06, 0.04], (n, 1))
    temperature = fit_temperature(proba, np.zeros(n, np.int64))
    assert 0.4 < temperature < 1
    assert scale(proba, temperature).max() < 0.998


def test_a_few_images_all_answered_wrongly_do_not_make_clueless():
    proba = np.tile([0.9, 0.06, 0.04], (5, 1))
    temperature = fit_temperature(proba, np.ones(5, np.int64))
    assert 1 < temperature < 4


@pytest.mark.parametrize("right", [True, False])
def test_however_much_is_said_the_temperature_stays_within_bounds(right):
    proba = np.tile([0.6, 0.4], (100_000, 1))
    temperature = fit_temperature(proba, np.full(100_000, 0 if right else 1))
    assert np.exp(-3) <= temperature <= np.exp(3)


def test_certain_probabilities_do_no_harm():
    proba = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], np.float32)
    temperature = fit_temperature(proba, np.array([0, 1, 1]))
    assert np.isfinite(temperature)
    assert np.isfinite(scale(proba, temperature)).all()
    multi = fit_temperature(proba, np.array([[1, 0], [0, 1], [0, 1]]))
    assert np.isfinite(scale(proba, multi, multi_label=True)).all()


# Applying it


@pytest.mark.parametrize("temperature", [0.05, 0.5, 1.0, 2.0, 20.0])
def test_the_most_probable_class_stays_so(temperature):
    proba, _ = draw(2.0, n=1000)
    scaled = scale(proba, temperature)
    assert (scaled.argmax(axis=1) == proba.argmax(axis=1)).all()
    np.testing.assert_allclose(scaled.sum(axis=1), 1)


@pytest.mark.parametrize("temperature", [0.05, 0.5, 1.0, 2.0, 20.0])
@pytest.mark.parametrize("multi_label", [False, True])
def test_a_half_stays_a_half(temperature, multi_label):
    proba = np.full((1, 2), 0.5, np.float32)
    assert scale(proba, temperature, multi_label=multi_label).tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_an_answer_at_the_threshold_of_a_half_does_not_change_sides(temperature):
    positive = np.random.default_rng(0).random(1000)
    binary = np.stack([1 - positive, positive], axis=1)
    for multi_label in (False, True):
        scaled = scale(binary, temperature, multi_label=multi_label)
        assert ((scaled[:, 1] >= 0.5) == (positive >= 0.5)).all()


def test_it_is_the_softmax_of_the_logits_divided_by_the_temperature():
    logits = np.random.default_rng(0).normal(size=(50, 5))
    np.testing.assert_allclose(scale(softmax(logits), 1.7), softmax(logits / 1.7))
    np.testing.assert_allclose(scale(sigmoid(logits), 1.7, multi_label=True), sigmoid(logits / 1.7))


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_temperature_of_1_changes_nothing(multi_label):
    proba, _ = draw(2.0, n=100)
    np.testing.assert_allclose(scale(proba, 1.0, multi_label=multi_label), proba, atol=1e-6)


def test_above_1_softens_and_below_1_sharpens():
    proba = np.array([[0.7, 0.2, 0.1]])
    assert scale(proba, 2.0).max() < 0.7 < scale(proba, 0.5).max()
    labels = np.array([[0.7, 0.2]])
    soft, sharp = (scale(labels, t, multi_label=True) for t in (2.0, 0.5))
    assert soft[0, 0] < 0.7 < sharp[0, 0]
    assert soft[0, 1] > 0.2 > sharp[0, 1]
