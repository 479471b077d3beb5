"""PyTorch's recurrent layers as ONNX operators, whose gates stand in another order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nbtextgen.export.graph import Graph

_KINDS = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}
_ORDER = {"rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
"""Where ONNX's gates are among PyTorch's: GRU z r h among r z n, LSTM i o f c among i f g o."""


def _gates(weights: NDArray[np.float32], cell: str) -> NDArray[np.float32]:
    """Rows of a weight or a bias in ONNX's order of gates."""
    blocks = np.split(weights, len(_ORDER[cell]))
    return np.concatenate([blocks[number] for number in _ORDER[cell]])


def _packed(graph: Graph, cell: str, layers: Sequence[str]) -> tuple[str, str, str]:
    """Input weights, recurrent weights and biases of a layer's directions, as the operators take them."""

    def stacked(*parts: str) -> NDArray[np.float32]:
        found = [[_gates(graph.weights[f"{layer}.net.{part}_l0"], cell) for part in parts] for layer in layers]
        return np.stack([np.concatenate(each) for each in found])

    arrays = (stacked("weight_ih"), stacked("weight_hh"), stacked("bias_ih", "bias_hh"))
    inputs, recurrent, biases = (graph.array(array, np.float32) for array in arrays)
    return inputs, recurrent, biases


def _attributes(graph: Graph, cell: str, layers: Sequence[str]) -> dict[str, object]:
    found: dict[str, object] = {
        "hidden_size": graph.weights[f"{layers[0]}.net.weight_hh_l0"].shape[1],
        "direction": "bidirectional" if len(layers) == 2 else "forward",
    }
    # PyTorch's GRU multiplies by the reset gate after the recurrent product and its bias.
    return {**found, "linear_before_reset": 1} if cell == "gru" else found


def over_sequence(graph: Graph, cell: str, layers: Sequence[str], inputs: str, lengths: str) -> tuple[str, list[str]]:
    """Run over ``inputs (batch, length, size)`` in one direction or two, each row to its own length.

    Args:
        graph: where it is added.
        cell: ``rnn``, ``gru`` or ``lstm``.
        layers: names of the layer's weights, the backward direction second.
        inputs: the sequences.
        lengths: how long each row is, ``(batch,)``.

    Returns:
        outputs ``(batch, length, directions x hidden)``, and the parts of the state after each row's last token (in a
        direction, its own last), ``(batch, directions x hidden)``.
    """
    lengths = graph.op("Cast", lengths, to=6)  # 32 bits
    turned = graph.swap(inputs, 1, 0, 2)
    count = 3 if cell == "lstm" else 2
    outputs, *state = graph.ops(
        _KINDS[cell], count, turned, *_packed(graph, cell, layers), lengths, **_attributes(graph, cell, layers)
    )
    together = graph.reshape(graph.swap(outputs, 2, 0, 1, 3), 0, 0, -1)
    return together, [graph.reshape(graph.swap(part, 1, 0, 2), 0, -1) for part in state]


def one_step(graph: Graph, cell: str, layer: str, inputs: str, state: Sequence[str]) -> list[str]:
    """Advance ``inputs (rows, size)`` by one token from a state, parts of ``(rows, hidden)``; gives the next state."""
    first = [graph.op("Unsqueeze", part, graph.array([0])) for part in state]
    sequence = graph.op("Unsqueeze", inputs, graph.array([0]))
    results = graph.ops(
        _KINDS[cell],
        1 + len(state),
        sequence,
        *_packed(graph, cell, [layer]),
        "",
        *first,
        **_attributes(graph, cell, [layer]),
    )
    return [graph.op("Squeeze", part, graph.array([0])) for part in results[1:]]
