"""ROC and precision-recall curves: what other thresholds would do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.metrics import precision_recall_curve, roc_curve

from icehouse.report.page._blocks import Chart, Charts, Section, Table, Words, named, number
from icehouse.report.page._evidence import Evidence
from icehouse.report.page._plot import Axis, Plot, Point, unit_ticks

TONES = "one", "two", "three"
DRAWN, LISTED = 24, 12
CORNER = 0.2

Floats = npt.NDArray[np.float64]
Curve = tuple[Floats, Floats]


def areas_section(evidence: Evidence) -> Section:
    """Return both charts; of many classes the weakest are in colour."""
    numbers = _curves(evidence)
    reading = (
        "Each curve is a class against the rest, at all thresholds: the nearer to the upper "
        "corner, the better the head orders images, wherever the threshold is."
    )
    if not numbers:
        blocks = (Words("No class has images both with and without it: there is no curve."),)
        return Section("curves", "ROC and precision-recall", reading, blocks)
    table = Table(
        "Areas" if len(numbers) <= LISTED else f"Areas of the {LISTED} weakest",
        ("class", "AUC", "average precision"),
        tuple(
            (
                named(evidence.classes[i]),
                number(float(evidence.scores.auc_roc[i])),
                number(float(evidence.scores.average_precision[i])),
            )
            for i in numbers[:LISTED]
        ),
        "lrr",
        folded=True,
    )
    charts = _roc(evidence, numbers), _precision_recall(evidence, numbers)
    return Section("curves", "ROC and precision-recall", reading, (Charts(charts, table),))


def _curves(evidence: Evidence) -> list[int]:
    """Return the classes that have a curve, the weakest by AUC first."""
    areas = evidence.scores.auc_roc
    found = np.flatnonzero(~np.isnan(areas))
    if len(evidence.classes) == 2 and not evidence.multi:
        return [1] if 1 in found else []  # the curve of the other one is the same, turned
    return [int(i) for i in found[np.argsort(areas[found], kind="stable")]]


def _roc(evidence: Evidence, numbers: list[int]) -> Chart:
    curves = {}
    for i in numbers[:DRAWN]:
        false, true, _ = roc_curve(evidence.truth[:, i], evidence.proba[:, i])
        curves[i] = false, true
    # Good heads are told apart in the corner only.
    corner = all(np.interp(CORNER, false, true) >= 1 - CORNER for false, true in curves.values())
    if len(numbers) == 1:
        true_there, false_there, _ = _at_threshold(evidence, numbers[0])
        corner = corner and true_there >= 1 - CORNER and false_there <= CORNER
    plot = Plot(
        "ROC curves",
        _axis("false positives, share", 0, CORNER if corner else 1),
        _axis("true positives, share", 1 - CORNER if corner else 0, 1),
    )
    plot.line([(0, 0), (1, 1)], "guide", "what guessing reaches")
    legend = _draw(evidence, plot, curves, evidence.scores.auc_roc)
    if len(numbers) == 1:
        plot.dot((false_there, true_there), 4.5, "mark", f"threshold {evidence.threshold:g}")
    title = "ROC, the upper left corner" if corner else "ROC"
    return Chart(title, plot.svg(), _said(numbers), legend)


def _precision_recall(evidence: Evidence, numbers: list[int]) -> Chart:
    curves = {}
    for i in numbers[:DRAWN]:
        precision, recall, _ = precision_recall_curve(evidence.truth[:, i], evidence.proba[:, i])
        curves[i] = recall[::-1], precision[::-1]
    corner = all(
        np.interp(1 - CORNER, recall, precision) >= 1 - CORNER
        for recall, precision in curves.values()
    )
    if len(numbers) == 1:
        recall_there, _, precision_there = _at_threshold(evidence, numbers[0])
        corner = corner and min(recall_there, precision_there) >= 1 - CORNER
    low = 1 - CORNER if corner else 0.0
    plot = Plot("Precision-recall curves", _axis("recall", low, 1), _axis("precision", low, 1))
    legend = _draw(evidence, plot, curves, evidence.scores.average_precision)
    if len(numbers) == 1:
        share = float(evidence.truth[:, numbers[0]].mean())
        plot.line([(0, share), (1, share)], "guide", "what guessing reaches")
        plot.dot((recall_there, precision_there), 4.5, "mark", f"threshold {evidence.threshold:g}")
    title = "Precision-recall, the upper right corner" if corner else "Precision-recall"
    return Chart(title, plot.svg(), _said(numbers), legend)


def _said(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return ""
    return "In colour the classes of the smallest areas, with the area under the curve."


def _axis(label: str, low: float, high: float) -> Axis:
    return Axis(label, low, high, unit_ticks(low, high))


def _draw(
    evidence: Evidence, plot: Plot, curves: dict[int, Curve], areas: Floats
) -> tuple[tuple[str, str], ...]:
    """Draw curves, the weakest last and in colour, and return what the colours stand for."""
    said = {i: f"{named(evidence.classes[i])} {areas[i]:.3f}" for i in curves}
    tones = dict(zip(curves, TONES, strict=False))
    for i in reversed(curves):
        points: list[Point] = list(zip(*(axis.tolist() for axis in curves[i]), strict=True))
        plot.line(points, tones.get(i, "faint"), said[i])
    legend = [(tone, said[i]) for i, tone in tones.items()]
    if len(curves) > len(TONES):
        rest = f"the next {len(curves) - len(TONES)}"
        legend.append(("faint", rest))
    if len(curves) == 1:
        legend.append(("mark", f"at the threshold {evidence.threshold:g}"))
    return tuple(legend)


def _at_threshold(evidence: Evidence, i: int) -> tuple[float, float, float]:
    """Return the shares of true and of false positives, and the precision."""
    truth, answered = evidence.truth[:, i], evidence.answered[:, i]
    false = float(answered[~truth].mean())
    return float(evidence.scores.recall[i]), false, float(evidence.scores.precision[i])
