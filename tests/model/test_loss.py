"""The fused loss against PyTorch's own cross-entropy, and dropout masks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nbtextgen.model import cpu
from nbtextgen.model import loss as module
from nbtextgen.model.loss import fused_loss
from nbtextgen.model.recurrent import Dropout


@settings(max_examples=40)
@given(
    positions=st.integers(1, 60),
    vocabulary=st.integers(2, 90),
    smoothing=st.sampled_from([0.0, 0.1, 0.9]),
    chunk=st.sampled_from([1, 500, 1 << 21]),
    seed=st.integers(0, 10_000),
)
def test_fused_loss_and_gradients_are_those_of_cross_entropy(positions, vocabulary, smoothing, chunk, seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((positions, 7), (vocabulary, 7), (vocabulary,))
    ours = [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]
    theirs = [part.detach().clone().requires_grad_() for part in ours]
    right = torch.randint(0, vocabulary, (positions,), generator=generator)
    before, module.BLOCK_LOGITS = module.BLOCK_LOGITS, chunk
    try:
        total, plain = fused_loss(*ours, right, smoothing)
    finally:
        module.BLOCK_LOGITS = before
    logits = theirs[0] @ theirs[1].t() + theirs[2]
    expected = torch.nn.functional.cross_entropy(logits, right, label_smoothing=smoothing, reduction="sum")
    (3.0 * total).backward()
    (3.0 * expected).backward()
    torch.testing.assert_close(total, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(
        plain, torch.nn.functional.cross_entropy(logits, right, reduction="sum").detach(), rtol=1e-6, atol=1e-6
    )
    for output, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(output.grad, other.grad)


def test_loss_is_exact_when_the_softmax_underflows() -> None:
    hidden = torch.tensor([[200.0]], requires_grad=True)
    weight, bias = torch.tensor([[1.0], [0.0]]), torch.zeros(2)
    _, plain = fused_loss(hidden, weight, bias, torch.tensor([1]), 0.0)
    assert float(plain) == pytest.approx(200.0)


def test_low_precision_differs_from_full_by_its_rounding_only() -> None:
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(300, 32, generator=generator)
    weight, bias = torch.randn(500, 32, generator=generator), torch.randn(500, generator=generator)
    right = torch.randint(0, 500, (300,), generator=generator)
    actual = []
    for kind in (torch.float32, torch.bfloat16):
        low, shared = hidden.to(kind).requires_grad_(), weight.clone().requires_grad_()
        total, _ = fused_loss(low, shared, bias.clone().requires_grad_(), right, 0.1)
        total.backward()
        actual.append((total.item(), shared.grad))
    assert actual[1][0] == pytest.approx(actual[0][0], rel=1e-3)
    assert float((actual[1][1] - actual[0][1]).norm() / actual[0][1].norm()) < 0.02


@pytest.mark.parametrize("rows", [1, 3, 64, 200])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.bfloat16])
def test_linear_layers_are_those_of_pytorch_in_any_order_of_the_memory(
    rows: int, with_bias: bool, kind: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(rows)
    inputs, weight, bias = (torch.randn(*shape, generator=generator) for shape in ((rows, 33), (50, 33), (50,)))
    expected = inputs.to(kind).double() @ weight.to(kind).double().t() + (bias.to(kind).double() if with_bias else 0.0)
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-4, torch.bfloat16: 0.1}[kind]
    for other in (weight.to(kind), weight.to(kind).t().contiguous().t()):
        outputs = cpu.linear(inputs.to(kind), other, bias.to(kind) if with_bias else None)
        torch.testing.assert_close(outputs.double(), expected, rtol=0, atol=tolerance)


def test_a_pytorch_without_onednn_computes_the_same_linear_layer(monkeypatch) -> None:
    generator = torch.Generator().manual_seed(1)
    inputs, weight, bias = (torch.randn(*shape, generator=generator) for shape in ((40, 33), (50, 33), (50,)))
    expected = cpu.linear(inputs, weight, bias)

    def missing(*_: object) -> None:
        raise AttributeError("'_OpNamespace' 'mkldnn' object has no attribute '_linear_pointwise'")

    monkeypatch.setattr(cpu, "_onednn_linear", missing)
    cpu._has_onednn_linear.cache_clear()
    try:
        torch.testing.assert_close(cpu.linear(inputs, weight, bias), expected)
        assert not cpu._has_onednn_linear(torch.float32)
    finally:
        cpu._has_onednn_linear.cache_clear()


def test_onednn_that_is_switched_off_is_not_used(monkeypatch) -> None:
    inputs, weight = torch.ones(2, 3), torch.ones(4, 3)
    monkeypatch.setattr(cpu, "_onednn_linear", lambda *_: pytest.fail("oneDNN was used"))
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    assert cpu.linear(inputs, weight).tolist() == [[3.0] * 4] * 2


@pytest.mark.parametrize(
    ("positions", "vocabulary"), [(1, 5), (600, 8000), (1024, 8000), (700, 5_000_000), (50_000, 70)]
)
def test_blocks_cover_all_positions_once(positions: int, vocabulary: int) -> None:
    blocks = list(module.position_blocks(positions, vocabulary))
    assert [row for block in blocks for row in range(positions)[block]] == list(range(positions))
    whole = [block.stop - block.start for block in blocks]
    assert all(rows == 16 or rows % module.BLOCK_STEP == 0 for rows in whole), whole


@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_dropout_drops_its_share_and_keeps_the_mean(variational: bool, kind: torch.dtype) -> None:
    torch.manual_seed(3)
    dropout = Dropout(0.3, variational).train()
    values = dropout(torch.ones(200, 5, 99, dtype=kind))
    assert float((values == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert float(values.float().mean()) == pytest.approx(1.0, abs=0.02)
    same_in_time = bool((values == values[:, :1]).all())
    assert same_in_time == variational
    assert torch.equal(dropout.eval()(values), values)
