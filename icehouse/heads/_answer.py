"""What a head answers to features, and how good that is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from icehouse.heads._base import AnyArray, FloatArray
from icehouse.heads._conformal import measure_sets
from icehouse.heads._metrics import calibration_bins, confidences, measure
from icehouse.heads._stored import StoredHead

Measured = tuple[dict[str, Any], list[list[float]]]  # metrics, and bins of confidence


def answer(stored: StoredHead, X: FloatArray) -> tuple[FloatArray, AnyArray]:  # noqa: N803
    """Return calibrated probabilities of features, and the answers that follow from them."""
    proba = stored.calibrated(X)
    return proba, stored.decide(proba)


def measured(stored: StoredHead, y: AnyArray, proba: FloatArray) -> Measured:
    """Compare calibrated probabilities, and all that follows from them, with labels."""
    predicted = stored.decide(proba)
    metrics = asdict(measure(y, proba, predicted, stored.classes))
    bins = calibration_bins(*confidences(y, proba, predicted, stored.classes))
    if stored.card.coverage is not None and stored.conformal is not None:
        inside = stored.sets(proba, stored.card.coverage)
        metrics["covered"], metrics["set_size"] = measure_sets(y, inside, stored.classes)
    return metrics, bins
