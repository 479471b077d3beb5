"""The copy head's fused loss: the plain formula and its gradients, found by PyTorch, are the reference."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nbtextgen.model import loss
from nbtextgen.model.copy_loss import copy_loss


def inputs(dtype: torch.dtype) -> list[Tensor]:
    torch.manual_seed(3)
    hidden, weight, bias = torch.randn(40, 6), torch.randn(11, 6), torch.randn(11)
    gate, pointed = torch.rand(40) * 0.9 + 0.05, torch.rand(40) * 0.8
    pointed[:5] = 0.0
    return [each.to(dtype).requires_grad_() for each in (hidden, weight, bias, gate, pointed)]


RIGHT = torch.tensor([*range(11)] * 3 + [11, 12, 13, 14, 11, 12, 11])  # from 11 on: words only the source knows


def plain(hidden: Tensor, weight: Tensor, bias: Tensor, gate: Tensor, pointed: Tensor, smoothing: float) -> Tensor:
    logs = torch.nn.functional.linear(hidden, weight, bias).log_softmax(-1)
    written = logs.gather(1, RIGHT.clamp(max=10)[:, None]).squeeze(1).exp().masked_fill(RIGHT > 10, 0.0)
    nll = -(gate * written + (1 - gate) * pointed).clamp_min(1e-12).log()
    return (1 - smoothing) * nll.sum() - smoothing * logs.mean(-1).sum()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("chunk", [16, 1 << 20])
def test_value_and_gradients_are_those_of_the_plain_formula(smoothing: float, chunk: int, monkeypatch) -> None:
    monkeypatch.setattr(loss, "BLOCK_LOGITS", chunk)
    mine, reference = inputs(torch.float64), inputs(torch.float64)
    hidden, weight, bias, gate, pointed = mine
    total, nll = copy_loss(hidden, weight, bias, RIGHT, gate, pointed, smoothing)
    expected = plain(*reference, smoothing)
    (total * 0.5).backward()
    (expected * 0.5).backward()
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(nll, plain(*reference, 0.0).detach())
    for output, other in zip(mine, reference, strict=True):
        torch.testing.assert_close(output.grad, other.grad)


def test_low_precision_stays_near() -> None:
    hidden, weight, bias, gate, pointed = inputs(torch.float32)
    exact = copy_loss(hidden, weight, bias, RIGHT, gate, pointed, 0.1)[0]
    low = copy_loss(hidden.bfloat16(), weight, bias, RIGHT, gate.bfloat16(), pointed.bfloat16(), 0.1)[0]
    assert abs((low - exact).item()) < 0.02 * exact.item()
    low.backward()
    assert torch.isfinite(weight.grad).all()
