"""Gradients of the output layer, one per token, as the two vectors whose outer product they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nbtextgen.data.batching import Examples, padded_batches
from nbtextgen.model.loss import position_blocks
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import PAD

BATCH_TOKENS = 8192
"""Source and target tokens of a batch, padding included."""
PROJECTED = 256
"""Most entries of an error. Those of a larger vocabulary are projected at random (Johnson and Lindenstrauss 1984)."""
Callback = Callable[[int], None]
"""Called with the number of examples of a batch; may raise to end the pass."""


@dataclass(frozen=True)
class TokenGradients:
    """The gradient of the negative log-likelihood of each token, with respect to the output layer.

    For the weights, it is ``errors.T @ hidden`` of the token: the outer product of two vectors, so that the dot product of
    the gradients of two tokens is the product of two short dot products.

    Attributes:
        examples: index of the example of each token, ``(tokens,)``.
        targets: token ids, the end token included, ``(tokens,)``.
        hidden: input of the output layer, ``(tokens, output_size)``.
        errors: gradient of the logits, ``(tokens, vocabulary)``, or projected; and of the copy gate's logit, with a copy head.
    """

    examples: Tensor
    targets: Tensor
    hidden: Tensor
    errors: Tensor


class ErrorProjection:
    """Projects errors of a large vocabulary to ``PROJECTED`` entries; shorter ones stay as they are."""

    def __init__(self, vocabulary: int, device: torch.device) -> None:
        self.matrix: Tensor | None = None
        if vocabulary > PROJECTED:
            generator = torch.Generator().manual_seed(0)
            signs = torch.randint(0, 2, (vocabulary, PROJECTED), generator=generator, dtype=torch.float32) * 2 - 1
            self.matrix = (signs / PROJECTED**0.5).to(device)

    def __call__(self, errors: Tensor) -> Tensor:
        return errors if self.matrix is None else errors @ self.matrix


def token_gradients(
    network: Seq2Seq, examples: Examples, project: ErrorProjection, callback: Callback | None = None
) -> Iterator[TokenGradients]:
    """Yield the gradients of all target tokens, a batch of examples at a time, in order of length.

    Args:
        network: in evaluation mode.
        examples: encoded pairs.
        project: of the errors.
        callback: progress.
    """
    device = network.output_bias.device
    for rows, source, target, copies in padded_batches(examples, batch_tokens=BATCH_TOKENS, batch_size=256):
        source_ids, target_ids = torch.as_tensor(source, device=device), torch.as_tensor(target, device=device)
        copy_ids = None if copies is None else torch.as_tensor(copies, device=device)
        with torch.inference_mode():
            batch = _batch_gradients(network, source_ids, target_ids, copy_ids, project)
        indices = torch.as_tensor(rows, dtype=torch.int64)[batch.examples]
        yield TokenGradients(indices, batch.targets, batch.hidden, batch.errors)
        if callback is not None:
            callback(len(rows))


def _batch_gradients(
    network: Seq2Seq, source: Tensor, target: Tensor, copy_ids: Tensor | None, project: ErrorProjection
) -> TokenGradients:
    """Gradients of one padded batch; ``examples`` are indices of its rows."""
    decoded, memory = network.forward(source, target[:, :-1], copy_ids)
    references = target[:, 1:]
    real = references != PAD
    hidden, targets, examples = decoded.hidden[real].float(), references[real], real.nonzero()[:, 0]
    gate = pointed = None
    if decoded.gate is not None and memory.copy_ids is not None:
        gate = decoded.gate[real].float().clamp(1e-6, 1 - 1e-6)
        matches = memory.copy_ids[examples] == targets[:, None]
        pointed = (decoded.weights[real].float() * matches).sum(-1)
    parts = [
        _errors(
            network,
            hidden[block],
            targets[block],
            project,
            None if gate is None or pointed is None else (gate[block], pointed[block]),
        )
        for block in position_blocks(len(targets), network.vocabulary_size)
    ]
    return TokenGradients(examples.cpu(), targets.cpu(), hidden.cpu(), torch.cat(parts).cpu())


def _errors(
    network: Seq2Seq, hidden: Tensor, targets: Tensor, project: ErrorProjection, copying: tuple[Tensor, Tensor] | None
) -> Tensor:
    """Gradient of ``-log p(target)`` with respect to the logits, and with a copy head to the gate's logit.

    With gate ``g``, probability ``p`` of the output layer and attention ``a`` on equal source tokens, the probability is
    ``m = g p + (1 - g) a`` (See et al. 2017, eq. 9). Its share ``g p / m`` scales the error ``softmax - onehot``, and the
    gradient of the gate's logit is ``g (1 - g) (a - p) / m``.

    Args:
        hidden: ``(tokens, output_size)``; ``targets (tokens,)``, of which ids from ``vocabulary`` on can only be copied.
        copying: gate and attention, ``(tokens,)`` each.
    """
    errors = nn.functional.linear(hidden, network.output_weight.float(), network.output_bias.float()).softmax(-1)
    generated = targets < network.vocabulary_size
    ids = targets.clamp(max=network.vocabulary_size - 1)[:, None]
    probability = errors.gather(-1, ids).squeeze(-1) * generated
    errors.scatter_add_(-1, ids, -torch.ones_like(probability)[:, None])
    if copying is None:
        return project(errors)
    gate, pointed = copying
    mixture = (gate * probability + (1 - gate) * pointed).clamp_min(1e-12)
    errors *= (gate * probability / mixture)[:, None]
    gates = gate * (1 - gate) * (pointed - probability) / mixture
    return torch.cat([project(errors), gates[:, None]], -1)
