"""Writing in 8-bit integers follows the network in full precision, whatever the network is made of."""

from __future__ import annotations

import pickle

import pytest
import torch

from nbtextgen.data.pairs import Pairs
from nbtextgen.generator import TextGenerator
from nbtextgen.model import int8, seq2seq
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.cpu import has_fbgemm
from nbtextgen.model.initialization import COMBINE_GAIN
from nbtextgen.model.int8 import FbgemmProducts, Int8Linear, Int8Output, Int8Seq2Seq, VnniProducts, int8_is_faster
from nbtextgen.model.seq2seq import Seq2Seq

EXTRAS = (
    {"input_feeding": True},
    {"attention": "additive", "copy": True, "coverage": True},
    {"attention": "multihead", "decoder_layers": 2},
    {"attention": "dot", "layer_norm": True},
    {"attention": "none"},
)


KERNELS = [VnniProducts, pytest.param(FbgemmProducts, marks=pytest.mark.skipif(not has_fbgemm(), reason="no FBGEMM"))]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("inputs", [1, 7, 64, 515])
@pytest.mark.parametrize("weights", ["normal", "equal", "alternating", "zero"])
def test_sums_are_exact(kernel: type, inputs: int, weights: str) -> None:
    """Sixteen bits are not enough for two products of any 8-bit numbers, so the kernel must have kept them small."""
    torch.manual_seed(6)
    weight = {
        "normal": torch.randn(33, inputs),
        "equal": torch.ones(33, inputs),
        "alternating": torch.ones(33, inputs) - 2.0 * (torch.arange(inputs) % 4 < 2),
        "zero": torch.zeros(33, inputs),
    }[weights]
    most = kernel.input_max
    rows = torch.cat(
        [torch.full((1, inputs), most), torch.full((1, inputs), -most), torch.randint(-most, most + 1, (5, inputs))]
    )
    multiply = kernel(weight)

    # One product at a time shows the quantized weights.
    units = torch.cat([multiply(row[None]) for row in torch.eye(inputs)]).double()
    right = rows.double() @ units
    assert torch.allclose(multiply(rows.float()).double(), right, rtol=2e-7, atol=5e-3)
    assert torch.allclose(units.t(), weight.double(), atol=0.03)


def test_product_is_within_the_rounding_error() -> None:
    torch.manual_seed(1)
    weight, bias, inputs = torch.randn(40, 64), torch.randn(40), torch.randn(3, 5, 64) * 7
    right = torch.nn.functional.linear(inputs, weight, bias)
    actual = Int8Linear(weight, bias)(inputs)
    # Each factor is off by at most half a step of its own scale; over 64 products the errors mostly cancel.
    assert (actual - right).abs().max() < 0.02 * right.abs().max()
    assert Int8Linear(weight, None)(torch.zeros(2, 64)).abs().max() == 0


@pytest.mark.parametrize("rows", [1, 16, 37])
def test_log_probabilities_are_those_of_the_exact_outputs(rows: int) -> None:
    torch.manual_seed(2)
    weight, bias, inputs = torch.randn(50, 16), torch.randn(50), torch.randn(rows, 1, 16).tanh()
    output = Int8Output(weight, bias)
    actual, most = output.log_probabilities(inputs), output.products.input_max
    assert torch.allclose(actual, torch.nn.functional.linear(inputs, weight, bias).log_softmax(-1), atol=0.1)
    rounded = type(output.products)(weight, None, 1 / most)(torch.eye(16))
    assert torch.allclose(actual, ((inputs * most).round() @ rounded + bias).log_softmax(-1), atol=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("extra", EXTRAS, ids=str)
def test_every_network_steps_as_in_full_precision(cell: str, extra: dict) -> None:
    torch.manual_seed(3)
    network = Seq2Seq(ModelConfig(cell=cell, embedding_size=24, hidden_size=32, heads=4, **extra), 30, 40).eval()
    with torch.no_grad():  # the bound below is for logits of about this size
        network.decoder.combine.weight /= COMBINE_GAIN
        network.output_weight /= network.output_weight.std() * network.output_weight.shape[1] ** 0.5
    quick = Int8Seq2Seq(network)
    source, copies = torch.randint(5, 30, (4, 6)), torch.randint(5, 44, (4, 6))
    with torch.inference_mode():
        right, actual = network.start(source, 2, copies), quick.start(source, 2, copies)
        for tokens in torch.randint(5, 40, (4, 4, 2)):
            expected, seen, right = network.step(tokens, right)
            logs, attention, actual = quick.step(tokens, actual)
            writable = expected > -20
            assert torch.allclose(logs[writable], expected[writable], atol=0.15)
            assert torch.allclose(attention, seen, atol=0.05)


@pytest.mark.parametrize("extra", [{}, {"copy": True}, {"attention": "none"}, {"encoder_layers": 0}], ids=str)
def test_sources_encoded_in_groups_of_similar_length_decode_as_in_one(
    extra: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(7)
    network = Seq2Seq(ModelConfig(embedding_size=8, hidden_size=16, **extra), 30, 40).eval()
    lengths = torch.tensor([9, 9, 7, 6, 6, 2, 1, 0])
    source = torch.randint(5, 30, (8, 9)) * (torch.arange(9) < lengths[:, None])
    copies, tokens = torch.where(source > 0, source + 12, 0), torch.randint(5, 40, (8, 2))
    with torch.inference_mode():
        right = network.step(tokens, network.start(source, 2, copies))
        monkeypatch.setattr(seq2seq, "ENCODED_ROWS", 3)
        actual = network.step(tokens, network.start(source, 2, copies))
    assert torch.allclose(actual[0], right[0], atol=1e-5)
    assert torch.allclose(actual[1], right[1], atol=1e-6)


@pytest.mark.parametrize("extra", EXTRAS, ids=str)
def test_attention_over_a_few_sources_at_a_time_is_that_over_all(extra: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(8)
    network = Seq2Seq(ModelConfig(embedding_size=8, hidden_size=16, heads=2, **extra), 30, 40).eval()
    lengths = torch.tensor([9, 9, 7, 6, 6, 2, 1])
    source = torch.randint(5, 30, (7, 9)) * (torch.arange(9) < lengths[:, None])
    copies, tokens = torch.where(source > 0, source + 12, 0), torch.randint(5, 40, (2, 7, 3))
    quick = Int8Seq2Seq(network)

    def steps() -> list[torch.Tensor]:
        state, seen = quick.start(source, 3, copies), list[torch.Tensor]()
        for last in tokens:
            logs, attention, state = quick.step(last, state)
            seen += [logs, attention]
        return seen

    with torch.inference_mode():
        right = steps()
        monkeypatch.setattr(int8, "ATTENDED_NUMBERS", 2 * 9 * 16)
        assert all(map(torch.equal, steps(), right))


@pytest.mark.parametrize("inputs", [32, 512])
def test_a_row_does_not_depend_on_its_batch(inputs: int) -> None:
    """One row alone is multiplied by another kernel, with the same result to the bit."""
    torch.manual_seed(5)
    linear, rows = Int8Linear(torch.randn(64, inputs), torch.randn(64)), torch.randn(9, inputs)
    assert torch.equal(linear(rows)[4], linear(rows[4:5])[0])
    output = Int8Output(torch.randn(64, inputs), torch.randn(64)).log_probabilities
    assert torch.equal(output(rows.tanh())[4], output(rows[4:5].tanh())[0])


def test_without_packed_products_the_numbers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(9)
    weight, rows = torch.randn(48, 100), torch.randint(-127, 128, (5, 100)).float()
    bias = torch.randn(48)
    packed = VnniProducts(weight)(rows), VnniProducts(weight, bias, 0.01)(rows)
    monkeypatch.setattr(int8, "has_packed_products", lambda: False)
    assert torch.equal(VnniProducts(weight)(rows), packed[0])
    assert torch.equal(VnniProducts(weight, bias, 0.01)(rows), packed[1])


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize(
    "extra",
    [
        *EXTRAS,
        {"encoder_layers": 0},
        {"encoder_layers": 0, "decoder_layers": 2},
        {"encoder_layers": 2, "bidirectional": False},
    ],
    ids=str,
)
def test_outputs_do_not_depend_on_the_batch(cell: str, extra: dict) -> None:
    """To the bit: otherwise rounding to 8 bits would magnify the differences."""
    torch.manual_seed(4)
    network = Seq2Seq(ModelConfig(cell=cell, embedding_size=32, hidden_size=64, **extra), 30, 40).eval()
    quick, lengths = Int8Seq2Seq(network), [13, 9, 8, 5, 2, 1]
    source, copies = (torch.randint(5, 30, (len(lengths), lengths[0])) for _ in range(2))
    for row, length in enumerate(lengths):
        source[row, length:] = copies[row, length:] = 0
    tokens = torch.randint(5, 40, (5, len(lengths), 2))
    with torch.inference_mode():
        together = quick.start(source, 2, copies)
        alone = [
            quick.start(source[row : row + 1, :length], 2, copies[row : row + 1, :length])
            for row, length in enumerate(lengths)
        ]
        for step in tokens:
            logs, attention, together = quick.step(step, together)
            for row, length in enumerate(lengths):
                mine, seen, alone[row] = quick.step(step[row : row + 1], alone[row])
                assert torch.equal(seen[0], attention[row, :, :length])
                if network.config.copy:  # the gate is a product in floating point that nothing rounds later
                    assert torch.allclose(mine[0], logs[row, :, : mine.shape[-1]], atol=1e-5)
                else:
                    assert torch.equal(mine[0], logs[row])
        for layer, _ in enumerate(together.decoder.layers):
            for row, state in enumerate(alone):
                assert torch.equal(
                    state.decoder.layers[layer][0], together.decoder.layers[layer][0].view(6, 2, -1)[row]
                )


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_half_trained_models_generate_the_same_in_every_batch_size(cell: str) -> None:
    pairs = Pairs.of([(f"a{number}c{number * 7 % 60}", f"b{number}d{number * 7 % 60}") for number in range(30)])
    model = TextGenerator(
        tokens="char", cell=cell, hidden_size=64, embedding_size=16, max_steps=40, valid_fraction=0.0, device="cpu"
    ).fit(pairs, callbacks=[])
    sources = list(pairs.sources)
    for beam in (1, 3):
        expected = model.generate(sources, beam=beam, precision="int8", batch_size=64)
        for size in (1, 7):
            actual = model.generate(sources, beam=beam, precision="int8", batch_size=size)
            assert [output.ids for output in actual] == [output.ids for output in expected]


def test_quantization_does_not_change_the_network() -> None:
    network = Seq2Seq(ModelConfig(attention="multihead", embedding_size=16, hidden_size=16), 20, 20).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    Int8Seq2Seq(network)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_only_large_networks_are_quantized_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8, "has_fbgemm", lambda: False)
    monkeypatch.setattr(int8, "has_vnni", lambda: True)
    small = Seq2Seq(ModelConfig(embedding_size=8, hidden_size=8), 20, 20)
    large = Seq2Seq(ModelConfig(embedding_size=256, hidden_size=8), 20, 4000)
    assert (int8_is_faster(small), int8_is_faster(large)) == (False, True)
    monkeypatch.setattr(int8, "has_vnni", lambda: False)
    assert not int8_is_faster(large)
    monkeypatch.setattr(int8, "has_fbgemm", lambda: True)
    assert (int8_is_faster(small), int8_is_faster(large)) == (False, True)


def test_pickled_models_hold_no_8_bit_networks() -> None:
    model = TextGenerator(tokens="char", hidden_size=16, max_steps=2, valid_fraction=0.0, device="cpu")
    model.fit([("ab", "cd"), ("ba", "dc")], callbacks=[])
    before = len(pickle.dumps(model))
    output = model.generate("ab", precision="int8")
    assert len(pickle.dumps(model)) <= before + 100
    assert pickle.loads(pickle.dumps(model)).generate("ab", precision="int8").log_probabilities == pytest.approx(
        output.log_probabilities, abs=0
    )


def test_trained_model_generates_the_same_in_fp32_and_int8() -> None:
    pairs = Pairs.of([(f"a{number}", f"b{number}") for number in range(60)])
    model = TextGenerator(
        tokens="char", hidden_size=48, embedding_size=16, epochs=60, valid_fraction=0.0, device="cpu"
    ).fit(pairs)
    for beam in (1, 3):
        whole = model.generate(list(pairs.sources), beam=beam, precision="fp32")
        quick = model.generate(list(pairs.sources), beam=beam, precision="int8")
        same = sum(output.text == other.text for output, other in zip(whole, quick, strict=True))
        assert same >= 58
        assert abs(whole[7].log_probabilities.sum() - quick[7].log_probabilities.sum()) < 0.1
