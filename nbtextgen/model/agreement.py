"""How far two passes over the same positions, with different dropout, disagree; minimized in training (R-Drop)."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from nbtextgen.model.loss import Context, position_blocks, scaled_gradients


class _Disagreement(torch.autograd.Function):
    """The divergence and its gradients in one pass over blocks of positions, so that all logits never exist at once.

    With probabilities ``p`` and ``q`` and ``d = log p - log q``, the gradient for the logits of ``p`` is
    ``p (d - sum(p d)) + p - q``.
    """

    @staticmethod
    def forward(ctx: Context, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        passes = hidden.view(2, -1, hidden.shape[-1])
        precise = torch.promote_types(hidden.dtype, torch.float32)
        low_weight, low_bias = weight.to(hidden.dtype), bias.to(hidden.dtype)
        grad_hidden, grad_weight, grad_bias = torch.empty_like(passes), torch.zeros_like(weight), torch.zeros_like(bias)
        total = weight.new_zeros(())
        with torch.autocast(hidden.device.type, enabled=False):
            for block in position_blocks(passes.shape[1], 2 * weight.shape[0]):
                part = passes[:, block].reshape(-1, passes.shape[2])
                logits = torch.addmm(low_bias, part, low_weight.t()).to(precise)
                logs = logits.log_softmax(-1).view(2, -1, len(weight))
                probabilities, apart = logs.exp(), logs[0] - logs[1]
                difference = probabilities[0] - probabilities[1]
                total += (difference * apart).sum()
                grad = probabilities * torch.stack((apart, -apart))
                grad -= probabilities * grad.sum(-1, keepdim=True)
                grad += torch.stack((difference, -difference))
                low = grad.view(-1, len(weight)).to(hidden.dtype)
                grad_hidden[:, block] = torch.mm(low, low_weight).view(2, -1, passes.shape[2])
                grad_weight += torch.mm(low.t(), part)
                grad_bias += low.sum(0)
        ctx.save_for_backward(grad_hidden.view_as(hidden), grad_weight, grad_bias)
        return total.unsqueeze(0)

    @staticmethod
    def backward(ctx: Context, *grad_outputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(scaled_gradients(ctx, grad_outputs))


def disagreement(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Sum over positions of the Kullback-Leibler divergences in both directions, in nats (Liang et al. 2021, eq. 2, doubled).

    Args:
        hidden: inputs of the output layer in the first pass, then in the second, ``(2 x positions, width)``.
        weight: output layer ``(vocabulary, width)``.
        bias: ``(vocabulary,)``.
    """
    divergence: Tensor = cast("Any", _Disagreement).apply(hidden, weight, bias)
    return divergence[0]
