"""Loss of a network with a copy head, fused with the output layer so that all logits never exist at once."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from nbtextgen.model.cpu import linear
from nbtextgen.model.loss import Context, position_blocks, scaled_gradients

MIN_PROBABILITY = 1e-12
"""A probability below this counts as this much, and has no gradient."""


class _CopyLoss(torch.autograd.Function):
    """``-log(gate p(target) + (1 - gate) pointed)`` and all its gradients in one pass over blocks of positions.

    If ``share`` is the part of the mixture that comes from the vocabulary, the gradient of the logits is
    ``share (softmax - onehot)``: that of a plain cross-entropy, scaled.
    """

    @staticmethod
    def forward(
        ctx: Context,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        gate: Tensor,
        pointed: Tensor,
        smoothing: float,
    ) -> Tensor:
        dtype = torch.promote_types(hidden.dtype, torch.float32)
        low_weight, low_bias = weight.to(hidden.dtype), bias.to(hidden.dtype)
        vocabulary, keep = weight.shape[0], 1.0 - smoothing
        in_vocabulary = (targets < vocabulary).to(dtype)
        ids = targets.clamp(max=vocabulary - 1)[:, None]
        grad_hidden, grad_weight, grad_bias = torch.empty_like(hidden), torch.zeros_like(weight), torch.zeros_like(bias)
        grad_gate, grad_pointed = torch.empty_like(gate), torch.empty_like(pointed)
        sums = hidden.new_zeros(2, dtype=dtype)
        with torch.autocast(hidden.device.type, enabled=False):
            for block in position_blocks(hidden.shape[0], vocabulary):
                part, block_gate, copied = hidden[block], gate[block], pointed[block]
                logits = linear(part, low_weight, low_bias).to(dtype)
                normalizer = logits.logsumexp(-1, keepdim=True)
                generated = (logits.gather(1, ids[block]) - normalizer).exp().squeeze(1) * in_vocabulary[block]
                mixture = block_gate * generated + (1 - block_gate) * copied
                unclamped = (mixture > MIN_PROBABILITY).to(dtype)
                mixture = mixture.clamp_min(MIN_PROBABILITY)
                nll = -mixture.log().sum()
                uniform = (logits.mean(-1) - normalizer.squeeze(1)).sum()
                sums += torch.stack([keep * nll - smoothing * uniform, nll])
                scale = keep * unclamped / mixture
                share = scale * block_gate * generated
                grad = logits.sub_(normalizer).exp_().mul_((share + smoothing)[:, None])
                if smoothing:
                    grad -= smoothing / vocabulary
                grad.scatter_add_(1, ids[block], -share[:, None])
                low = grad.to(hidden.dtype)
                grad_hidden[block] = linear(low, low_weight.t())
                grad_weight += torch.mm(low.t(), part)
                grad_bias += grad.sum(0)
                grad_gate[block] = scale * (copied - generated)
                grad_pointed[block] = -scale * (1 - block_gate)
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias, grad_gate, grad_pointed)
        return sums

    @staticmethod
    def backward(ctx: Context, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, gate, pointed = scaled_gradients(ctx, grad_outputs)
        return hidden, weight, bias, None, gate, pointed, None


def copy_loss(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, gate: Tensor, pointed: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Sum over positions of the pointer-generator's loss (See et al. 2017, eq. 9), smoothed and plain, in nats.

    Arguments and results as in ``fused_loss``; ids of ``targets`` from ``vocabulary`` on can only be copied.

    Args:
        gate: probability of generating from the vocabulary instead of copying, ``(positions,)``.
        pointed: sum of the attention on source tokens equal to the target, ``(positions,)``.
    """
    dtype = torch.promote_types(hidden.dtype, torch.float32)
    losses: Tensor = cast("Any", _CopyLoss).apply(
        hidden, weight, bias, targets, gate.to(dtype), pointed.to(dtype), smoothing
    )
    return losses[0], losses[1].detach()
