"""The decoder: from the previous tokens and the encoded source to one vector per output position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from nbtextgen.model.attention import Attention, Memory, pad_to
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.initialization import COMBINE_GAIN, initialise_linear
from nbtextgen.model.recurrent import Dropout, RecurrentLayer, RecurrentState


@dataclass(frozen=True)
class Decoded:
    """The decoder's results for every output position.

    Attributes:
        hidden: input of the output layer, ``(batch, steps, output_size)``.
        weights: attention weights, ``(batch, steps, source_length)``; all zero without attention.
        gate: probability of generating from the vocabulary instead of copying, ``(batch, steps)``, or ``None``.
        coverage_loss: coverage loss of every position (See et al. 2017, eq. 12), ``(batch, steps)``, or ``None``.
        features: input of the last hidden layer: top recurrent layer and context, ``(batch, steps, size)``; ``None`` where a
            training goes step by step, which does not need it.
    """

    hidden: Tensor
    weights: Tensor
    gate: Tensor | None = None
    coverage_loss: Tensor | None = None
    features: Tensor | None = None


@dataclass(frozen=True)
class DecoderState:
    """The recurrent state between two steps, one row per hypothesis.

    Attributes:
        layers: the state of every layer, tensors of ``(rows, hidden_size)``.
        feed: the last attention result ``(rows, output_size)``, with input feeding.
        covered: coverage vector, the sum of past attention ``(rows, source_length)``, with coverage.
    """

    layers: tuple[RecurrentState, ...]
    feed: Tensor | None
    covered: Tensor | None

    def select(self, rows: Tensor) -> DecoderState:
        """Return the state of ``rows (kept,)``, in that order."""
        layers = tuple(tuple(part[rows] for part in layer) for layer in self.layers)
        feed = None if self.feed is None else self.feed[rows]
        return DecoderState(layers, feed, None if self.covered is None else self.covered[rows])

    def replace(self, rows: Tensor, other: DecoderState, other_rows: Tensor, length: int) -> DecoderState:
        """Overwrite ``rows (count,)`` with ``other_rows (count,)`` of a new state; reuses this one's storage.

        ``length`` is the padded length of the sources after this.
        """

        def put(mine: Tensor, new: Tensor) -> Tensor:
            mine[rows] = new[other_rows]
            return mine

        layers = tuple(
            tuple(put(mine, new) for mine, new in zip(*states, strict=True))
            for states in zip(self.layers, other.layers, strict=True)
        )
        feed = None if self.feed is None or other.feed is None else put(self.feed, other.feed)
        covered = None
        if self.covered is not None:
            covered = pad_to(self.covered, max(length, self.covered.shape[1]), 1)[:, :length]
            covered[rows] = 0.0
        return DecoderState(layers, feed, covered)


class Decoder(nn.Module):
    """Recurrent layers with attention after the first of them.

    The input of the first layer is the previous tokens alone, so in training it runs over the whole target at once.
    Attention uses its outputs as queries (Luong et al. 2015, sec. 3, without input feeding), and the input of further
    layers is the output of the layer below and the context, as in Wu et al. 2016, sec. 3. With ``input_feeding`` the
    attention result of each step is an input of the next (Luong et al. 2015, sec. 3.3), and training goes step by step.

    Without an encoder (``encoder_layers`` is 0) the same layers run over the source first, and generation starts from
    the state after it: a language model of the concatenation of source and target.
    """

    def __init__(self, config: ModelConfig, embedding_size: int, hidden_size: int, dropout: Dropout) -> None:
        super().__init__()
        self.input_feeding = config.input_feeding
        self.output_size = hidden_size if config.untied_output else embedding_size
        feed_size = self.output_size if config.input_feeding else 0
        context_size = hidden_size if config.attention != "none" else 0
        sizes = [embedding_size + feed_size] + [hidden_size + context_size] * (config.decoder_layers - 1)
        self.layers = nn.ModuleList(RecurrentLayer(config.cell, size, hidden_size) for size in sizes)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden_size) if config.layer_norm else nn.Identity() for _ in sizes)
        self.bridges = nn.ModuleList(
            initialise_linear(nn.Linear(hidden_size, hidden_size * (2 if config.cell == "lstm" else 1)))
            for _ in sizes
            if config.encoder_layers
        )
        self.attention = (
            Attention(config.attention, hidden_size, hidden_size, config.heads, config.coverage)
            if config.attention != "none"
            else None
        )
        self.combine = initialise_linear(nn.Linear(hidden_size + context_size, self.output_size), COMBINE_GAIN)
        self.tanh = nn.Tanh()
        self.gate = nn.Linear(hidden_size + context_size + embedding_size, 1) if config.copy else None
        self.coverage = config.coverage
        self.layer_norm = config.layer_norm
        self.dropout = dropout

    def _layer(self, number: int) -> RecurrentLayer:
        return cast(RecurrentLayer, self.layers[number])

    def initial_state(self, summary: Tensor, memory: Memory) -> DecoderState:
        """Return the state before the first token, from the ``summary`` that the encoder or ``encode`` returns."""
        size = self._layer(0).hidden_size
        if self.bridges:
            states = [torch.tanh(bridge(summary)) for bridge in self.bridges]
        else:
            states = summary.chunk(len(self.layers), -1)
        layers = [tuple(part.contiguous() for part in torch.split(state, size, -1)) for state in states]
        rows, length = memory.mask.shape
        feed = summary.new_zeros(rows, self.output_size) if self.input_feeding else None
        return DecoderState(tuple(layers), feed, summary.new_zeros(rows, length) if self.coverage else None)

    def encode(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Encode a source with the decoder's own layers, for networks without an encoder; arguments as in ``Encoder``.

        Returns:
            outputs of the first layer ``(batch, source_length, hidden_size)``, and the summary: the concatenated states
            of all layers after each row's last token, ``(batch, parts x hidden_size)``.
        """
        lengths = mask.sum(1).numpy(force=True)
        order, outputs, states = list[Tensor](), list[Tensor](), list[Tensor]()
        for length in np.unique(lengths):  # one length at a time, so that padding does not reach the state
            rows = torch.as_tensor(np.flatnonzero(lengths == length), device=mask.device)
            output, state = self._encode_unpadded(embedded[rows, :length])
            order.append(rows)
            outputs.append(nn.functional.pad(output, (0, 0, 0, embedded.shape[1] - int(length))))
            states.append(state)
        if len(order) == 1:
            return outputs[0], states[0]
        back = torch.cat(order).argsort()
        return torch.cat(outputs)[back], torch.cat(states)[back]

    def _encode_unpadded(self, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """Like ``encode``, for rows without padding; the context that layers above the first expect is zero."""
        feed = embedded.new_zeros(*embedded.shape[:2], self.output_size if self.input_feeding else 0)
        inputs = torch.cat([embedded, feed], -1)
        first, state = self._layer(0).run(inputs, self._layer(0).zero_state(inputs))
        first = self.norms[0](first)
        top, states = self.dropout(first), list(state)
        for number in range(1, len(self.layers)):
            layer = self._layer(number)
            inputs = top if self.attention is None else nn.functional.pad(top, (0, layer.hidden_size))
            above, state = layer.run(inputs, layer.zero_state(inputs))
            above = self.dropout(self.norms[number](above))
            top = above + top if number > 1 else above
            states += state
        return first, torch.cat(states, -1)

    def forward(self, embedded: Tensor, state: DecoderState, memory: Memory) -> Decoded:
        """Run all steps with the given inputs (teacher forcing): ``embedded (batch, steps, embedding_size)``."""
        if self.input_feeding:
            return self._decode_stepwise(embedded, state, memory)
        first = self.norms[0](self.layers[0](embedded, state.layers[0]))
        if self.coverage and self.attention is not None:
            context, weights, coverage_loss = self.attention.with_coverage(first, memory)
        else:
            context, weights, coverage_loss = self._attend(first, memory)
        top = self.dropout(first)
        for number in range(1, len(self.layers)):
            inputs = top if context is None else torch.cat([top, context], -1)
            above = self.norms[number](self.layers[number](inputs, state.layers[number]))
            top = self.dropout(above) + top if number > 1 else self.dropout(above)
        return self._output(top, context, embedded, weights, coverage_loss)

    def step(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Decoded, DecoderState]:
        """Run one step for ``rows = batch x width`` hypotheses, with ``width`` in the place of ``steps``.

        ``embedded (batch, width, embedding_size)`` are the last tokens. Returns the result and the next state.
        """
        batch, width, _ = embedded.shape
        inputs = embedded.reshape(batch * width, -1)
        if state.feed is not None:
            inputs = torch.cat([inputs, state.feed], -1)
        states = [self._layer(0).step(inputs, state.layers[0])]
        first = self._normalized(0, states[0][0])
        covered = None if state.covered is None else state.covered.view(batch, width, -1)
        context, weights, coverage_loss = self._attend(first.view(batch, width, -1), memory, covered)
        flat = None if context is None else context.reshape(batch * width, -1)
        top = self.dropout(first) if self.training else first
        for number in range(1, len(self.layers)):
            layer_input = top if flat is None else torch.cat([top, flat], -1)
            states.append(self._layer(number).step(layer_input, state.layers[number]))
            above = self.dropout(self._normalized(number, states[-1][0]))
            top = above + top if number > 1 else above
        decoded = self._output(top.view(batch, width, -1), context, embedded, weights, coverage_loss)
        feed = None if state.feed is None else decoded.hidden.reshape(batch * width, -1)
        covered = None if covered is None else (covered + weights).view(batch * width, -1)
        return decoded, DecoderState(tuple(states), feed, covered)

    def _normalized(self, number: int, output: Tensor) -> Tensor:
        """Apply layer normalization to a layer's output, if the network has it."""
        return self.norms[number](output) if self.layer_norm else output

    def _decode_stepwise(self, embedded: Tensor, state: DecoderState, memory: Memory) -> Decoded:
        results = list[Decoded]()
        for inputs in torch.split(embedded, 1, 1):
            result, state = self.step(inputs, state, memory)
            results.append(result)

        def join(parts: list[Tensor]) -> Tensor | None:
            return torch.cat(parts, 1) if parts else None

        return Decoded(
            torch.cat([result.hidden for result in results], 1),
            torch.cat([result.weights for result in results], 1),
            join([result.gate for result in results if result.gate is not None]),
            join([result.coverage_loss for result in results if result.coverage_loss is not None]),
            None
            if torch.is_grad_enabled()
            else join([result.features for result in results if result.features is not None]),
        )

    def _attend(
        self, queries: Tensor, memory: Memory, covered: Tensor | None = None
    ) -> tuple[Tensor | None, Tensor, Tensor | None]:
        """Return context, weights and coverage loss; without attention all weights are zero."""
        if self.attention is None:
            return None, queries.new_zeros(*queries.shape[:2], memory.mask.shape[1]), None
        context, weights = self.attention(queries, memory, covered)
        coverage_loss = None if covered is None else torch.minimum(weights, covered).sum(-1)
        return context, weights, coverage_loss

    def _output(
        self, top: Tensor, context: Tensor | None, embedded: Tensor, weights: Tensor, coverage_loss: Tensor | None
    ) -> Decoded:
        features = top if context is None else torch.cat([top, context], -1)
        hidden = self.tanh(self.combine(features))
        gate = None if self.gate is None else torch.sigmoid(self.gate(torch.cat([features, embedded], -1))).squeeze(-1)
        return Decoded(hidden, weights, gate, coverage_loss, features)
