"""Label-smoothed cross-entropy fused with the output layer, so that the logits never exist all at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

_LOGITS = 1 << 21  # computed together: a few MB, so that they are still in the cache when they are read again
_TINY = 1e-30  # below this a probability has lost its digits, and its logarithm is computed another way


def blocks(positions: int, vocabulary: int) -> Iterator[slice]:
    """Positions whose logits are worked out together, so that all of them never exist at once."""
    rows = max(16, _LOGITS // vocabulary)
    return (slice(start, start + rows) for start in range(0, positions, rows))


class _FusedLoss(torch.autograd.Function):
    """Loss and gradients in one sweep over blocks of positions (each block's logits are read while still in cache).

    The gradient of the logits is ``softmax - (1 - smoothing) onehot - smoothing / vocabulary``. Its last, constant part
    needs no pass over the logits: it is added to the three results at the end, and the sum of the logits that the
    smoothed loss needs is ``hidden @ weight.sum(0) + bias.sum()``.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            return _FusedLoss._sweep(ctx, hidden, weight, bias, targets, smoothing)

    @staticmethod
    def _sweep(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        vocabulary, exact = weight.shape[0], hidden.dtype == weight.dtype
        low_weight, low_bias = weight.to(hidden.dtype), bias.to(hidden.dtype)
        grad_hidden, grad_weight, grad_bias = torch.empty_like(hidden), torch.zeros_like(weight), torch.zeros_like(bias)
        plain = weight.new_zeros(())
        for block in blocks(hidden.shape[0], vocabulary):
            part, wanted = hidden[block], targets[block, None]
            logits = torch.addmm(low_bias, part, low_weight.t())
            grad = logits.softmax(-1)
            right = grad.gather(1, wanted)
            plain -= _log_of(right, logits, wanted).sum()
            grad.scatter_(1, wanted, right - (1.0 - smoothing))
            torch.mm(grad, low_weight, out=grad_hidden[block])
            if exact:
                grad_weight.addmm_(grad.t(), part)
            else:
                grad_weight += torch.mm(grad.t(), part)
            grad_bias += grad.sum(0)
        summed = weight.sum(0)
        smooth = plain.new_zeros(())
        if smoothing:
            total = hidden.sum(0, dtype=weight.dtype)
            right = (hidden * low_weight[targets]).sum(dtype=weight.dtype) + bias[targets].sum()
            # The mean of -log p over the vocabulary is -log p(right) plus the right logit less the mean one.
            smooth = plain + right - (total @ summed + hidden.shape[0] * bias.sum()) / vocabulary
            grad_hidden -= (smoothing / vocabulary * summed).to(hidden.dtype)
            grad_weight -= smoothing / vocabulary * total
            grad_bias -= smoothing / vocabulary * hidden.shape[0]
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        return torch.stack([(1.0 - smoothing) * plain + smoothing * smooth, plain])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_hidden, grad_weight, grad_bias = ctx.saved_tensors
        scale = grads[0][0]  # only the first output, the smoothed loss, is differentiated
        return grad_hidden * scale.to(grad_hidden.dtype), grad_weight * scale, grad_bias * scale, None, None


def _log_of(right: Tensor, logits: Tensor, wanted: Tensor) -> Tensor:
    """Logarithm of the right tokens' probabilities ``(rows, 1)``, also where the softmax has underflowed."""
    logs = right.float().log()
    lost = right[:, 0] < _TINY
    if lost.any():
        logs[lost] = logits[lost].float().log_softmax(-1).gather(1, wanted[lost])
    return logs


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
    if hidden.requires_grad and torch.is_grad_enabled():
        both = _FusedLoss.apply(hidden, weight, bias, targets, smoothing)
        return both[0], both[1].detach()
    logits = torch.nn.functional.linear(hidden, weight, bias).float()
    logs = logits.log_softmax(-1)
    plain = -logs.gather(1, targets[:, None]).sum()
    if not smoothing:
        return plain, plain.detach()
    return (1.0 - smoothing) * plain - smoothing * logs.mean(-1).sum(), plain.detach()
