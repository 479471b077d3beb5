"""Label-smoothed cross-entropy, fused with the output layer so that the logits of all positions never exist at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from nbtextgen.model.cpu import linear

BLOCK_LOGITS = 1 << 22
"""Logits of one block: 8 MB in bf16, so that they are still in the cache when they are read again."""
BLOCK_STEP = 64
"""The rows of a block are a multiple of this; 262 rows take 7 % longer than 256 in the products of bf16."""
MIN_PROBABILITY = 1e-30
"""A probability below this has lost its digits; its logarithm is computed from the logits."""


def position_blocks(positions: int, vocabulary: int) -> Iterator[slice]:
    """Yield slices of positions whose logits are computed together."""
    rows = max(16, BLOCK_LOGITS // vocabulary)
    if rows > BLOCK_STEP:
        rows -= rows % BLOCK_STEP
    return (slice(start, start + rows) for start in range(0, positions, rows))


class Context(Protocol):
    """What autograd hands from the forward to the backward pass."""

    @property
    def saved_tensors(self) -> tuple[Tensor, ...]: ...

    def save_for_backward(self, *tensors: Tensor) -> None: ...


def scaled_gradients(ctx: Context, grad_outputs: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradients saved by the forward pass, times the gradient of the first output.

    Only the first of the two outputs, the smoothed loss, is differentiated.
    """
    scale = grad_outputs[0][0]
    return [grad * scale.to(grad.dtype) for grad in ctx.saved_tensors]


class _FusedLoss(torch.autograd.Function):
    """Loss and gradients in one pass over blocks of positions, so that the logits of a block are read while in cache.

    The gradient of the logits is ``softmax - (1 - smoothing) onehot - smoothing / vocabulary``. Its last, constant term
    needs no pass over the logits: it is added to the three gradients at the end, and the sum of the logits that the
    smoothed loss needs is ``hidden @ weight.sum(0) + bias.sum()``.
    """

    @staticmethod
    def forward(
        ctx: Context, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float
    ) -> Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            return _FusedLoss._sweep(ctx, hidden, weight, bias, targets, smoothing)

    @staticmethod
    def _sweep(ctx: Context, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        vocabulary, exact = weight.shape[0], hidden.dtype == weight.dtype
        low_weight, low_bias = weight.to(hidden.dtype), bias.to(hidden.dtype)
        grad_hidden, grad_weight, grad_bias = torch.empty_like(hidden), torch.zeros_like(weight), torch.zeros_like(bias)
        plain = weight.new_zeros(())
        for block in position_blocks(hidden.shape[0], vocabulary):
            part = hidden[block]
            references = torch.arange(len(part), device=hidden.device), targets[block]
            logits = linear(part, low_weight, low_bias)
            grad = logits.softmax(-1)
            probabilities = grad[references]
            plain -= _log_probabilities(probabilities, logits, targets[block]).sum()
            grad[references] = probabilities - (1.0 - smoothing)  # scatter_ copies the block twice in bf16
            grad_hidden[block] = linear(grad, low_weight.t())
            if exact:
                grad_weight.addmm_(grad.t(), part)
            else:
                grad_weight += torch.mm(grad.t(), part)
            grad_bias += grad.sum(0)
        summed = weight.sum(0)
        smooth = plain.new_zeros(())
        if smoothing:
            total = hidden.sum(0, dtype=weight.dtype)
            target_logits = (hidden * low_weight[targets]).sum(dtype=weight.dtype) + bias[targets].sum()
            # The mean of -log p over the vocabulary is -log p(target) + the target's logit - the mean logit.
            smooth = plain + target_logits - (total @ summed + hidden.shape[0] * bias.sum()) / vocabulary
            grad_hidden -= (smoothing / vocabulary * summed).to(hidden.dtype)
            grad_weight -= smoothing / vocabulary * total
            grad_bias -= smoothing / vocabulary * hidden.shape[0]
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        return torch.stack([(1.0 - smoothing) * plain + smoothing * smooth, plain])

    @staticmethod
    def backward(ctx: Context, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        return *scaled_gradients(ctx, grad_outputs), None, None


def _log_probabilities(probabilities: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
    """Logarithm of the targets' ``probabilities (rows,)``, also where the softmax has underflowed."""
    logs = probabilities.float().log()
    underflowed = probabilities < MIN_PROBABILITY
    if underflowed.any():
        exact = logits[underflowed].float().log_softmax(-1)
        logs[underflowed] = exact.gather(1, targets[underflowed, None]).squeeze(1)
    return logs


def fused_loss(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Sum of the label-smoothed cross-entropy (Szegedy et al. 2016, sec. 7) and of the plain one, in nats.

    Args:
        hidden: ``(positions, width)``.
        weight: output layer ``(vocabulary, width)``.
        bias: ``(vocabulary,)``.
        targets: reference tokens ``(positions,)``.
        smoothing: share of the target probability spread evenly over the vocabulary.

    Returns:
        the smoothed loss, differentiable, and the plain negative log-likelihood, which is not.
    """
    if hidden.requires_grad and torch.is_grad_enabled():
        losses: Tensor = cast("Any", _FusedLoss).apply(hidden, weight, bias, targets, smoothing)
        return losses[0], losses[1].detach()
    logits = torch.nn.functional.linear(hidden, weight, bias).float()
    logs = logits.log_softmax(-1)
    plain = -logs.gather(1, targets[:, None]).sum()
    if not smoothing:
        return plain, plain.detach()
    return (1.0 - smoothing) * plain - smoothing * logs.mean(-1).sum(), plain.detach()
