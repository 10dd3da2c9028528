"""Calibration as ONNX operators: one function for each way, as in ``heads/_calibration.py``."""

from __future__ import annotations

from icehouse.heads._calibration import CLIP
from icehouse.heads._stored import StoredHead
from icehouse.heads.export._graph import Graph


def calibrated(graph: Graph, proba: str, stored: StoredHead) -> str:
    """Return calibrated probabilities of a head, (n, n_classes)."""
    return temperature(graph, proba, stored.card.temperature, multi_label=stored.head.multi_label_)


def temperature(graph: Graph, proba: str, value: float, *, multi_label: bool) -> str:
    """See :func:`icehouse.heads._calibration.scale`."""
    low, by = graph.constant(CLIP), graph.constant(value)
    logits = graph.add("Log", graph.add("Max", proba, low))
    if not multi_label:
        return graph.add("Softmax", graph.add("Div", logits, by), attributes={"axis": 1})
    # 1 - CLIP is no number of float32, so that what is left up to 1 is clipped by itself.
    rest = graph.add("Max", graph.add("Sub", graph.constant(1.0), proba), low)
    odds = graph.add("Sub", logits, graph.add("Log", rest))
    return graph.add("Sigmoid", graph.add("Div", odds, by))
