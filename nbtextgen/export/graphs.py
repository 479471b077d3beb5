"""The network as two ONNX graphs: the encoder, which runs once per source, and one step of the decoder.

The graphs are built operator by operator from options and weights, with one operator per recurrent layer, for any batch
size and length. Tracing the modules with ``torch.onnx`` gave six times as many operators and took twenty seconds.

``encoder``
    Inputs: ``source (batch, source_length)``, padded with 0. Outputs: the memory (``keys``, ``values`` and ``mask``, with
    attention only) and the state before the first token, each part ``(batch, 1, size)``.
``decoder``
    Inputs: the last ``tokens (batch, width)``, the memory, ``copy_ids (batch, source_length)`` with a copy head, and the
    state, each part ``(batch, width, size)``. Outputs: ``log_probabilities (batch, width, vocabulary)``, ``attention
    (batch, width, source_length)`` and the next state, named like the inputs with the prefix ``next_``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nbtextgen.export.graph_builder import BOOL, FLOAT, INT64, Graph
from nbtextgen.export.recurrence import one_step, over_sequence
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.seq2seq import EMBEDDING_SCALE
from nbtextgen.tokenizers.base import BOS, MASK, PAD, UNK

if TYPE_CHECKING:
    import onnx

Weights = Mapping[str, NDArray[np.float32]]


def encoder(config: ModelConfig, weights: Weights) -> onnx.ModelProto:
    """Return the graph that encodes sources."""
    graph = Graph("encoder", weights)
    source = graph.input("source", INT64, "batch", "source_length")
    real = graph.op("Not", graph.op("Equal", source, graph.array(PAD)))
    length = graph.op("Squeeze", graph.op("Shape", source, start=1))
    positions = graph.op("Range", graph.array(0), length, graph.array(1))
    # An empty source still has one position to attend to, as in ``Seq2Seq.encode``.
    mask = graph.op("Or", real, graph.op("Equal", positions, graph.array(0)))
    lengths = graph.op("ReduceSum", graph.op("Cast", mask, to=INT64), graph.array([1]), keepdims=0)
    embedded = _embedding(graph, config, "source_embedding.weight", source)
    encode = _encode if config.encoder_layers else _encode_with_decoder
    outputs, first = encode(graph, config, embedded, lengths)
    if config.attention != "none":
        keys, values = _keys_and_values(graph, config, outputs)
        graph.output("keys", keys, FLOAT, "batch", "source_length", config.hidden_size or 0)
        graph.output("values", values, FLOAT, "batch", "source_length", config.hidden_size or 0)
        graph.output("mask", mask, BOOL, "batch", "source_length")
    _initial_state(graph, config, first, mask)
    return graph.model()


def _encode(graph: Graph, config: ModelConfig, outputs: str, lengths: str) -> tuple[str, list[str]]:
    """Return the encoder's outputs and the parts of the decoder's first state (``Encoder``, ``Decoder.initial_state``)."""
    summary = ""
    for number in range(config.encoder_layers):
        layers = [f"encoder.ahead.{number}"] + [f"encoder.back.{number}"] * config.bidirectional
        outputs, [summary, *_] = over_sequence(graph, config.cell, layers, outputs, lengths)
        outputs = _layer_norm(graph, config, outputs, f"encoder.norms.{number}")
    parts = 2 if config.cell == "lstm" else 1
    bridged = [
        graph.op("Tanh", _linear(graph, f"decoder.bridges.{number}", summary))
        for number in range(config.decoder_layers)
    ]
    return outputs, [part for each in bridged for part in graph.ops("Split", parts, each, axis=-1)]


def _encode_with_decoder(graph: Graph, config: ModelConfig, embedded: str, lengths: str) -> tuple[str, list[str]]:
    """Like ``_encode``, for networks without an encoder (``Decoder.encode``)."""
    leading = graph.op("Shape", embedded, end=2)

    def widened(value: str, size: int) -> str:
        """Append zeros in place of the attention result or the context."""
        return graph.op("Concat", value, _zeros(graph, leading, graph.array([size])), axis=-1)

    inputs = widened(embedded, len(graph.weights["decoder.combine.bias"])) if config.input_feeding else embedded
    first = top = ""
    states: list[str] = []
    for number in range(config.decoder_layers):
        if number:
            inputs = widened(top, config.hidden_size or 0) if config.attention != "none" else top
        above, state = over_sequence(graph, config.cell, [f"decoder.layers.{number}"], inputs, lengths)
        above = _layer_norm(graph, config, above, f"decoder.norms.{number}")
        top = graph.op("Add", above, top) if number > 1 else above
        first = first or above
        states += state
    return first, states


def _linear(graph: Graph, name: str, value: str) -> str:
    """Apply the ``nn.Linear`` called ``name`` to ``value (..., size)``."""
    product = graph.op("MatMul", value, graph.transpose(graph.weight(f"{name}.weight"), 1, 0))
    return graph.op("Add", product, graph.weight(f"{name}.bias")) if f"{name}.bias" in graph.weights else product


def _layer_norm(graph: Graph, config: ModelConfig, value: str, name: str) -> str:
    if not config.layer_norm:
        return value
    scale, shift = graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")
    return graph.op("LayerNormalization", value, scale, shift, axis=-1, epsilon=1e-5)


def _keys_and_values(graph: Graph, config: ModelConfig, encoded: str) -> tuple[str, str]:
    """Return keys and values (``Attention.project``)."""
    name = "decoder.attention.key"
    keys = _linear(graph, name, encoded) if f"{name}.weight" in graph.weights else encoded
    return keys, _linear(graph, "decoder.attention.value", encoded) if config.attention == "multihead" else encoded


def state_parts(config: ModelConfig) -> list[str]:
    """Return the names of the parts of the decoder's state: of its layers, input feeding and coverage."""
    kinds = ("hidden", "cell") if config.cell == "lstm" else ("hidden",)
    layers = [f"{kind}_{number}" for number in range(1, config.decoder_layers + 1) for kind in kinds]
    return [*layers, *["feed"] * config.input_feeding, *["covered"] * config.coverage]


def _initial_state(graph: Graph, config: ModelConfig, first: list[str], mask: str) -> None:
    """Add the decoder's state before the first token to the outputs; input feeding and coverage start from zeros."""
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
    """Return zeros whose shape is the concatenation of ``sizes``."""
    return graph.op("ConstantOfShape", graph.op("Concat", *sizes, axis=0))


def decoder(config: ModelConfig, weights: Weights) -> onnx.ModelProto:
    """Return the graph of one decoding step."""
    graph, hidden = Graph("decoder", weights), config.hidden_size or 0
    tokens = graph.input("tokens", INT64, "batch", "width")
    has_attention = config.attention != "none"
    if has_attention:
        graph.input("keys", FLOAT, "batch", "source_length", hidden)
        graph.input("values", FLOAT, "batch", "source_length", hidden)
        graph.input("mask", BOOL, "batch", "source_length")
    sizes: dict[str, int | str] = {"feed": len(weights["decoder.combine.bias"]), "covered": "source_length"}
    state = {name: graph.input(name, FLOAT, "batch", "width", sizes.get(name, hidden)) for name in state_parts(config)}
    embedded = _target_embedding(graph, config, tokens)
    next_state, features, attention = _step(graph, config, embedded, state)
    output = graph.op("Tanh", _linear(graph, "decoder.combine", features))
    if config.input_feeding:
        next_state["feed"] = output
    logs = _log_probabilities(graph, config, output)
    if config.copy:
        copy_ids = graph.input("copy_ids", INT64, "batch", "source_length")
        gate = graph.op("Sigmoid", _linear(graph, "decoder.gate", graph.op("Concat", features, embedded, axis=-1)))
        logs = _mix_in_copies(graph, logs, gate, attention, copy_ids)
    graph.output(
        "log_probabilities",
        _rule_out_special_tokens(graph, logs, copy=bool(config.copy)),
        FLOAT,
        "batch",
        "width",
        "vocabulary",
    )
    if has_attention:
        graph.output("attention", attention, FLOAT, "batch", "width", "source_length")
    for name, value in next_state.items():
        graph.output(f"next_{name}", value, FLOAT, "batch", "width", sizes.get(name, hidden))
    return graph.model()


def _embedding(graph: Graph, config: ModelConfig, weight: str, ids: str) -> str:
    """Look up an embedding (``nn.Embedding``; ``ScaledEmbedding`` in networks without an encoder)."""
    embedded = graph.op("Gather", graph.weight(weight), ids)
    return embedded if config.encoder_layers else graph.op("Mul", embedded, graph.array(EMBEDDING_SCALE, np.float32))


def _target_embedding(graph: Graph, config: ModelConfig, tokens: str) -> str:
    """Embed target tokens (``Seq2Seq.embed``); a copied word outside the vocabulary is embedded as unknown."""
    size = graph.weights["target_embedding.weight"].shape[0]
    ids = graph.op("Where", graph.op("Less", tokens, graph.array(size)), tokens, graph.array(UNK))
    return _embedding(graph, config, "target_embedding.weight", ids)


def _step(graph: Graph, config: ModelConfig, embedded: str, state: dict[str, str]) -> tuple[dict[str, str], str, str]:
    """Run one step (``Decoder.step``); return the next state, the input of ``combine``, and the attention."""
    first_input = graph.op("Concat", embedded, state["feed"], axis=-1) if config.input_feeding else embedded
    next_state: dict[str, str] = {}

    def layer(number: int, inputs: str) -> str:
        names = [name for name in state if name.endswith(f"_{number + 1}")]
        flat = [_flatten(graph, state[name]) for name in names]
        parts = one_step(graph, config.cell, f"decoder.layers.{number}", _flatten(graph, inputs), flat)
        next_state.update(
            (name, _reshape_like(graph, part, state[name])) for name, part in zip(names, parts, strict=True)
        )
        return _layer_norm(graph, config, next_state[names[0]], f"decoder.norms.{number}")

    top = layer(0, first_input)
    context, attention = _attention(graph, config, top, state) if config.attention != "none" else ("", "")
    if config.coverage:
        next_state["covered"] = graph.op("Add", state["covered"], attention)
    for number in range(1, config.decoder_layers):
        above = layer(number, graph.op("Concat", top, context, axis=-1) if context else top)
        top = graph.op("Add", above, top) if number > 1 else above
    return next_state, graph.op("Concat", top, context, axis=-1) if context else top, attention


def _flatten(graph: Graph, value: str) -> str:
    """Reshape ``(batch, width, size)`` to ``(batch x width, size)``."""
    size = graph.op("Shape", value, start=2)
    return graph.op("Reshape", value, graph.op("Concat", graph.array([-1]), size, axis=0))


def _reshape_like(graph: Graph, value: str, like: str) -> str:
    """Reshape to the shape of another value."""
    return graph.op("Reshape", value, graph.op("Shape", like))


def _attention(graph: Graph, config: ModelConfig, queries: str, state: dict[str, str]) -> tuple[str, str]:
    """Return context and weights for ``queries (batch, width, size)`` (``Attention.forward``)."""
    heads = config.heads if config.attention == "multihead" else 1
    part = (config.hidden_size or 0) // heads

    def split(value: str, *order: int) -> str:
        return graph.transpose(graph.reshape(value, 0, 0, heads, part), *order)

    values = graph.op("Unsqueeze", "values", graph.array([1])) if heads == 1 else split("values", 0, 2, 1, 3)
    if config.attention == "additive":
        query = graph.op("Unsqueeze", _linear(graph, "decoder.attention.query", queries), graph.array([2]))
        summed = graph.op("Tanh", graph.op("Add", query, graph.op("Unsqueeze", "keys", graph.array([1]))))
        scores = graph.op("Squeeze", _linear(graph, "decoder.attention.score", summed), graph.array([3]))
        scores = graph.op("Unsqueeze", scores, graph.array([1]))
    elif config.attention == "multihead":
        query = split(_linear(graph, "decoder.attention.query", queries), 0, 2, 1, 3)
        scores = graph.op("MatMul", query, split("keys", 0, 2, 3, 1))
        scores = graph.op("Mul", scores, graph.array(part**-0.5, np.float32))
    else:
        scores = graph.op("MatMul", queries, graph.transpose("keys", 0, 2, 1))
        scores = graph.op("Unsqueeze", scores, graph.array([1]))
    if config.coverage:
        coverage = graph.op("Mul", graph.weight("decoder.attention.coverage"), state["covered"])
        scores = graph.op("Add", scores, graph.op("Unsqueeze", coverage, graph.array([1])))
    mask = graph.op("Unsqueeze", "mask", graph.array([1, 2]))
    weights = graph.op("Softmax", graph.op("Where", mask, scores, graph.array(-np.inf, np.float32)), axis=-1)
    context = graph.reshape(graph.transpose(graph.op("MatMul", weights, values), 0, 2, 1, 3), 0, 0, -1)
    return context, graph.op("ReduceMean", weights, axes=[1], keepdims=0)


def _log_probabilities(graph: Graph, config: ModelConfig, output: str) -> str:
    """Apply the output layer, which may share the embedding's weights, to ``output (batch, width, size)``."""
    weight = graph.weight("output_weight" if config.untied_output else "target_embedding.weight")
    flat = graph.op("Gemm", _flatten(graph, output), weight, graph.weight("output_bias"), transB=1)
    leading = graph.op("Shape", output, end=2)
    scores = graph.op("Reshape", flat, graph.op("Concat", leading, graph.array([-1]), axis=0))
    return graph.op("LogSoftmax", scores, axis=-1)


def _mix_in_copies(graph: Graph, logs: str, gate: str, attention: str, copy_ids: str) -> str:
    """Mix the copy distribution in (See et al. 2017, eq. 9; ``Seq2Seq._mix_in_copies``)."""
    size = graph.weights["output_bias"].shape[0]
    minimum, maximum, one = (graph.array(number, np.float32) for number in (1e-6, 1 - 1e-6, 1.0))
    gate = graph.op("Clip", gate, minimum, maximum)
    generated = graph.op("Mul", gate, graph.op("Exp", logs))
    mixture = graph.op("Concat", generated, _zeros_for_source_words(graph, generated, copy_ids, size), axis=-1)
    ids = graph.op("Expand", graph.op("Unsqueeze", copy_ids, graph.array([1])), graph.op("Shape", attention))
    pointed = graph.op("Mul", graph.op("Sub", one, gate), attention)
    mixture = graph.op("ScatterElements", mixture, ids, pointed, axis=-1, reduction="add")
    return graph.op("Log", graph.op("Max", mixture, graph.array(1e-12, np.float32)))


def _zeros_for_source_words(graph: Graph, generated: str, copy_ids: str, size: int) -> str:
    """Return zeros for the source words outside the vocabulary, as many as the batch has."""
    highest = graph.op("ReduceMax", copy_ids, axes=[0, 1], keepdims=0)
    count = graph.op("Max", graph.op("Sub", highest, graph.array(size - 1)), graph.array(0))
    return _zeros(graph, graph.op("Shape", generated, end=2), graph.op("Unsqueeze", count, graph.array([0])))


def _rule_out_special_tokens(graph: Graph, logs: str, *, copy: bool) -> str:
    """Rule out special tokens, as ``Seq2Seq.decoding_log_probabilities`` does."""
    size = graph.weights["output_bias"].shape[0]
    penalties = np.zeros(size, np.float32)
    penalties[[PAD, BOS, MASK]] = -np.inf
    penalty = graph.array(penalties, np.float32)
    if copy:
        source_words = graph.op("Sub", graph.op("Shape", logs, start=2), graph.array([size]))
        penalty = graph.op("Concat", penalty, _zeros(graph, source_words), axis=0)
    return graph.op("Add", logs, penalty)
