"""Loss of a copy head, fused with the output layer block by block, so that all logits never exist at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nbtextgen.model.loss import blocks

_LEAST = 1e-12  # a probability below this is taken for this, and gives no gradient


class _CopyLoss(torch.autograd.Function):
    """``-log(gate p(right) + (1 - gate) pointed)`` and all its gradients in one sweep over blocks of positions.

    With ``share``, the part of the mixture that was written rather than copied, the gradient of the logits is
    ``share (softmax - onehot)``: that of a plain cross-entropy, scaled.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        right: Tensor,
        gate: Tensor,
        pointed: Tensor,
        smoothing: float,
    ) -> Tensor:
        exact = torch.promote_types(hidden.dtype, torch.float32)
        low_weight, low_bias = weight.to(hidden.dtype), bias.to(hidden.dtype)
        vocabulary, keep = weight.shape[0], 1.0 - smoothing
        known = (right < vocabulary).to(exact)
        ids = right.clamp(max=vocabulary - 1)[:, None]
        grad_hidden, grad_weight, grad_bias = torch.empty_like(hidden), torch.zeros_like(weight), torch.zeros_like(bias)
        grad_gate, grad_pointed = torch.empty_like(gate), torch.empty_like(pointed)
        sums = hidden.new_zeros(2, dtype=exact)
        with torch.autocast(hidden.device.type, enabled=False):
            for block in blocks(hidden.shape[0], vocabulary):
                part, write, copied = hidden[block], gate[block], pointed[block]
                logits = torch.addmm(low_bias, part, low_weight.t()).to(exact)
                total = logits.logsumexp(-1, keepdim=True)
                written = (logits.gather(1, ids[block]) - total).exp().squeeze(1) * known[block]
                mixed = write * written + (1 - write) * copied
                alive = (mixed > _LEAST).to(exact)
                mixed = mixed.clamp_min(_LEAST)
                nll = -mixed.log().sum()
                even = (logits.mean(-1) - total.squeeze(1)).sum()
                sums += torch.stack([keep * nll - smoothing * even, nll])
                scale = keep * alive / mixed
                share = scale * write * written
                grad = logits.sub_(total).exp_().mul_((share + smoothing)[:, None])
                if smoothing:
                    grad -= smoothing / vocabulary
                grad.scatter_add_(1, ids[block], -share[:, None])
                low = grad.to(hidden.dtype)
                torch.mm(low, low_weight, out=grad_hidden[block])
                grad_weight += torch.mm(low.t(), part)
                grad_bias += grad.sum(0)
                grad_gate[block] = scale * (copied - written)
                grad_pointed[block] = -scale * (1 - write)
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias, grad_gate, grad_pointed)
        return sums

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        scale = grads[0][0]  # only the first output, the smoothed loss, is differentiated
        hidden, weight, bias, gate, pointed = (each * scale.to(each.dtype) for each in ctx.saved_tensors)
        return hidden, weight, bias, None, gate, pointed, None


def copy_loss(
    hidden: Tensor, weight: Tensor, bias: Tensor, right: Tensor, gate: Tensor, pointed: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Sum over positions of the pointer-generator's loss (See et al. 2017, eq. 9), smoothed and plain, in nats.

    Args:
        hidden: ``(positions, width)``.
        weight, bias: output layer, ``(vocabulary, width)`` and ``(vocabulary,)``.
        right: right tokens ``(positions,)``; ids from ``vocabulary`` on can only be copied.
        gate: probability of writing from the vocabulary, ``(positions,)``.
        pointed: attention on source tokens that are the right one, ``(positions,)``.
        smoothing: share of the target probability spread evenly over the vocabulary, of what is written.

    Returns:
        the smoothed loss, differentiable, and the plain negative log-likelihood, which is not.
    """
    exact = torch.promote_types(hidden.dtype, torch.float32)
    both = _CopyLoss.apply(hidden, weight, bias, right, gate.to(exact), pointed.to(exact), smoothing)
    return both[0], both[1].detach()
