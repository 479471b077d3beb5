"""Gradients of the last hidden layer, one per token, as the two vectors whose outer product they are."""

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
Callback = Callable[[int], None]
"""Called with the number of examples of a batch; may raise to end the pass."""


@dataclass(frozen=True)
class TokenGradients:
    """The gradient of the negative log-likelihood of each token, with respect to the weights of ``Decoder.combine``.

    This layer reads the top recurrent layer and the context, and the output layer reads its result. The gradient is
    ``errors.T @ features`` of the token: the outer product of two vectors, so that the dot product of the gradients of two
    tokens is the product of two short dot products. With input feeding, the effect on later steps is left out.

    Attributes:
        examples: index of the example of each token, ``(tokens,)``.
        targets: token ids, the end token included, ``(tokens,)``.
        features: input of the layer, ``(tokens, feature_size)``.
        errors: gradient of its output before the tanh, ``(tokens, output_size)``; with a copy head, the gradient of the gate's
            logit, which reads the same features, is one more column.
    """

    examples: Tensor
    targets: Tensor
    features: Tensor
    errors: Tensor


def token_gradients(network: Seq2Seq, examples: Examples, callback: Callback | None = None) -> Iterator[TokenGradients]:
    """Yield the gradients of all target tokens, a batch of examples at a time, in order of length.

    Args:
        network: in evaluation mode.
        examples: encoded pairs.
        callback: progress.
    """
    device = network.output_bias.device
    for rows, source, target, copies in padded_batches(examples, batch_tokens=BATCH_TOKENS, batch_size=256):
        source_ids, target_ids = torch.as_tensor(source, device=device), torch.as_tensor(target, device=device)
        copy_ids = None if copies is None else torch.as_tensor(copies, device=device)
        with torch.inference_mode():
            batch = _batch_gradients(network, source_ids, target_ids, copy_ids)
        indices = torch.as_tensor(rows, dtype=torch.int64)[batch.examples]
        yield TokenGradients(indices, batch.targets, batch.features, batch.errors)
        if callback is not None:
            callback(len(rows))


def _batch_gradients(network: Seq2Seq, source: Tensor, target: Tensor, copy_ids: Tensor | None) -> TokenGradients:
    """Gradients of one padded batch; ``examples`` are indices of its rows."""
    decoded, memory = network.forward(source, target[:, :-1], copy_ids)
    references = target[:, 1:]
    real = references != PAD
    assert decoded.features is not None
    hidden, targets, examples = decoded.hidden[real].float(), references[real], real.nonzero()[:, 0]
    gate = pointed = None
    if decoded.gate is not None and memory.copy_ids is not None:
        gate = decoded.gate[real].float().clamp(1e-6, 1 - 1e-6)
        matches = memory.copy_ids[examples] == targets[:, None]
        pointed = (decoded.weights[real].float() * matches).sum(-1)
    errors = list[Tensor]()
    for block in position_blocks(len(targets), network.vocabulary_size):
        copying = None if gate is None or pointed is None else (gate[block], pointed[block])
        errors.append(_errors(network, hidden[block], targets[block], copying))
    return TokenGradients(examples.cpu(), targets.cpu(), decoded.features[real].float().cpu(), torch.cat(errors).cpu())


def _errors(network: Seq2Seq, hidden: Tensor, targets: Tensor, copying: tuple[Tensor, Tensor] | None) -> Tensor:
    """Gradient of ``-log p(target)`` with respect to the input of the last tanh, and with a copy head to the gate's logit.

    With gate ``g``, probability ``p`` of the output layer and attention ``a`` on equal source tokens, the probability is
    ``m = g p + (1 - g) a`` (See et al. 2017, eq. 9). Its share ``g p / m`` scales the error of the logits, ``softmax - onehot``,
    and the gradient of the gate's logit is ``g (1 - g) (a - p) / m``.

    Args:
        network: the network.
        hidden: ``(tokens, output_size)``.
        targets: ``(tokens,)``; ids from ``vocabulary`` on can only be copied.
        copying: gate and attention, ``(tokens,)`` each.
    """
    weight = network.output_weight.float()
    logits = nn.functional.linear(hidden, weight, network.output_bias.float()).softmax(-1)
    generated = targets < network.vocabulary_size
    ids = targets.clamp(max=network.vocabulary_size - 1)[:, None]
    probability = logits.gather(-1, ids).squeeze(-1) * generated
    logits.scatter_add_(-1, ids, -torch.ones_like(probability)[:, None])
    errors = logits @ weight * (1 - hidden**2)
    if copying is None:
        return errors
    gate, pointed = copying
    mixture = (gate * probability + (1 - gate) * pointed).clamp_min(1e-12)
    gates = gate * (1 - gate) * (pointed - probability) / mixture
    return torch.cat([errors * (gate * probability / mixture)[:, None], gates[:, None]], -1)
