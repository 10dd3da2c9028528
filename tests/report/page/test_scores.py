"""Numbers by class are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    classification_report,
    precision_recall_fscore_support,
    roc_auc_score,
)

from icehouse.report.page._scored import as_text
from icehouse.report.page._scores import score

NAMES = ["ant", "bee", "cat", "dog"]


def drawn(classes=4, images=200, seed=0):
    """Labels, and probabilities that favour them, with many equal ones."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, images)
    logits = random.normal(size=(images, classes)) + 1.2 * np.eye(classes)[labels]
    proba = np.exp(logits).round(1) + 0.05
    return labels, proba / proba.sum(axis=1, keepdims=True)


def compare_means(found, truth, answered, labels=None):
    for name, means in found.means.items():
        average = name.removesuffix(" avg")
        said = precision_recall_fscore_support(
            truth, answered, labels=labels, average=average, zero_division=0
        )
        assert means == pytest.approx(said[:3])


def test_one_label_an_image():
    labels, proba = drawn()
    answers = proba.argmax(axis=1)
    eye = np.eye(4, dtype=bool)
    found = score(eye[labels], eye[answers], proba, multi=False)
    said = precision_recall_fscore_support(labels, answers)
    for ours, theirs in zip((found.precision, found.recall, found.f1), said, strict=False):
        np.testing.assert_allclose(ours, theirs)
    assert found.support.tolist() == said[3].tolist()
    assert found.answers.tolist() == np.bincount(answers, minlength=4).tolist()
    compare_means(found, labels, answers)
    for i in range(4):
        assert found.auc_roc[i] == pytest.approx(roc_auc_score(labels == i, proba[:, i]))
        average = average_precision_score(labels == i, proba[:, i])
        assert found.average_precision[i] == pytest.approx(average)


def test_several_labels_an_image():
    random = np.random.default_rng(1)
    truth = random.random((150, 3)) < 0.4
    proba = np.clip(truth * 0.4 + random.random((150, 3)).round(1) * 0.6, 0, 1)
    truth[0] = False
    proba[0] = 0
    answered = proba >= 0.5
    found = score(truth, answered, proba, multi=True)
    assert list(found.means) == ["micro avg", "macro avg", "weighted avg", "samples avg"]
    compare_means(found, truth.astype(int), answered.astype(int))


def test_a_class_that_is_never_answered_or_never_there():
    labels, proba = drawn(images=60)
    labels[labels == 3] = 0
    proba[:, 2] = 0
    answers = proba.argmax(axis=1)
    eye = np.eye(5, dtype=bool)
    found = score(eye[labels], eye[answers], np.pad(proba, ((0, 0), (0, 1))), multi=False)
    assert found.precision[2] == found.recall[2] == found.f1[2] == 0
    assert np.isnan(found.auc_roc[3])
    assert found.occurs.tolist() == [True, True, True, True, False]
    assert found.order[0] in (2, 3)
    assert 4 not in found.order
    compare_means(found, labels, answers)


def test_the_text_is_the_one_that_scikit_learn_prints(invented):
    labels, proba = drawn()
    evidence = invented(NAMES, labels, proba)
    said = classification_report(
        np.array(NAMES)[labels], np.array(NAMES)[proba.argmax(axis=1)], digits=3
    )
    assert [line.split() for line in as_text(evidence).splitlines() if line] == [
        line.split() for line in said.splitlines() if line
    ]
