"""Calibration as ONNX operators: one function for all that is a line through the logits."""

from __future__ import annotations

import numpy as np

from icehouse.errors import ExportError
from icehouse.heads._base import FloatArray
from icehouse.heads._calibration import Temperature, Uncalibrated, Vector
from icehouse.heads._stored import StoredHead
from icehouse.heads._temperature import CLIP
from icehouse.heads.export._graph import Graph


def calibrated(graph: Graph, proba: str, stored: StoredHead) -> str:
    """Return calibrated probabilities of a head, (n, n_classes).

    Raises
    ------
    ExportError
        The calibration is no line.
    """
    calibration, multi_label = stored.card.calibration, stored.head.multi_label_
    if isinstance(calibration, Uncalibrated):
        return proba
    if isinstance(calibration, Temperature):
        scales = np.array([1 / calibration.temperature])
        return line(graph, proba, scales, np.zeros(1), multi_label=multi_label)
    if isinstance(calibration, Vector):
        scales, shifts = np.array(calibration.scales), np.array(calibration.shifts)
        return line(graph, proba, scales, shifts, multi_label=multi_label)
    raise ExportError(
        f"head {stored.card.name!r} is calibrated by {calibration.kind} curves, which turn the "
        "last digit of a probability into another answer, so that no two runtimes agree. "
        "Fit it with --calibrate vector or temperature"
    )


def line(
    graph: Graph, proba: str, scales: FloatArray, shifts: FloatArray, *, multi_label: bool
) -> str:
    """Scale and shift logits; see :class:`Vector`."""
    low = graph.constant(CLIP)
    logits = graph.add("Log", graph.add("Max", proba, low))
    if multi_label:
        # 1 - CLIP is no number of float32, so that what is left up to 1 is clipped by itself.
        rest = graph.add("Max", graph.add("Sub", graph.constant(1.0), proba), low)
        logits = graph.add("Sub", logits, graph.add("Log", rest))
    moved = graph.add("Mul", logits, graph.constant(scales))
    moved = graph.add("Add", moved, graph.constant(shifts))
    if multi_label:
        return graph.add("Sigmoid", moved)
    return graph.add("Softmax", moved, attributes={"axis": 1})
