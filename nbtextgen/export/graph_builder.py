"""``Graph``: builds an ONNX graph by calling operators like functions that return the names of their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

Attribute = int | float | str | Sequence[int]

OPSET = 17
"""The first version with layer normalization; supported by onnxruntime since 1.12."""
IR_VERSION = 8
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


class Graph:
    """Collects operators, constants, inputs and outputs; values are identified by name."""

    def __init__(self, name: str, weights: Mapping[str, NDArray[np.float32]]) -> None:
        """Start an empty graph.

        Args:
            name: name of the graph.
            weights: arrays by name; only those that are used become part of the graph.
        """
        self.name, self.weights = name, weights
        self._nodes: list[onnx.NodeProto] = []
        self._arrays: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, kind: int, *shape: int | str) -> str:
        """Add an input; dimensions of variable size are given by name."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, value: str, kind: int, *shape: int | str) -> None:
        """Add an output called ``name`` with the given value."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def weight(self, name: str) -> str:
        """Return a weight of the network, which is added to the graph once."""
        if name not in self._arrays:
            self._arrays[name] = numpy_helper.from_array(np.ascontiguousarray(self.weights[name]), name)
        return name

    def array(self, values: ArrayLike, kind: type[np.int64 | np.float32] = np.int64) -> str:
        """Return a constant; small equal constants are added once."""
        array = np.asarray(values, dtype=kind)
        content = array.tobytes().hex() if array.nbytes <= 64 else len(self._arrays)
        name = f"constant {array.dtype} {array.shape} {content}"
        self._arrays.setdefault(name, numpy_helper.from_array(array, name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Attribute) -> str:
        """Apply an operator with one result; an empty name omits an optional input."""
        return self.ops(kind, 1, *inputs, **attributes)[0]

    def ops(self, kind: str, results: int, *inputs: str, **attributes: Attribute) -> list[str]:
        """Apply an operator with several results."""
        names = [f"{kind} {len(self._nodes)}.{number}" for number in range(results)]
        node = helper.make_node(kind, list(inputs), names)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)
        return names

    def reshape(self, value: str, *shape: int) -> str:
        """Reshape: 0 keeps a size, -1 is inferred."""
        return self.op("Reshape", value, self.array(shape))

    def transpose(self, value: str, *order: int) -> str:
        """Reorder the dimensions."""
        return self.op("Transpose", value, perm=list(order))

    def model(self) -> onnx.ModelProto:
        """Return the finished graph after checking it.

        Raises:
            onnx.checker.ValidationError: if the graph is invalid, which would be a bug in this package.
        """
        graph = helper.make_graph(self._nodes, self.name, self._inputs, self._outputs, list(self._arrays.values()))
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="nbtextgen")
        onnx.checker.check_model(model)  # pyright: ignore[reportUnknownMemberType]
        return model
