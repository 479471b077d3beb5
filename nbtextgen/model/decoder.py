"""The decoder: from what has been written, and the encoded source, to a vector per output position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from nbtextgen.model.attention import Attention, Memory, pad_to
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.initialization import COMBINE_GAIN, initialise_linear
from nbtextgen.model.recurrent import Dropout, RecurrentLayer, RecurrentState


@dataclass(frozen=True)
class Decoded:
    """What the decoder gives for every output position.

    Attributes:
        hidden: input of the output layer, ``(batch, steps, output_size)``.
        weights: attention, ``(batch, steps, source_length)``; all zero without attention.
        gate: probability of writing from the vocabulary rather than copying, ``(batch, steps)``, or ``None``.
        repeated: coverage loss of every position (See et al. 2017, eq. 12), ``(batch, steps)``, or ``None``.
    """

    hidden: Tensor
    weights: Tensor
    gate: Tensor | None = None
    repeated: Tensor | None = None


@dataclass(frozen=True)
class DecoderState:
    """What one step hands to the next, a row per hypothesis.

    Attributes:
        layers: one recurrent state per layer, parts of ``(rows, hidden_size)``.
        feed: the last attention result ``(rows, output_size)``, with input feeding.
        covered: sum of past attention ``(rows, source_length)``, with coverage.
    """

    layers: tuple[RecurrentState, ...]
    feed: Tensor | None
    covered: Tensor | None

    def select(self, rows: Tensor) -> DecoderState:
        """The state of some rows, in a new order: ``rows (kept,)``."""
        layers = tuple(tuple(part[rows] for part in layer) for layer in self.layers)
        feed = None if self.feed is None else self.feed[rows]
        return DecoderState(layers, feed, None if self.covered is None else self.covered[rows])

    def replace(self, places: Tensor, other: DecoderState, rows: Tensor, length: int) -> DecoderState:
        """This state with some ``rows`` of another in the given ``places``; reuses its storage.

        ``length`` is that of the sources from now on.
        """

        def put(mine: Tensor, new: Tensor) -> Tensor:
            mine[places] = new[rows]
            return mine

        layers = tuple(
            tuple(put(mine, new) for mine, new in zip(*both, strict=True))
            for both in zip(self.layers, other.layers, strict=True)
        )
        feed = None if self.feed is None or other.feed is None else put(self.feed, other.feed)
        covered = None
        if self.covered is not None:
            covered = pad_to(self.covered, max(length, self.covered.shape[1]), 1)[:, :length]
            covered[places] = 0.0
        return DecoderState(layers, feed, covered)


class Decoder(nn.Module):
    """Recurrent layers with attention after the first of them.

    The first layer reads only what was written, so in training it runs over the whole target at once; attention
    then reads its outputs (Luong et al. 2015, sec. 3, without input feeding), and further layers read the context
    beside them, as in Wu et al. 2016, sec. 3. With ``input_feeding`` each attention result is an input of the next
    step (Luong et al. 2015, sec. 3.3), and training goes step by step.

    Without an encoder (``encoder_layers`` is 0) the same layers read the source first, and the state after it is the
    one to write from: a language model of source and target in a row.
    """

    def __init__(self, config: ModelConfig, embedding_size: int, hidden_size: int, dropout: Dropout) -> None:
        super().__init__()
        self.input_feeding = config.input_feeding
        # An output layer that shares the embedding's weights has its width; one of its own has the hidden width.
        self.output_size = hidden_size if config.own_output else embedding_size
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
        self.gate = nn.Linear(hidden_size + context_size + embedding_size, 1) if config.copy else None
        self.coverage = config.coverage
        self.layer_norm = config.layer_norm
        self.dropout = dropout

    def _layer(self, number: int) -> RecurrentLayer:
        return cast(RecurrentLayer, self.layers[number])

    def initial(self, summary: Tensor, memory: Memory) -> DecoderState:
        """The state before the first token, from the source's ``summary`` as the encoder or ``read`` gives it."""
        size = self._layer(0).hidden_size
        if self.bridges:
            halves = [torch.tanh(bridge(summary)) for bridge in self.bridges]
        else:
            halves = summary.chunk(len(self.layers), -1)
        layers = [tuple(part.contiguous() for part in half.split(size, -1)) for half in halves]
        rows, length = memory.mask.shape
        feed = summary.new_zeros(rows, self.output_size) if self.input_feeding else None
        return DecoderState(tuple(layers), feed, summary.new_zeros(rows, length) if self.coverage else None)

    def read(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Read a source in the place of an encoder.

        Args:
            embedded: ``(batch, source_length, embedding_size)``.
            mask: true at tokens, ``(batch, source_length)``.

        Returns:
            outputs of the first layer ``(batch, source_length, hidden_size)``, and the state of all layers after each
            row's last token, its parts side by side ``(batch, parts x hidden_size)``.
        """
        lengths = mask.sum(1)
        order, outputs, states = [], [], []
        for length in lengths.unique().tolist():  # rows of one length at a time: padding must not reach the state
            rows = (lengths == length).nonzero()[:, 0]
            output, state = self._read_whole(embedded[rows, :length])
            order.append(rows)
            outputs.append(nn.functional.pad(output, (0, 0, 0, embedded.shape[1] - length)))
            states.append(state)
        if len(order) == 1:
            return outputs[0], states[0]
        back = torch.cat(order).argsort()
        return torch.cat(outputs)[back], torch.cat(states)[back]

    def _read_whole(self, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """``read`` for rows without padding; layers above the first find zeros where the context will be."""
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
        """All steps with the given inputs (teacher forcing): ``embedded (batch, steps, embedding_size)``."""
        if self.input_feeding:
            return self._step_by_step(embedded, state, memory)
        first = self.norms[0](self.layers[0](embedded, state.layers[0]))
        context, weights, repeated = self._attend_all(first, memory)
        top = self.dropout(first)
        for number in range(1, len(self.layers)):
            inputs = top if context is None else torch.cat([top, context], -1)
            above = self.norms[number](self.layers[number](inputs, state.layers[number]))
            top = self.dropout(above) + top if number > 1 else self.dropout(above)
        return self._finish(top, context, embedded, weights, repeated)

    def step(self, embedded: Tensor, state: DecoderState, memory: Memory) -> tuple[Decoded, DecoderState]:
        """One step for ``rows = batch x width`` hypotheses.

        Args:
            embedded: the last token of every hypothesis ``(batch, width, embedding_size)``.
            state: of the last step, a row per hypothesis.
            memory: the encoded source, once per batch row.

        Returns:
            the result with ``width`` in the place of steps, and the next state.
        """
        batch, width, _ = embedded.shape
        inputs = embedded.reshape(batch * width, -1)
        if state.feed is not None:
            inputs = torch.cat([inputs, state.feed], -1)
        layers = cast("list[RecurrentLayer]", [*self.layers])
        states = [layers[0].step(inputs, state.layers[0])]
        first = self._normed(0, states[0][0])
        covered = None if state.covered is None else state.covered.view(batch, width, -1)
        context, weights, repeated = self._attend(first.view(batch, width, -1), memory, covered)
        flat = None if context is None else context.reshape(batch * width, -1)
        top = self.dropout(first) if self.training else first
        for number in range(1, len(layers)):
            layer_input = top if flat is None else torch.cat([top, flat], -1)
            states.append(layers[number].step(layer_input, state.layers[number]))
            above = self.dropout(self._normed(number, states[-1][0]))
            top = above + top if number > 1 else above
        decoded = self._finish(top.view(batch, width, -1), context, embedded, weights, repeated)
        feed = None if state.feed is None else decoded.hidden.reshape(batch * width, -1)
        added = None if covered is None else (covered + weights).view(batch * width, -1)
        return decoded, DecoderState(tuple(states), feed, added)

    def _normed(self, number: int, output: Tensor) -> Tensor:
        """A layer's output, normalised where the network has layer normalisation."""
        return self.norms[number](output) if self.layer_norm else output

    def _step_by_step(self, embedded: Tensor, state: DecoderState, memory: Memory) -> Decoded:
        results = []
        for inputs in embedded.split(1, 1):
            result, state = self.step(inputs, state, memory)
            results.append(result)
        return _joined(results)

    def _attend(
        self, queries: Tensor, memory: Memory, covered: Tensor | None
    ) -> tuple[Tensor | None, Tensor, Tensor | None]:
        if self.attention is None:
            return None, queries.new_zeros(*queries.shape[:2], memory.mask.shape[1]), None
        context, weights = self.attention(queries, memory, covered)
        repeated = None if covered is None else torch.minimum(weights, covered).sum(-1)
        return context, weights, repeated

    def _attend_all(self, queries: Tensor, memory: Memory) -> tuple[Tensor | None, Tensor, Tensor | None]:
        """Attention of all steps: at once, or in turn where each depends on the ones before (coverage)."""
        if self.coverage and self.attention is not None:
            return self.attention.with_coverage(queries, memory)
        return self._attend(queries, memory, None)

    def _finish(
        self, top: Tensor, context: Tensor | None, embedded: Tensor, weights: Tensor, repeated: Tensor | None
    ) -> Decoded:
        seen = top if context is None else torch.cat([top, context], -1)
        hidden = torch.tanh(self.combine(seen))
        gate = None if self.gate is None else torch.sigmoid(self.gate(torch.cat([seen, embedded], -1))).squeeze(-1)
        return Decoded(hidden, weights, gate, repeated)


def _joined(results: list[Decoded]) -> Decoded:
    """One ``Decoded`` over all steps from one of each."""

    def join(parts: list[Tensor | None]) -> Tensor | None:
        return None if parts[0] is None else torch.cat([part for part in parts if part is not None], 1)

    return Decoded(
        torch.cat([result.hidden for result in results], 1),
        torch.cat([result.weights for result in results], 1),
        join([result.gate for result in results]),
        join([result.repeated for result in results]),
    )
