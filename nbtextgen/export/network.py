"""The network as two ONNX graphs: the encoder, run once for each source, and one step of the decoder.

They are written out operator by operator from settings and weights: a dozen of them, the recurrent layers whole, every
batch and length allowed. Tracing the modules with ``torch.onnx`` gave six times as many and took twenty seconds.

``encoder``
    ``source (batch, source_length)``, padded with 0, to the memory (``keys``, ``values``, ``mask``; without attention none)
    and the state before the first token, each part ``(batch, 1, size)``.
``decoder``
    the last ``tokens (batch, width)``, the memory, ``copy_ids (batch, source_length)`` with a copy head, and the state
    ``(batch, width, size)``, to ``log_probabilities (batch, width, vocabulary)``, ``attention (batch, width,
    source_length)`` and the next state under the names it came with, led by ``next_``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nbtextgen.export.graph import FLOAT, TRUTH, WHOLE, Graph
from nbtextgen.export.recurrence import one_step, over_sequence
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.seq2seq import EMBEDDING_SCALE
from nbtextgen.tokenizers.base import BOS, MASK, PAD, UNK

if TYPE_CHECKING:
    import onnx

Weights = Mapping[str, NDArray[np.float32]]


def encoder(config: ModelConfig, weights: Weights) -> onnx.ModelProto:
    """The graph that reads a source."""
    graph = Graph("encoder", weights)
    source = graph.input("source", WHOLE, "batch", "source_length")
    real = graph.op("Not", graph.op("Equal", source, graph.array(PAD)))
    length = graph.op("Squeeze", graph.op("Shape", source, start=1))
    positions = graph.op("Range", graph.array(0), length, graph.array(1))
    # An empty source still has one position to attend to.
    mask = graph.op("Or", real, graph.op("Equal", positions, graph.array(0)))
    lengths = graph.op("ReduceSum", graph.op("Cast", mask, to=WHOLE), graph.array([1]), keepdims=0)
    embedded = _looked_up(graph, config, "source_embedding.weight", source)
    read = _encoded if config.encoder_layers else _read_by_decoder
    outputs, first = read(graph, config, embedded, lengths)
    if config.attention != "none":
        keys, values = _projected(graph, config, outputs)
        graph.output("keys", keys, FLOAT, "batch", "source_length", config.hidden_size or 0)
        graph.output("values", values, FLOAT, "batch", "source_length", config.hidden_size or 0)
        graph.output("mask", mask, TRUTH, "batch", "source_length")
    _initial(graph, config, first, mask)
    return graph.model()


def _encoded(graph: Graph, config: ModelConfig, outputs: str, lengths: str) -> tuple[str, list[str]]:
    """Outputs of the encoder, and the decoder's first state, layer by layer, as ``Encoder`` and ``Decoder.initial``."""
    summary = ""
    for number in range(config.encoder_layers):
        layers = [f"encoder.ahead.{number}"] + [f"encoder.back.{number}"] * config.bidirectional
        outputs, [summary, *_] = over_sequence(graph, config.cell, layers, outputs, lengths)
        outputs = _normed(graph, config, outputs, f"encoder.norms.{number}")
    parts = 2 if config.cell == "lstm" else 1
    bridged = [
        graph.op("Tanh", _linear(graph, f"decoder.bridges.{number}", summary))
        for number in range(config.decoder_layers)
    ]
    return outputs, [part for each in bridged for part in graph.ops("Split", parts, each, axis=-1)]


def _read_by_decoder(graph: Graph, config: ModelConfig, embedded: str, lengths: str) -> tuple[str, list[str]]:
    """The same where the decoder's own layers read the source, as ``Decoder.read``."""
    places = graph.op("Shape", embedded, end=2)

    def widened(value: str, size: int) -> str:
        """With zeros where attention's result will be, or its context."""
        return graph.op("Concat", value, _zeros(graph, places, graph.array([size])), axis=-1)

    inputs = widened(embedded, len(graph.weights["decoder.combine.bias"])) if config.input_feeding else embedded
    first = top = ""
    states: list[str] = []
    for number in range(config.decoder_layers):
        if number:
            inputs = widened(top, config.hidden_size or 0) if config.attention != "none" else top
        above, state = over_sequence(graph, config.cell, [f"decoder.layers.{number}"], inputs, lengths)
        above = _normed(graph, config, above, f"decoder.norms.{number}")
        top = graph.op("Add", above, top) if number > 1 else above
        first = first or above
        states += state
    return first, states


def _linear(graph: Graph, name: str, value: str) -> str:
    """``nn.Linear`` of that name over ``value (..., size)``."""
    found = graph.op("MatMul", value, graph.swap(graph.weight(f"{name}.weight"), 1, 0))
    return graph.op("Add", found, graph.weight(f"{name}.bias")) if f"{name}.bias" in graph.weights else found


def _normed(graph: Graph, config: ModelConfig, value: str, name: str) -> str:
    if not config.layer_norm:
        return value
    scale, shift = graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")
    return graph.op("LayerNormalization", value, scale, shift, axis=-1, epsilon=1e-5)


def _projected(graph: Graph, config: ModelConfig, encoded: str) -> tuple[str, str]:
    """Keys and values, as ``Attention.project``."""
    name = "decoder.attention.key"
    keys = _linear(graph, name, encoded) if f"{name}.weight" in graph.weights else encoded
    return keys, _linear(graph, "decoder.attention.value", encoded) if config.attention == "multihead" else encoded


def state_parts(config: ModelConfig) -> list[str]:
    """Names of the decoder's state, layer by layer, and what input feeding and coverage carry."""
    kinds = ("hidden", "cell") if config.cell == "lstm" else ("hidden",)
    layers = [f"{kind}_{number}" for number in range(1, config.decoder_layers + 1) for kind in kinds]
    return [*layers, *["feed"] * config.input_feeding, *["covered"] * config.coverage]


def _initial(graph: Graph, config: ModelConfig, first: list[str], mask: str) -> None:
    """The decoder's state before the first token: of its layers, and what input feeding and coverage begin with."""
    for name, part in zip(state_parts(config), first, strict=False):
        graph.output(name, graph.op("Unsqueeze", part, graph.array([1])), FLOAT, "batch", 1, config.hidden_size or 0)
    batch = graph.op("Shape", mask, end=1)
    if config.input_feeding:
        width = len(graph.weights["decoder.combine.bias"])
        graph.output("feed", _zeros(graph, batch, graph.array([1, width])), FLOAT, "batch", 1, width)
    if config.coverage:
        covered = _zeros(graph, batch, graph.array([1]), graph.op("Shape", mask, start=1))
        graph.output("covered", covered, FLOAT, "batch", 1, "source_length")


def _zeros(graph: Graph, *sizes: str) -> str:
    """Zeros in a shape put together from parts."""
    return graph.op("ConstantOfShape", graph.op("Concat", *sizes, axis=0))


def decoder(config: ModelConfig, weights: Weights) -> onnx.ModelProto:
    """The graph of one step."""
    graph, hidden = Graph("decoder", weights), config.hidden_size or 0
    tokens = graph.input("tokens", WHOLE, "batch", "width")
    attended = config.attention != "none"
    if attended:
        graph.input("keys", FLOAT, "batch", "source_length", hidden)
        graph.input("values", FLOAT, "batch", "source_length", hidden)
        graph.input("mask", TRUTH, "batch", "source_length")
    sizes: dict[str, int | str] = {"feed": len(weights["decoder.combine.bias"]), "covered": "source_length"}
    state = {name: graph.input(name, FLOAT, "batch", "width", sizes.get(name, hidden)) for name in state_parts(config)}
    embedded = _embedded(graph, config, tokens)
    after, seen, attention = _advanced(graph, config, embedded, state)
    output = graph.op("Tanh", _linear(graph, "decoder.combine", seen))
    if config.input_feeding:
        after["feed"] = output
    logs = _log_probabilities(graph, config, output)
    if config.copy:
        copy_ids = graph.input("copy_ids", WHOLE, "batch", "source_length")
        gate = graph.op("Sigmoid", _linear(graph, "decoder.gate", graph.op("Concat", seen, embedded, axis=-1)))
        logs = _mixed(graph, logs, gate, attention, copy_ids)
    graph.output(
        "log_probabilities", _never_written(graph, logs, copy=bool(config.copy)), FLOAT, "batch", "width", "vocabulary"
    )
    if attended:
        graph.output("attention", attention, FLOAT, "batch", "width", "source_length")
    for name, value in after.items():
        graph.output(f"next_{name}", value, FLOAT, "batch", "width", sizes.get(name, hidden))
    return graph.model()


def _looked_up(graph: Graph, config: ModelConfig, weight: str, ids: str) -> str:
    """Rows of an embedding, louder where there is no encoder, as ``LouderEmbedding``."""
    found = graph.op("Gather", graph.weight(weight), ids)
    return found if config.encoder_layers else graph.op("Mul", found, graph.array(EMBEDDING_SCALE, np.float32))


def _embedded(graph: Graph, config: ModelConfig, tokens: str) -> str:
    """Embeddings of tokens; a copied one that the vocabulary lacks is unknown."""
    size = graph.weights["target_embedding.weight"].shape[0]
    known = graph.op("Where", graph.op("Less", tokens, graph.array(size)), tokens, graph.array(UNK))
    return _looked_up(graph, config, "target_embedding.weight", known)


def _advanced(
    graph: Graph, config: ModelConfig, embedded: str, state: dict[str, str]
) -> tuple[dict[str, str], str, str]:
    """All layers of one step, as ``Decoder.step``: the next state, what the output layer reads, and the attention."""
    fed = graph.op("Concat", embedded, state["feed"], axis=-1) if config.input_feeding else embedded
    after: dict[str, str] = {}

    def layer(number: int, inputs: str) -> str:
        names = [name for name in state if name.endswith(f"_{number + 1}")]
        flat = [_flat(graph, state[name]) for name in names]
        parts = one_step(graph, config.cell, f"decoder.layers.{number}", _flat(graph, inputs), flat)
        after.update((name, _as(graph, part, state[name])) for name, part in zip(names, parts, strict=True))
        return _normed(graph, config, after[names[0]], f"decoder.norms.{number}")

    top = layer(0, fed)
    context, attention = _attended(graph, config, top, state) if config.attention != "none" else ("", "")
    if config.coverage:
        after["covered"] = graph.op("Add", state["covered"], attention)
    for number in range(1, config.decoder_layers):
        above = layer(number, graph.op("Concat", top, context, axis=-1) if context else top)
        top = graph.op("Add", above, top) if number > 1 else above
    return after, graph.op("Concat", top, context, axis=-1) if context else top, attention


def _flat(graph: Graph, value: str) -> str:
    """``(batch, width, size)`` as ``(batch x width, size)``."""
    size = graph.op("Shape", value, start=2)
    return graph.op("Reshape", value, graph.op("Concat", graph.array([-1]), size, axis=0))


def _as(graph: Graph, value: str, like: str) -> str:
    """In the shape of another value."""
    return graph.op("Reshape", value, graph.op("Shape", like))


def _attended(graph: Graph, config: ModelConfig, queries: str, state: dict[str, str]) -> tuple[str, str]:
    """Context and weights of ``queries (batch, width, size)``, as ``Attention.forward``."""
    heads = config.heads if config.attention == "multihead" else 1
    part = (config.hidden_size or 0) // heads

    def split(value: str, *order: int) -> str:
        return graph.swap(graph.reshape(value, 0, 0, heads, part), *order)

    values = graph.op("Unsqueeze", "values", graph.array([1])) if heads == 1 else split("values", 0, 2, 1, 3)
    if config.attention == "additive":
        asked = graph.op("Unsqueeze", _linear(graph, "decoder.attention.query", queries), graph.array([2]))
        summed = graph.op("Tanh", graph.op("Add", asked, graph.op("Unsqueeze", "keys", graph.array([1]))))
        scores = graph.op("Squeeze", _linear(graph, "decoder.attention.score", summed), graph.array([3]))
        scores = graph.op("Unsqueeze", scores, graph.array([1]))
    elif config.attention == "multihead":
        asked = split(_linear(graph, "decoder.attention.query", queries), 0, 2, 1, 3)
        scores = graph.op("MatMul", asked, split("keys", 0, 2, 3, 1))
        scores = graph.op("Mul", scores, graph.array(part**-0.5, np.float32))
    else:
        scores = graph.op("MatMul", queries, graph.swap("keys", 0, 2, 1))
        scores = graph.op("Unsqueeze", scores, graph.array([1]))
    if config.coverage:
        known = graph.op("Mul", graph.weight("decoder.attention.coverage"), state["covered"])
        scores = graph.op("Add", scores, graph.op("Unsqueeze", known, graph.array([1])))
    mask = graph.op("Unsqueeze", "mask", graph.array([1, 2]))
    weights = graph.op("Softmax", graph.op("Where", mask, scores, graph.array(-np.inf, np.float32)), axis=-1)
    context = graph.reshape(graph.swap(graph.op("MatMul", weights, values), 0, 2, 1, 3), 0, 0, -1)
    return context, graph.op("ReduceMean", weights, axes=[1], keepdims=0)


def _log_probabilities(graph: Graph, config: ModelConfig, output: str) -> str:
    """The output layer, which may share the embedding's weights, over ``output (batch, width, size)``."""
    weight = graph.weight("output_weight" if config.untied_output else "target_embedding.weight")
    flat = graph.op("Gemm", _flat(graph, output), weight, graph.weight("output_bias"), transB=1)
    leading = graph.op("Shape", output, end=2)
    scores = graph.op("Reshape", flat, graph.op("Concat", leading, graph.array([-1]), axis=0))
    return graph.op("LogSoftmax", scores, axis=-1)


def _mixed(graph: Graph, logs: str, gate: str, attention: str, copy_ids: str) -> str:
    """The mixture of writing and pointing (See et al. 2017, eq. 9), as ``Seq2Seq._distribution``."""
    size = graph.weights["output_bias"].shape[0]
    low, high, one = (graph.array(number, np.float32) for number in (1e-6, 1 - 1e-6, 1.0))
    gate = graph.op("Clip", gate, low, high)
    written = graph.op("Mul", gate, graph.op("Exp", logs))
    mixed = graph.op("Concat", written, _beyond(graph, written, copy_ids, size), axis=-1)
    ids = graph.op("Expand", graph.op("Unsqueeze", copy_ids, graph.array([1])), graph.op("Shape", attention))
    pointed = graph.op("Mul", graph.op("Sub", one, gate), attention)
    mixed = graph.op("ScatterElements", mixed, ids, pointed, axis=-1, reduction="add")
    return graph.op("Log", graph.op("Max", mixed, graph.array(1e-12, np.float32)))


def _beyond(graph: Graph, written: str, copy_ids: str, size: int) -> str:
    """Zeros for the source's own words, as many as the sources at hand have."""
    highest = graph.op("ReduceMax", copy_ids, axes=[0, 1], keepdims=0)
    count = graph.op("Max", graph.op("Sub", highest, graph.array(size - 1)), graph.array(0))
    return _zeros(graph, graph.op("Shape", written, end=2), graph.op("Unsqueeze", count, graph.array([0])))


def _never_written(graph: Graph, logs: str, *, copy: bool) -> str:
    """Rule out the marks that no text consists of."""
    size = graph.weights["output_bias"].shape[0]
    barred = np.zeros(size, np.float32)
    barred[[PAD, BOS, MASK]] = -np.inf
    ruled = graph.array(barred, np.float32)
    if copy:
        longer = graph.op("Sub", graph.op("Shape", logs, start=2), graph.array([size]))
        ruled = graph.op("Concat", ruled, _zeros(graph, longer), axis=0)
    return graph.op("Add", logs, ruled)
