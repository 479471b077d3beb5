"""The decoder in 8-bit integers: what makes writing with large networks several times faster on a processor.

Weights are rounded once, a scale for each output row; inputs at every step, a scale for each row; products are summed
exactly in 32-bit integers and scaled back (Wu et al. 2016, sec. 6; Bhandare et al. 2019). The encoder reads in bf16 where
the processor is fast at it. Attention and all sums of log-probabilities stay in full precision, so outputs differ from
fp32 only where two candidates are nearly as likely, and log-probabilities by a few hundredths of a nat.
"""

from __future__ import annotations

from copy import copy
from typing import cast

import torch
from torch import Tensor, nn

from nbtextgen.model.arithmetic import bf16_pays, has_eight_bit
from nbtextgen.model.attention import Memory
from nbtextgen.model.decoder import Decoder, DecoderState
from nbtextgen.model.recurrent import RecurrentLayer, RecurrentState
from nbtextgen.model.seq2seq import Seq2Seq, State

_WORTH_IT = 1_000_000
"""Weights of the output layer from which on products, not calls, take the time of a step."""

_LEVELS = 127

_ROWS = 32
"""Rows scaled back together: with thousands of outputs their numbers still fit the processor's cache. Beam 5, 64 sources, 8,000
outputs: 10.8 ms for the product and its log-probabilities by 16 rows, 26.0 ms in one piece; 32 rows are as fast in half the calls."""

_TABLE = 1 << 25
"""Numbers, two bytes each, that the first layer's products with all tokens may have to be worked out beforehand."""


def pays_in_eight_bit(network: Seq2Seq) -> bool:
    """Whether a network writes faster in 8-bit integers here: it is large, and the processor has the instructions."""
    weight = network.output_weight
    return weight.device.type == "cpu" and weight.numel() >= _WORTH_IT and has_eight_bit()


class EightBitLinear(nn.Module):
    """``nn.Linear`` for inference, with weights and inputs rounded to 8-bit integers."""

    weight: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """Round ``weight (outputs, inputs)``; the bias stays as it is."""
        super().__init__()
        weight = weight.detach().float()
        largest = weight.abs().amax(1).clamp_min(1e-12)
        rounded = (weight * (_LEVELS / largest)[:, None]).round_().to(torch.int8)
        self.register_buffer("weight", rounded)
        self.register_buffer("scale", largest / _LEVELS)
        self.register_buffer("bias", weight.new_zeros(len(weight)) if bias is None else bias.detach().float())

    def forward(self, inputs: Tensor) -> Tensor:
        """``(..., inputs)`` to ``(..., outputs)``."""
        sums, scales = self._products(inputs)
        found = torch.addcmul(self.bias, sums.float().mul_(self.scale), scales)
        return found.view(*inputs.shape[:-1], -1)

    def log_probabilities(self, inputs: Tensor) -> Tensor:
        """The log-softmax of the outputs: ``(..., inputs)`` to ``(..., outputs)``."""
        sums, scales = self._products(inputs)
        found = scales.new_empty(sums.shape)
        for start in range(0, len(sums), _ROWS):
            part = found[start : start + _ROWS]
            part.copy_(sums[start : start + _ROWS]).mul_(self.scale)
            torch.addcmul(self.bias, part, scales[start : start + _ROWS], out=part)
            torch.log_softmax(part, -1, out=part)
        return found.view(*inputs.shape[:-1], -1)

    def _products(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Whole products ``(rows, outputs)`` with the rounded inputs, and what an input's unit was, ``(rows, 1)``."""
        rows = inputs.reshape(-1, inputs.shape[-1])
        largest = rows.abs().amax(1, keepdim=True).clamp_min_(1e-12)
        rounded = (rows * (_LEVELS / largest)).round_().to(torch.int8)
        sums = torch._int_mm(rounded, self.weight.t())  # pyright: ignore[reportPrivateImportUsage]
        return sums, largest / _LEVELS


class EightBitLayer(nn.Module):
    """One step of a recurrent layer with 8-bit products; gates in PyTorch's order."""

    def __init__(self, layer: RecurrentLayer, *, multiplied: bool) -> None:
        """Round the weights; with ``multiplied`` the inputs of ``step`` come multiplied by them already."""
        super().__init__()
        self.cell, self.hidden_size, net = layer.cell, layer.hidden_size, layer.net
        self.from_input = nn.Identity() if multiplied else EightBitLinear(net.weight_ih_l0, net.bias_ih_l0)
        self.from_hidden = EightBitLinear(net.weight_hh_l0, net.bias_hh_l0)

    def step(self, inputs: Tensor, state: RecurrentState) -> RecurrentState:
        """As ``RecurrentLayer.step``."""
        below, before = self.from_input(inputs), self.from_hidden(state[0])
        if self.cell == "lstm":
            gates = before.add_(below)
            size = self.hidden_size
            new = gates[:, 2 * size : 3 * size].tanh()
            enter, forget, _, out = gates.sigmoid_().chunk(4, -1)
            cell = forget * state[1] + enter * new
            return out * cell.tanh(), cell
        if self.cell == "gru":
            reset, update, new = below.chunk(3, -1)
            reset_before, update_before, new_before = before.chunk(3, -1)
            keep = torch.sigmoid(update + update_before)
            new = torch.tanh(new + torch.sigmoid(reset + reset_before) * new_before)
            return (new + keep * (state[0] - new),)
        return (torch.tanh(below + before),)


class EightBit:
    """A network that encodes as it is and writes in 8-bit integers; see ``decoding.stepper.Stepper``."""

    def __init__(self, network: Seq2Seq) -> None:
        """Round the decoder's weights; later changes of the network's weights are not seen."""
        self.network = network
        self._table = _first_products(network)
        self.decoder = _rounded(network.decoder, multiplied=self._table is not None)
        self.output = EightBitLinear(network.output_weight, network.output_bias)
        self.reorder, self.keep, self.replace = network.reorder, network.keep, network.replace

    def start(self, source: Tensor, width: int, copy_ids: Tensor | None = None) -> State:
        """As ``Seq2Seq.start``; the source is read in bf16 where the processor is fast at it."""
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16_pays()):
            state = self.network.start(source, width, copy_ids)
        memory, decoder = state.memory, state.decoder
        values = memory.values.float()
        keys = values if memory.keys is memory.values else memory.keys.float()
        layers = tuple(tuple(part.float() for part in layer) for layer in decoder.layers)
        feed = None if decoder.feed is None else decoder.feed.float()
        covered = None if decoder.covered is None else decoder.covered.float()
        return State(Memory(keys, values, memory.mask, memory.copy_ids), DecoderState(layers, feed, covered), width)

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """As ``Seq2Seq.step``."""
        if self._table is None:
            inputs = self.network.embed(tokens)
        else:
            inputs = nn.functional.embedding(tokens, self._table).float()
        decoded, after = self.decoder.step(inputs, state.decoder, state.memory)
        logs = self.network.writable(self.output.log_probabilities(decoded.hidden), decoded, state.memory)
        return logs, decoded.weights, State(state.memory, after, state.width)


def _first_products(network: Seq2Seq) -> Tensor | None:
    """What the first layer makes of each token, ``(vocabulary, gates)``, where it reads nothing else and there is room."""
    decoder, net = network.decoder, cast(RecurrentLayer, network.decoder.layers[0]).net
    if decoder.input_feeding or decoder.gate is not None or network.vocabulary_size * len(net.bias_ih_l0) > _TABLE:
        return None
    found = torch.empty(network.vocabulary_size, len(net.bias_ih_l0), dtype=torch.float16)
    with torch.inference_mode():
        for ids in torch.arange(len(found)).split(512):
            found[ids] = nn.functional.linear(network.embed(ids), net.weight_ih_l0, net.bias_ih_l0).half()
    return found


def _rounded(decoder: Decoder, *, multiplied: bool) -> Decoder:
    """The decoder with 8-bit products in place of its layers' and its projections'; what stays is shared, not copied."""
    quick = copy(decoder)
    quick._modules = dict(decoder._modules)
    quick.layers = nn.ModuleList(
        EightBitLayer(cast(RecurrentLayer, layer), multiplied=multiplied and number == 0)
        for number, layer in enumerate(decoder.layers)
    )
    quick.combine = EightBitLinear(decoder.combine.weight, decoder.combine.bias)  # type: ignore[assignment]
    if decoder.attention is not None and isinstance(getattr(decoder.attention, "query", None), nn.Linear):
        quick.attention = attention = copy(decoder.attention)
        attention._modules = dict(decoder.attention._modules)
        query = decoder.attention.query
        attention.query = EightBitLinear(query.weight, query.bias)  # type: ignore[assignment]
    return quick
