"""Label-smoothed cross-entropy fused with the output layer, so that the logits never exist all at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_CHUNK = 1 << 20  # logits computed together: a few MB, so that they are still in the cache when they are read again


class _FusedLoss(torch.autograd.Function):
    """Loss and gradients in one sweep over blocks of positions (each block's logits are read while still in cache)."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        vocabulary = weight.shape[0]
        rows = max(16, _CHUNK // vocabulary)
        grad_hidden, grad_weight, grad_bias = torch.empty_like(hidden), torch.zeros_like(weight), torch.zeros_like(bias)
        smooth = hidden.new_zeros(())
        plain = hidden.new_zeros(())
        for start in range(0, hidden.shape[0], rows):
            part, wanted = hidden[start : start + rows], targets[start : start + rows]
            logits = torch.addmm(bias, part, weight.t())
            total = torch.logsumexp(logits, -1, keepdim=True)
            right = logits.gather(1, wanted[:, None])
            plain += (total - right).sum()
            smooth += (total * vocabulary).sum() - logits.sum()
            grad = logits.sub_(total).exp_()
            if smoothing:
                grad -= smoothing / vocabulary
            grad.scatter_add_(1, wanted[:, None], torch.full_like(right, smoothing - 1.0))
            torch.mm(grad, weight, out=grad_hidden[start : start + rows])
            grad_weight.addmm_(grad.t(), part)
            grad_bias += grad.sum(0)
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        return torch.stack([(1.0 - smoothing) * plain + smoothing * smooth / vocabulary, plain])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_hidden, grad_weight, grad_bias = ctx.saved_tensors
        scale = grads[0][0]  # only the first output, the smoothed loss, is differentiated
        return grad_hidden * scale, grad_weight * scale, grad_bias * scale, None, None


def fused_loss(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Sum of the label-smoothed cross-entropy (Szegedy et al. 2016, sec. 7) and of the plain one, in nats.

    Args:
        hidden: ``(positions, width)``.
        weight: output layer ``(vocabulary, width)``.
        bias: ``(vocabulary,)``.
        targets: right tokens ``(positions,)``.
        smoothing: share of the target probability spread evenly over the vocabulary.

    Returns:
        the smoothed loss, differentiable, and the plain negative log-likelihood, which is not.
    """
    if (
        hidden.requires_grad
        and torch.is_grad_enabled()
        and hidden.device.type == "cpu"
        and hidden.dtype == torch.float32
    ):
        both = _FusedLoss.apply(hidden, weight, bias, targets, smoothing)
        return both[0], both[1].detach()
    logits = torch.nn.functional.linear(hidden, weight, bias).float()
    logs = logits.log_softmax(-1)
    plain = -logs.gather(1, targets[:, None]).sum()
    if not smoothing:
        return plain, plain.detach()
    return (1.0 - smoothing) * plain - smoothing * logs.mean(-1).sum(), plain.detach()
