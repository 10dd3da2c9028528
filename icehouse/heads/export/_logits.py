"""What logits stand for, as ONNX operators.

Sigmoids are computed in float64, as here: near 1 a probability in float32 has steps of 6e-8, and
runtimes approximate sigmoids to a few of them. The log-odds that calibration divides are of what is
left up to 1, where one step may be half of it.
"""

from __future__ import annotations

import numpy as np

from icehouse.heads._base import Head
from icehouse.heads.export._graph import DOUBLE, FLOAT, Graph


def probabilities(
    graph: Graph, logits: str, columns: int, head: Head, *, by_exp: bool = False
) -> str:
    """Return the name of probabilities, (n, n_classes), of logits, (n, columns).

    See ``probabilities`` of ``heads/_base.py``; ``by_exp`` says that the head has its sigmoids
    from XGBoost.
    """
    if columns > 1 and not head.multi_label_:
        return graph.add("Softmax", logits, attributes={"axis": 1})
    positive = (_by_exp if by_exp else _by_tanh)(graph, logits)
    if head.multi_label_:
        return positive
    negative = graph.add("Sub", graph.constant(1.0), positive)
    return graph.add("Concat", negative, positive, attributes={"axis": 1})


def _by_tanh(graph: Graph, logits: str) -> str:
    half, one = graph.constant(0.5, np.float64), graph.constant(1.0, np.float64)
    curved = graph.add("Tanh", graph.add("Mul", graph.cast(logits, DOUBLE), half))
    return graph.cast(graph.add("Mul", graph.add("Add", curved, one), half), FLOAT)


def _by_exp(graph: Graph, logits: str) -> str:
    """As XGBoost does it: the exponential as it should be, the rest in float32."""
    curved = graph.add("Exp", graph.cast(graph.add("Neg", logits), DOUBLE))
    rounded = graph.add("Add", graph.cast(curved, FLOAT), graph.constant(1.0))
    return graph.add("Reciprocal", rounded)
