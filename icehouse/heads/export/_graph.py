"""A graph of ONNX operators, put together without the package onnx until it is made a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.errors import MissingExtra

OPSET, ML_OPSET = 17, 3
ML = "ai.onnx.ml"
FLOAT, FLOAT16, DOUBLE = 1, 10, 11  # of TensorProto.DataType
IR_VERSION = 8  # of the same year as the opset: also read by runtimes of that time
PREFIX = "head/"


class Graph:
    """Nodes and constants of a head, which begin at the output of something else."""

    def __init__(self) -> None:
        self.nodes: list[tuple[str, list[str], list[str], str, Mapping[str, Any]]] = []
        self.constants: dict[str, npt.NDArray[Any]] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of all constants."""
        return sum(array.nbytes for array in self.constants.values())

    def constant(self, values: Any, dtype: npt.DTypeLike = np.float32) -> str:
        """Add an array, and return its name."""
        name = f"{PREFIX}constant_{len(self.constants)}"
        self.constants[name] = np.require(values, dtype, "C")
        return name

    def cast(self, value: str, to: int) -> str:
        """Add a change of type."""
        return self.add("Cast", value, attributes={"to": to})

    def add(
        self,
        operator: str,
        *inputs: str,
        attributes: Mapping[str, Any] | None = None,
        domain: str = "",
        outputs: int = 1,
    ) -> str:
        """Add a node, and return the name of its output; of several, those of the first.

        The others end in ``_1``, ``_2`` … instead of ``_0``.
        """
        stem = f"{PREFIX}{operator}_{len(self.nodes)}"
        names = [f"{stem}_{number}" for number in range(outputs)]
        self.nodes.append((operator, list(inputs), names, domain, attributes or {}))
        return names[0]


def library() -> Any:
    """Return the package onnx, which is an extra."""
    try:
        import onnx
    except ImportError:
        raise MissingExtra("onnx", "onnx") from None
    return onnx


def start(dim: int) -> Any:
    """Return a model that gives the features that it is given: float32, (n, dim)."""
    onnx = library()
    features = onnx.helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, ["n", dim])
    return onnx.helper.make_model(
        onnx.helper.make_graph([], "icehouse", [features], []),
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
    )


def extend(model: Any, graph: Graph, output: str, columns: int) -> None:
    """Put a graph behind a model, and name its output ``probabilities``, float32 (n, columns)."""
    onnx = library()
    for name, array in graph.constants.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    for operator, inputs, outputs, domain, attributes in graph.nodes:
        named = ["probabilities" if name == output else name for name in outputs]
        node = onnx.helper.make_node(operator, inputs, named, name=outputs[0], domain=domain)
        for key, value in attributes.items():
            node.attribute.append(onnx.helper.make_attribute(key, value))
        model.graph.node.append(node)
    model.opset_import.append(onnx.helper.make_opsetid(ML, ML_OPSET))
    probabilities = onnx.helper.make_tensor_value_info(
        "probabilities", onnx.TensorProto.FLOAT, ["n", columns]
    )
    model.graph.output.insert(0, probabilities)
