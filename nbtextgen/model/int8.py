"""The decoder in 8-bit integers, which makes decoding with large networks several times faster on a CPU.

Weights are quantized once, with one scale per output row. Inputs are quantized at every step, with one scale per row.
Products are summed exactly in 32-bit integers and rescaled (Wu et al. 2016, sec. 6; Bhandare et al. 2019). Outputs
differ from fp32 only where two candidates are almost equally likely, log-probabilities by a few hundredths of a nat.

Outputs do not depend on the other sources in the batch. In floating point, the order of a sum depends on the shape of
the batch, so its last bits do too, and quantization would magnify the difference. Therefore sums whose result is quantized
later are either integer products, or are computed in double precision and then rounded to single precision: attention,
and the encoder of GRU and RNN networks. oneDNN's LSTM kernel adds in the same order for every batch, unless the layer's
input is as wide as its output (see ``_batch_invariant_lstm``); it runs in bf16 on CPUs that are fast at it.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from copy import copy, deepcopy
from functools import cached_property
from typing import cast

import torch
from torch import Tensor, nn

from nbtextgen.model.attention import Attention, Memory
from nbtextgen.model.cpu import (
    PACKED_ZERO_POINT,
    bf16_is_faster,
    has_fbgemm,
    has_packed_products,
    has_vnni,
    pack_weight,
    packed_products,
)
from nbtextgen.model.decoder import Decoder
from nbtextgen.model.recurrent import RecurrentLayer, RecurrentState
from nbtextgen.model.seq2seq import DecodingState, Seq2Seq

MIN_OUTPUT_WEIGHTS = 1_000_000
"""Size of the output layer from which the time of a step goes into products rather than calls."""

INT8_MAX = 127

MAX_PAIR_SUM = 160
"""Without VNNI, most that two neighbouring weights of one sign add up to: the kernel sums two products in 16 bits."""

ADDED_INPUTS = 8
"""Inputs added to an LSTM; see ``_batch_invariant_lstm``."""

ATTENDED_NUMBERS = 1 << 18
"""Numbers of the attention's keys that are read at a time (2 MB), so that the contexts find them in the CPU's cache, and short
sources are not read as far as the longest of the batch. 256 sources of Multi30k, 512 units: 3.3 ms a step, 5.1 ms in one piece."""

MAX_TABLE_SIZE = 1 << 25
"""Most numbers (two bytes each) in the table of the first layer's input products for all tokens; see ``_project_vocabulary``."""


def int8_is_faster(network: Seq2Seq) -> bool:
    """Whether decoding is faster in 8-bit integers: the network is large, and the CPU has the instructions or the kernel."""
    weight = network.output_weight
    return weight.device.type == "cpu" and weight.numel() >= MIN_OUTPUT_WEIGHTS and (has_vnni() or has_fbgemm())


class VnniProducts:
    """Products by oneDNN, for CPUs with instructions for sums of 8-bit products (VNNI).

    Several rows are multiplied by weights that are packed once. With one row, PyTorch's overhead there exceeds the gain.
    """

    input_max = INT8_MAX

    def __init__(self, weight: Tensor, bias: Tensor | None = None, unit: float = 1.0) -> None:
        """Quantize ``weight (outputs, inputs)``.

        Inputs are integers times ``unit``; ``bias (outputs,)`` is added to the products.
        """
        self.added = max(0, 2 - weight.shape[1])  # with one input, PyTorch 2.13 returns other numbers (AVX512-VNNI)
        weight = nn.functional.pad(weight, (0, self.added))
        self.weight, scale = _quantize(weight, weight.abs().amax(1) / INT8_MAX)
        self.scale, self.bias = scale * unit, bias
        self.zeros = torch.zeros(len(weight), dtype=torch.long)

    @cached_property
    def packed(self) -> Tensor | None:
        """The weights as ``packed_products`` reads them, or ``None`` where there is no such operation."""
        return pack_weight(self.weight) if has_packed_products() else None

    def __call__(self, rows: Tensor) -> Tensor:
        """Multiply integers ``rows (rows, inputs)``, given in floating point, by the weights: ``(rows, outputs)``."""
        rows = nn.functional.pad(rows, (0, self.added)) if self.added else rows
        if len(rows) > 1 and self.packed is not None:
            rows = (rows + PACKED_ZERO_POINT).to(torch.uint8)
            return packed_products(rows, self.packed, self.scale, self.zeros, self.bias)
        products = torch._int_mm(rows.to(torch.int8), self.weight.t())  # pyright: ignore[reportPrivateImportUsage, reportPrivateUsage]
        products = products.float().mul_(self.scale)
        return products if self.bias is None else products.add_(self.bias)


class FbgemmProducts:
    """Products by FBGEMM, for x86 CPUs with AVX2; one thread of an EPYC without VNNI reaches twice the speed of fp32.

    Inputs are unsigned there, and the kernel cuts sums of two neighbouring products to 16 bits. So inputs are at most 102:
    2 x 102 x MAX_PAIR_SUM < 2**15. Weights have fewer than 8 bits in rows where two large ones are neighbours.
    """

    input_max = ((1 << 15) - 1) // (2 * MAX_PAIR_SUM)

    def __init__(self, weight: Tensor, bias: Tensor | None = None, unit: float = 1.0) -> None:
        """Quantize and pack; see ``VnniProducts``."""
        pairs = nn.functional.pad(weight, (0, weight.shape[1] % 2)).view(len(weight), -1, 2)
        largest_sum = torch.maximum(pairs.clamp_min(0).sum(2), -pairs.clamp_max(0).sum(2)).amax(1)
        # Rounding adds at most a half to each of two weights.
        scale = torch.maximum(weight.abs().amax(1) / INT8_MAX, largest_sum / (MAX_PAIR_SUM - 1))
        integers, scale = _quantize(weight, scale)
        with _quantized_engine("fbgemm"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch will remove its quantized tensors one day; has_fbgemm() notices
            zeros = torch.zeros(len(scale), dtype=torch.long)
            quantized = torch._make_per_channel_quantized_tensor(  # pyright: ignore[reportPrivateImportUsage, reportPrivateUsage]
                integers, scale.double() * unit, zeros, 0
            )
            self.packed = torch.ops.quantized.linear_prepack(quantized, bias)

    def __call__(self, rows: Tensor) -> Tensor:
        """See ``VnniProducts``."""
        return torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(rows, 1.0, self.input_max, self.packed)


def _quantize(weight: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``weight (outputs, inputs)`` in 8-bit integers, and the ``scale (outputs,)`` of its rows, which is not zero."""
    scale = scale.clamp_min(1e-14)
    return (weight / scale[:, None]).round_().to(torch.int8).contiguous(), scale


_engine_lock = threading.Lock()


@contextmanager
def _quantized_engine(name: str) -> Generator[None, None, None]:
    """Let PyTorch pack weights for the library ``name`` until the context ends."""
    with _engine_lock:
        before = torch.backends.quantized.engine
        torch.backends.quantized.engine = name
        try:
            yield
        finally:
            torch.backends.quantized.engine = before


def _products_of_this_cpu() -> type[VnniProducts] | type[FbgemmProducts]:
    return FbgemmProducts if has_fbgemm() else VnniProducts


class Int8Linear(nn.Module):
    """``nn.Linear`` for inference, with weights and inputs quantized to 8-bit integers."""

    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """Quantize ``weight (outputs, inputs)``; the bias stays in floating point."""
        super().__init__()
        weight = weight.detach().float()
        self.products = _products_of_this_cpu()(weight)
        self.register_buffer("bias", weight.new_zeros(len(weight)) if bias is None else bias.detach().float())

    def forward(self, inputs: Tensor) -> Tensor:
        """Map ``(..., inputs)`` to ``(..., outputs)``."""
        rows, most = inputs.reshape(-1, inputs.shape[-1]).float(), self.products.input_max
        largest = rows.abs().amax(1, keepdim=True).clamp_min_(1e-12)
        products = self.products((rows * (most / largest)).round_())
        return torch.addcmul(self.bias, products, largest / most, out=products).view(*inputs.shape[:-1], -1)


class Int8Output:
    """The output layer. Its inputs are results of tanh, so one scale serves all rows, and the kernel adds the bias."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """Quantize ``weight (outputs, inputs)``; the bias stays in floating point."""
        kind = _products_of_this_cpu()
        self.products = kind(weight.detach().float(), bias.detach().float(), 1 / kind.input_max)

    def log_probabilities(self, inputs: Tensor) -> Tensor:
        """Return the log-softmax of the outputs: ``(..., inputs)``, all from -1 to 1, to ``(..., outputs)``."""
        rows = inputs.reshape(-1, inputs.shape[-1]).float()
        outputs = self.products((rows * self.products.input_max).round_())
        torch.log_softmax(outputs, -1, out=outputs)
        return outputs.view(*inputs.shape[:-1], -1)


class SigmoidTanh(nn.Module):
    """tanh(x) as 2 sigmoid(2x) - 1, within 2e-7: in batches four times faster than PyTorch 2.13's own."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.mul(2).sigmoid_().mul_(2).sub_(1)


class Int8RecurrentLayer(nn.Module):
    """A recurrent layer with 8-bit products, one step at a time; gates are in PyTorch's order."""

    def __init__(self, layer: RecurrentLayer, *, projected: bool) -> None:
        """Quantize the weights; with ``projected``, the inputs of ``step`` are already multiplied by the input weights."""
        super().__init__()
        self.cell, self.hidden_size = layer.cell, layer.hidden_size
        self.tanh = SigmoidTanh()
        input_weight, hidden_weight, input_bias, hidden_bias = layer.weights
        self.from_input = nn.Identity() if projected else Int8Linear(input_weight, input_bias)
        self.from_hidden = Int8Linear(hidden_weight, hidden_bias)

    def step(self, inputs: Tensor, state: RecurrentState) -> RecurrentState:
        """See ``RecurrentLayer.step``."""
        from_input, from_hidden = self.from_input(inputs), self.from_hidden(state[0])
        if self.cell == "lstm":
            gates = from_hidden.add_(from_input)
            gates[:, 2 * self.hidden_size : 3 * self.hidden_size].mul_(2)
            input_gate, forget_gate, candidate, output_gate = gates.sigmoid_().chunk(4, -1)
            # tanh of the candidate as in SigmoidTanh: 2 sigmoid(2x) - 1
            cell = torch.addcmul(forget_gate * state[1], input_gate, candidate.sub_(0.5), value=2)
            return output_gate * self.tanh(cell), cell
        if self.cell == "gru":
            reset_input, update_input, candidate_input = from_input.chunk(3, -1)
            reset_hidden, update_hidden, candidate_hidden = from_hidden.chunk(3, -1)
            update_gate = torch.sigmoid(update_input + update_hidden)
            candidate = self.tanh(candidate_input + torch.sigmoid(reset_input + reset_hidden) * candidate_hidden)
            return (candidate + update_gate * (state[0] - candidate),)
        return (self.tanh(from_input + from_hidden),)


class Int8LinearToFloat64(Int8Linear):
    """``Int8Linear`` with outputs in double precision."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs).double()


class Float64Attention(nn.Module):
    """Attention in double precision, rounded to single at the end, so that sums do not depend on padding or the batch.

    The memory must be in double precision. Keys and values are 8-bit products of the encoder's outputs.
    """

    def __init__(self, attention: Attention) -> None:
        """Copy the attention in double precision, and quantize its projections."""
        super().__init__()
        self.inner = deepcopy(attention).double()
        for name in ("key", "value", "query"):
            layer = getattr(attention, name, None)
            if isinstance(layer, nn.Linear):
                setattr(self.inner, name, Int8LinearToFloat64(layer.weight, layer.bias))

    def project(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """See ``Attention.project``; keys and values are the same tensor if neither is projected."""
        keys, values = self.inner.project(encoded)
        doubled = values.double()
        return doubled if keys is values else keys.double(), doubled

    def forward(self, queries: Tensor, memory: Memory, covered: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See ``Attention.forward``."""
        batch, width, _ = queries.shape
        _, length, size = memory.keys.shape
        rows = max(1, ATTENDED_NUMBERS // (length * size))
        queries, covered = queries.double(), None if covered is None else covered.double()
        if rows >= batch:
            context, weights = self.inner(queries, memory, covered)
            return context.float(), weights.float()
        contexts = queries.new_empty(batch, width, memory.values.shape[-1], dtype=torch.float32)
        weights = queries.new_zeros(batch, width, length, dtype=torch.float32)
        for start in range(0, batch, rows):
            part = slice(start, start + rows)
            longest = max(memory.lengths[part])
            covered_part = None if covered is None else covered[part, :, :longest]
            context, part_weights = self.inner(queries[part], memory.part(part, longest), covered_part)
            contexts[part], weights[part, :, :longest] = context, part_weights
        return contexts, weights


def _batch_invariant_lstm(net: nn.LSTM) -> nn.LSTM:
    """Return an LSTM like ``net`` with ``ADDED_INPUTS`` more inputs, which are always zero.

    If input and output are equally wide, the order in which oneDNN adds depends on the batch (measured with PyTorch 2.13
    on AVX2); with the additional inputs they are not.
    """
    wider = nn.LSTM(net.input_size + ADDED_INPUTS, net.hidden_size, batch_first=True, device="meta")
    weights = net.state_dict()
    weights["weight_ih_l0"] = nn.functional.pad(weights["weight_ih_l0"], (0, ADDED_INPUTS))
    wider.load_state_dict(weights, assign=True)
    wider.register_forward_pre_hook(_append_zeros)
    return wider.eval()


def _append_zeros(_: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return nn.functional.pad(arguments[0], (0, ADDED_INPUTS)), *arguments[1:]


class BatchInvariantEncoder(nn.Module):
    """The encoder, or the decoder of a network without one; in double precision unless it is an LSTM."""

    def __init__(self, network: Seq2Seq) -> None:
        super().__init__()
        self.double_precision = network.config.cell != "lstm"
        self.inner = deepcopy(network.decoder if network.encoder is None else network.encoder).eval()
        if self.double_precision:
            self.inner.double()
        for layer in self.inner.modules():
            if not isinstance(layer, RecurrentLayer) or not isinstance(layer.net, nn.LSTM):
                continue
            if layer.net.input_size == layer.hidden_size:
                layer.net = _batch_invariant_lstm(layer.net)

    def forward(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See ``Seq2Seq.encode_embedded``."""
        encode = self.inner.encode if isinstance(self.inner, Decoder) else self.inner
        with torch.autocast("cpu", torch.bfloat16, enabled=not self.double_precision and bf16_is_faster()):
            encoded, summary = encode(embedded.double() if self.double_precision else embedded, mask)
        return encoded.float(), summary.float()


class Int8Seq2Seq:
    """A network that decodes in 8-bit integers; implements ``decoding.stepper.Stepper``."""

    def __init__(self, network: Seq2Seq) -> None:
        """Quantize the decoder's weights; later changes of the network's weights have no effect."""
        self._table = _project_vocabulary(network)
        self.network = copy(network)
        self.network._modules = dict(network._modules)  # pyright: ignore[reportPrivateUsage]
        self.network.encoder = BatchInvariantEncoder(network)  # type: ignore[assignment]
        self.network.decoder = self.decoder = _quantized_decoder(network.decoder, projected=self._table is not None)
        self.output = Int8Output(network.output_weight, network.output_bias)
        self.start = self.network.start
        self.reorder, self.keep, self.replace = network.reorder, network.keep, network.replace

    def step(self, tokens: Tensor, state: DecodingState) -> tuple[Tensor, Tensor, DecodingState]:
        """See ``Seq2Seq.step``."""
        if self._table is None:
            inputs = self.network.embed(tokens)
        else:
            inputs = nn.functional.embedding(tokens, self._table).float()
        decoded, after = self.decoder.step(inputs, state.decoder, state.memory)
        logs = self.network.decoding_log_probabilities(
            self.output.log_probabilities(decoded.hidden), decoded, state.memory
        )
        return logs, decoded.weights, DecodingState(state.memory, after, state.width)


def _project_vocabulary(network: Seq2Seq) -> Tensor | None:
    """Return the first layer's input products for every token, ``(vocabulary, gates)``.

    Returns ``None`` if the layer has other inputs too, or if the table would be larger than ``MAX_TABLE_SIZE``.
    """
    decoder, layer = network.decoder, cast(RecurrentLayer, network.decoder.layers[0])
    weight, _, bias, _ = layer.weights
    if decoder.input_feeding or decoder.gate is not None or network.vocabulary_size * len(bias) > MAX_TABLE_SIZE:
        return None
    table = torch.empty(network.vocabulary_size, len(bias), dtype=torch.float16)
    with torch.inference_mode():
        for ids in torch.split(torch.arange(len(table)), 512):
            table[ids] = nn.functional.linear(network.embed(ids), weight, bias).half()
    return table


def _quantized_decoder(decoder: Decoder, *, projected: bool) -> Decoder:
    """Return the decoder with 8-bit layers and projections; its other modules are shared, not copied."""
    quantized = copy(decoder)
    quantized._modules = dict(decoder._modules)  # pyright: ignore[reportPrivateUsage]
    quantized.layers = nn.ModuleList(
        Int8RecurrentLayer(cast(RecurrentLayer, layer), projected=projected and number == 0)
        for number, layer in enumerate(decoder.layers)
    )
    quantized.combine = Int8Linear(decoder.combine.weight, decoder.combine.bias)  # type: ignore[assignment]
    quantized.tanh = SigmoidTanh()  # type: ignore[assignment]
    linears = cast("list[nn.Linear]", [*decoder.bridges])
    quantized.bridges = nn.ModuleList(Int8Linear(bridge.weight, bridge.bias) for bridge in linears)
    if decoder.attention is not None:
        quantized.attention = Float64Attention(decoder.attention)  # type: ignore[assignment]
    return quantized
