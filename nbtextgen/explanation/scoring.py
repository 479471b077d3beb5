"""Teacher-forced passes through the network, for scores of given tokens only."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nbtextgen.model.attention import Memory
from nbtextgen.model.copy_loss import MIN_PROBABILITY
from nbtextgen.model.decoder import Decoded
from nbtextgen.model.loss import position_blocks
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import UNK


def decode(network: Seq2Seq, inputs: Tensor, memory: Memory, summary: Tensor) -> Decoded:
    """All steps of one output for many sources: ``inputs (steps,)``, a row of ``memory`` per source."""
    embedded = _embedded(network, inputs, summary)
    return network.decoder(embedded, network.decoder.initial_state(summary, memory), memory)


def decode_stepwise(network: Seq2Seq, inputs: Tensor, memory: Memory, summary: Tensor) -> None:
    """As ``decode``, one step at a time, for hooks on the attention."""
    state = network.decoder.initial_state(summary, memory)
    for embedded in torch.split(_embedded(network, inputs, summary), 1, 1):
        _, state = network.decoder.step(embedded, state, memory)


def _embedded(network: Seq2Seq, inputs: Tensor, summary: Tensor) -> Tensor:
    in_vocabulary = inputs.masked_fill(inputs >= network.vocabulary_size, UNK)
    return network.target_embedding(in_vocabulary).expand(summary.shape[0], -1, -1)


def encode_embedded(network: Seq2Seq, embedded: Tensor, mask: Tensor, copy_ids: Tensor | None) -> tuple[Memory, Tensor]:
    """As ``Seq2Seq.encode``, from vectors ``(batch, source_length, embedding_size)`` instead of token ids."""
    encoded, summary = network.encode_embedded(embedded, mask)
    attention = network.decoder.attention
    keys, values = (encoded, encoded) if attention is None else attention.project(encoded)
    return Memory(keys, values, mask, copy_ids if network.config.copy else None), summary


def token_scores(
    network: Seq2Seq, decoded: Decoded, memory: Memory, targets: Tensor, present: Tensor | None = None
) -> Tensor:
    """Log-probability of the tokens ``targets (steps,)`` in every row, ``(batch, steps)``.

    Only the normaliser reads the whole vocabulary, block by block while a block is in the cache; no softmax is written
    out. With a copy head, the mixture of generating and copying (See et al. 2017, eq. 9); ``present (batch, source_length)``
    from 0 to 1 is then the share of a source token that is copied as itself; the rest is copied as the unknown token. As in
    training, a word that only copying can write counts as the unknown token where the source does not hold it.
    """
    size = network.vocabulary_size
    flat = decoded.hidden.flatten(0, 1)
    normalizers = [
        nn.functional.linear(flat[block], network.output_weight, network.output_bias).float().logsumexp(-1)
        for block in position_blocks(len(flat), size)
    ]
    copied_only = targets >= size
    clamped = targets.masked_fill(copied_only, UNK)
    logits = (decoded.hidden * network.output_weight[clamped]).sum(-1) + network.output_bias[clamped]
    logs = logits.float() - torch.cat(normalizers).view(logits.shape)
    if decoded.gate is None or memory.copy_ids is None:
        return logs
    gate = decoded.gate.clamp(1e-6, 1 - 1e-6)
    generated, either = gate * logs.exp(), (targets == UNK) | copied_only
    if present is None and not bool(either.any()):
        copied = (decoded.weights * (memory.copy_ids[:, None, :] == targets[:, None])).sum(-1)
        return (generated + (1 - gate) * copied).clamp_min(MIN_PROBABILITY).log()
    matches = (memory.copy_ids[:, None, :] == targets[:, None]).float()
    unknown = (memory.copy_ids == UNK).float()[:, None, :]
    if present is not None:
        share = present[:, None, :]
        matches, unknown = share * matches, 1 - share + share * unknown
    copied, copied_unknown = (decoded.weights * matches).sum(-1), (decoded.weights * unknown).sum(-1)
    # How far the source holds none of the words that can only be copied: 0 or 1, or between along a path.
    absent = torch.where(copied_only, (1 - matches).prod(-1), 1.0)
    elsewhere = generated + (1 - gate) * torch.where(either, copied_unknown, 0.0)
    copied = torch.where(targets == UNK, 0.0, copied)
    return ((1 - gate) * copied + absent * elsewhere).clamp_min(MIN_PROBABILITY).log()


def ensemble_mean(logs: Sequence[Tensor]) -> Tensor:
    """Logarithm of the mean probability over the networks of an ensemble."""
    return logs[0] if len(logs) == 1 else torch.logsumexp(torch.stack(list(logs)), 0) - math.log(len(logs))


@contextmanager
def differentiable() -> Generator[None]:
    """Allow gradients through recurrent layers in evaluation mode, which cuDNN's kernels refuse."""
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        yield
