"""One function for each kind of head: from features to probabilities, as ONNX operators.

Each takes the graph, the name of the features, (n, D), and the fitted head, and returns the name
of the probabilities, (n, n_classes), that ``predict_proba`` would give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from icehouse.heads._base import AnyArray, Head
from icehouse.heads.export._graph import DOUBLE, FLOAT, Graph
from icehouse.heads.export._logits import probabilities
from icehouse.heads.export._trees import forest, xgboost
from icehouse.store import unit

INT64 = np.int64


def logistic(graph: Graph, features: str, head: Head) -> str:
    """One matrix, and what makes probabilities of logits."""
    learnt = head.to_arrays()
    logits = _linear(
        graph, _standardised(graph, features, learnt), learnt["coef"].T, learnt["intercept"]
    )
    return probabilities(graph, logits, len(learnt["coef"]), head)


def mlp(graph: Graph, features: str, head: Head) -> str:
    """Two matrices, with a ReLU between them."""
    learnt = head.to_arrays()
    scaled = _standardised(graph, features, learnt)
    hidden = _linear(graph, scaled, learnt["hidden.weight"], learnt["hidden.bias"])
    hidden = graph.add("Relu", hidden)
    logits = _linear(graph, hidden, learnt["output.weight"], learnt["output.bias"])
    return probabilities(graph, logits, len(learnt["output.bias"]), head)


def knn(graph: Graph, features: str, head: Head) -> str:
    """Cosines to all training vectors, which are part of the graph, and the vote of the best."""
    learnt, settings = head.to_arrays(), head.get_params()
    vectors, target = unit(learnt["vectors"]), learnt["target"]
    k, classes = min(settings["k"], len(vectors)), len(learnt["prior"])
    centred = graph.add("Sub", features, graph.constant(learnt["mean"]))
    length = graph.add("ReduceL2", centred, attributes={"axes": [1], "keepdims": 1})
    length = graph.add("Max", length, graph.constant(1e-30))  # a zero vector stays zero
    cosine = graph.add("MatMul", graph.add("Div", centred, length), graph.constant(vectors.T))
    best = graph.add("TopK", cosine, graph.constant([k], INT64), outputs=2)
    rows = best[:-1] + "1"
    best = graph.add("Clip", best, graph.constant(-1.0), graph.constant(1.0))
    # In float64 from here on: where all neighbours say so, a share has to be 1.
    best = graph.cast(best, DOUBLE)
    best = graph.add("Div", best, graph.constant(settings["temperature"], np.float64))
    weight = graph.add("Softmax", best, attributes={"axis": 1})
    if head.multi_label_:
        said = graph.add("Gather", graph.constant(target, np.uint8), rows, attributes={"axis": 0})
    else:
        said = graph.add("Gather", graph.constant(target, INT64), rows, attributes={"axis": 0})
        depth, off_on = graph.constant(classes, INT64), graph.constant([0, 1])
        said = graph.add("OneHot", said, depth, off_on, attributes={"axis": -1})
    said = graph.cast(said, DOUBLE)
    # (n, 1, k) @ (n, k, n_classes)
    votes = graph.add("MatMul", graph.add("Unsqueeze", weight, graph.constant([1], INT64)), said)
    votes = graph.add("Squeeze", votes, graph.constant([1], INT64))
    votes = graph.add("Mul", votes, graph.constant(k / (k + 1), np.float64))
    prior = graph.constant(learnt["prior"].astype(np.float64) / (k + 1), np.float64)
    return graph.cast(graph.add("Add", votes, prior), FLOAT)


def _standardised(graph: Graph, features: str, learnt: Mapping[str, AnyArray]) -> str:
    centred = graph.add("Sub", features, graph.constant(learnt["mean"]))
    return graph.add("Div", centred, graph.constant(learnt["scale"]))


def _linear(graph: Graph, inputs: str, weight: AnyArray, bias: AnyArray) -> str:
    return graph.add("Gemm", inputs, graph.constant(weight), graph.constant(bias))


EXPORTED: Mapping[str, Callable[[Graph, str, Head], str]] = {
    "logistic": logistic,
    "mlp": mlp,
    "knn": knn,
    "forest": forest,
    "xgboost": xgboost,
}
