"""PyTorch's recurrent layers as ONNX operators, which order their gates differently."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nbtextgen.export.graph_builder import Attribute, Graph

_OPERATORS = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}
_GATE_ORDER = {"rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
"""Index of each of ONNX's gates among PyTorch's: GRU z r h in r z n, LSTM i o f c in i f g o."""


def _reorder_gates(weights: NDArray[np.float32], cell: str) -> NDArray[np.float32]:
    """Reorder the rows of a weight or a bias to ONNX's order of gates."""
    blocks = np.split(weights, len(_GATE_ORDER[cell]))
    return np.concatenate([blocks[number] for number in _GATE_ORDER[cell]])


def _pack_weights(graph: Graph, cell: str, layers: Sequence[str]) -> tuple[str, str, str]:
    """Return input weights, recurrent weights and biases of all directions of a layer, as the operators expect them."""

    def stacked(*parts: str) -> NDArray[np.float32]:
        directions = [
            [_reorder_gates(graph.weights[f"{layer}.net.{part}_l0"], cell) for part in parts] for layer in layers
        ]
        return np.stack([np.concatenate(direction) for direction in directions])

    arrays = (stacked("weight_ih"), stacked("weight_hh"), stacked("bias_ih", "bias_hh"))
    inputs, recurrent, biases = (graph.array(array, np.float32) for array in arrays)
    return inputs, recurrent, biases


def _attributes(graph: Graph, cell: str, layers: Sequence[str]) -> dict[str, Attribute]:
    attributes: dict[str, Attribute] = {
        "hidden_size": graph.weights[f"{layers[0]}.net.weight_hh_l0"].shape[1],
        "direction": "bidirectional" if len(layers) == 2 else "forward",
    }
    # PyTorch's GRU multiplies by the reset gate after the recurrent product and its bias.
    return {**attributes, "linear_before_reset": 1} if cell == "gru" else attributes


def over_sequence(graph: Graph, cell: str, layers: Sequence[str], inputs: str, lengths: str) -> tuple[str, list[str]]:
    """Run a layer over ``inputs (batch, length, size)`` in one or both directions, each row up to its own length.

    Args:
        graph: the operators are added to it.
        cell: ``rnn``, ``gru`` or ``lstm``.
        layers: prefixes of the weights' names, one per direction, forward first.
        inputs: the sequences.
        lengths: number of tokens in each row, ``(batch,)``.

    Returns:
        outputs ``(batch, length, directions x hidden)``, and the parts of the state after the last token of each row
        and direction, ``(batch, directions x hidden)``.
    """
    lengths = graph.op("Cast", lengths, to=6)  # 32 bits
    time_major = graph.transpose(inputs, 1, 0, 2)
    count = 3 if cell == "lstm" else 2
    outputs, *state = graph.ops(
        _OPERATORS[cell],
        count,
        time_major,
        *_pack_weights(graph, cell, layers),
        lengths,
        **_attributes(graph, cell, layers),
    )
    concatenated = graph.reshape(graph.transpose(outputs, 2, 0, 1, 3), 0, 0, -1)
    return concatenated, [graph.reshape(graph.transpose(part, 1, 0, 2), 0, -1) for part in state]


def one_step(graph: Graph, cell: str, layer: str, inputs: str, state: Sequence[str]) -> list[str]:
    """Advance ``inputs (rows, size)`` by one token from ``state``, parts of ``(rows, hidden)``; return the next state."""
    first = [graph.op("Unsqueeze", part, graph.array([0])) for part in state]
    sequence = graph.op("Unsqueeze", inputs, graph.array([0]))
    results = graph.ops(
        _OPERATORS[cell],
        1 + len(state),
        sequence,
        *_pack_weights(graph, cell, [layer]),
        "",
        *first,
        **_attributes(graph, cell, [layer]),
    )
    return [graph.op("Squeeze", part, graph.array([0])) for part in results[1:]]
