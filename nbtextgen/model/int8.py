"""The decoder in 8-bit integers: what makes writing with large networks several times faster on a processor.

Weights are rounded once, a scale for each output row; inputs at every step, a scale for each row; products are summed
exactly in 32-bit integers and scaled back (Wu et al. 2016, sec. 6; Bhandare et al. 2019). Outputs differ from fp32 only
where two candidates are nearly as likely, and log-probabilities by a few hundredths of a nat.

Outputs do not depend on the other sources in the batch. In floating point, the order of a sum depends on the shape of
the batch, so its last bits do too; rounding to 8 bits would magnify that. So sums whose result is rounded later are
either products of integers, or are computed in double precision and then rounded to single precision: attention, and
the encoder of GRU and RNN networks. oneDNN's LSTM kernel adds in one order, whatever the batch, unless the layer's input
is as wide as its output (see ``WidenedLSTM``); it runs in bf16 where the processor is fast at it.
"""

from __future__ import annotations

from copy import copy, deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn

from nbtextgen.model.attention import Attention, Memory
from nbtextgen.model.cpu import bf16_is_faster, has_vnni
from nbtextgen.model.decoder import Decoder
from nbtextgen.model.recurrent import RecurrentLayer, RecurrentState
from nbtextgen.model.seq2seq import DecodingState, Seq2Seq

_WORTH_IT = 1_000_000
"""Weights of the output layer from which on products, not calls, take the time of a step."""

_LEVELS = 127

_ROWS = 32
"""Rows scaled back together: with thousands of outputs their numbers still fit the processor's cache. Beam 5, 64 sources, 8,000
outputs: 10.8 ms for the product and its log-probabilities by 16 rows, 26.0 ms in one piece; 32 rows are as fast in half the calls."""

_TABLE = 1 << 25
"""Numbers, two bytes each, that the first layer's products with all tokens may have to be worked out beforehand."""


def int8_is_faster(network: Seq2Seq) -> bool:
    """Whether a network writes faster in 8-bit integers here: it is large, and the processor has the instructions."""
    weight = network.output_weight
    return weight.device.type == "cpu" and weight.numel() >= _WORTH_IT and has_vnni()


class Int8Linear(nn.Module):
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
        rows = inputs.reshape(-1, inputs.shape[-1]).float()
        largest = rows.abs().amax(1, keepdim=True).clamp_min_(1e-12)
        rounded = (rows * (_LEVELS / largest)).round_().to(torch.int8)
        sums = torch._int_mm(rounded, self.weight.t())  # pyright: ignore[reportPrivateImportUsage]
        return sums, largest / _LEVELS


class Int8RecurrentLayer(nn.Module):
    """One step of a recurrent layer with 8-bit products; gates in PyTorch's order."""

    def __init__(self, layer: RecurrentLayer, *, multiplied: bool) -> None:
        """Round the weights; with ``multiplied`` the inputs of ``step`` come multiplied by them already."""
        super().__init__()
        self.cell, self.hidden_size, net = layer.cell, layer.hidden_size, layer.net
        self.from_input = nn.Identity() if multiplied else Int8Linear(net.weight_ih_l0, net.bias_ih_l0)
        self.from_hidden = Int8Linear(net.weight_hh_l0, net.bias_hh_l0)

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


class Float64Query(Int8Linear):
    """Queries in double precision, from an 8-bit product."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs).double()


class Float64Attention(nn.Module):
    """Attention whose sums do not depend on padding or on the batch: in double precision, rounded to single at the end.

    It expects a memory in double precision. Keys and values are 8-bit products of the encoder's outputs.
    """

    def __init__(self, attention: Attention) -> None:
        """Copy what runs in double precision, and round the projections."""
        super().__init__()
        self.inner = deepcopy(attention).double()
        for name in ("key", "value", "query"):
            layer = getattr(attention, name, None)
            if isinstance(layer, nn.Linear):
                setattr(self.inner, name, Float64Query(layer.weight, layer.bias))

    def project(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """As ``Attention.project``; keys and values are the same tensor where neither is projected."""
        keys, values = self.inner.project(encoded)
        doubled = values.double()
        return doubled if keys is values else keys.double(), doubled

    def forward(self, queries: Tensor, memory: Memory, covered: Tensor | None = None) -> tuple[Tensor, Tensor]:
        context, weights = self.inner(queries.double(), memory, None if covered is None else covered.double())
        return context.float(), weights.float()


class WidenedLSTM(nn.LSTM):
    """An LSTM that reads a few more inputs, all zero: where input and output are equally wide, the order in which oneDNN
    adds depends on the batch (measured with PyTorch 2.13 on AVX2)."""

    EXTRA = 8

    def __init__(self, net: nn.LSTM) -> None:
        super().__init__(net.input_size + self.EXTRA, net.hidden_size, batch_first=True)
        weights = net.state_dict()
        weights["weight_ih_l0"] = nn.functional.pad(weights["weight_ih_l0"], (0, self.EXTRA))
        self.load_state_dict(weights)

    def forward(self, input: Any, hx: Any = None) -> Any:
        return super().forward(nn.functional.pad(input, (0, self.EXTRA)), hx)


class SourceReader(nn.Module):
    """What encodes the source: the encoder, or in its absence the decoder; in double precision unless it is an LSTM."""

    def __init__(self, network: Seq2Seq) -> None:
        super().__init__()
        self.exact = network.config.cell != "lstm"
        part = network.decoder if network.encoder is None else network.encoder
        self.part = deepcopy(part).eval()
        if self.exact:
            self.part.double()
        for layer in self.part.modules():
            if isinstance(layer, RecurrentLayer) and layer.cell == "lstm" and layer.net.input_size == layer.hidden_size:
                layer.net = WidenedLSTM(layer.net).eval()

    def forward(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """As ``Seq2Seq.read``."""
        read = self.part.read if isinstance(self.part, Decoder) else self.part
        with torch.autocast("cpu", torch.bfloat16, enabled=not self.exact and bf16_is_faster()):
            encoded, summary = read(embedded.double() if self.exact else embedded, mask)
        return encoded.float(), summary.float()


class Int8Seq2Seq:
    """A network that decodes in 8-bit integers; see ``decoding.stepper.Stepper``."""

    def __init__(self, network: Seq2Seq) -> None:
        """Round the decoder's weights; later changes of the network's weights are not seen."""
        self._table = _first_products(network)
        self.network = copy(network)
        self.network._modules = dict(network._modules)
        self.network.encoder = SourceReader(network)  # type: ignore[assignment]
        self.network.decoder = self.decoder = _rounded(network.decoder, multiplied=self._table is not None)
        self.output = Int8Linear(network.output_weight, network.output_bias)
        self.start = self.network.start
        self.reorder, self.keep, self.replace = network.reorder, network.keep, network.replace

    def step(self, tokens: Tensor, state: DecodingState) -> tuple[Tensor, Tensor, DecodingState]:
        """As ``Seq2Seq.step``."""
        if self._table is None:
            inputs = self.network.embed(tokens)
        else:
            inputs = nn.functional.embedding(tokens, self._table).float()
        decoded, after = self.decoder.step(inputs, state.decoder, state.memory)
        logs = self.network.writable(self.output.log_probabilities(decoded.hidden), decoded, state.memory)
        return logs, decoded.weights, DecodingState(state.memory, after, state.width)


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
        Int8RecurrentLayer(cast(RecurrentLayer, layer), multiplied=multiplied and number == 0)
        for number, layer in enumerate(decoder.layers)
    )
    quick.combine = Int8Linear(decoder.combine.weight, decoder.combine.bias)  # type: ignore[assignment]
    linears = cast("list[nn.Linear]", [*decoder.bridges])
    quick.bridges = nn.ModuleList(Int8Linear(bridge.weight, bridge.bias) for bridge in linears)
    if decoder.attention is not None:
        quick.attention = Float64Attention(decoder.attention)  # type: ignore[assignment]
    return quick
