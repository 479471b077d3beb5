"""Teacher-forced passes through the network, for scores of given tokens only."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nbtextgen.model.attention import Memory
from nbtextgen.model.decoder import Decoded
from nbtextgen.model.loss import position_blocks
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import UNK


def decode(network: Seq2Seq, inputs: Tensor, memory: Memory, summary: Tensor) -> Decoded:
    """All steps of one output for many sources: ``inputs (steps,)``, a row of ``memory`` per source."""
    in_vocabulary = inputs.masked_fill(inputs >= network.vocabulary_size, UNK)
    embedded = network.target_embedding(in_vocabulary).expand(summary.shape[0], -1, -1)
    return network.decoder(embedded, network.decoder.initial_state(summary, memory), memory)


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
    from 0 to 1 is then the share of a source token that is copied as itself; the rest is copied as the unknown token.
    """
    size = network.vocabulary_size
    flat = decoded.hidden.flatten(0, 1)
    normalizers = [
        nn.functional.linear(flat[block], network.output_weight, network.output_bias).float().logsumexp(-1)
        for block in position_blocks(len(flat), size)
    ]
    clamped = targets.clamp(max=size - 1)
    logits = (decoded.hidden * network.output_weight[clamped]).sum(-1) + network.output_bias[clamped]
    logs = logits.float() - torch.cat(normalizers).view(logits.shape)
    if decoded.gate is None or memory.copy_ids is None:
        return logs
    gate = decoded.gate.clamp(1e-6, 1 - 1e-6)
    generated = logs.exp().masked_fill(targets >= size, 0.0)
    matches = memory.copy_ids[:, None, :] == targets[:, None]
    if present is not None:
        matches = present[:, None, :] * matches + (1 - present[:, None, :]) * (targets == UNK)[:, None]
    copied = (decoded.weights * matches).sum(-1)
    return (gate * generated + (1 - gate) * copied).clamp_min(1e-12).log()


def ensemble_mean(logs: Sequence[Tensor]) -> Tensor:
    """Logarithm of the mean probability over the networks of an ensemble."""
    return logs[0] if len(logs) == 1 else torch.logsumexp(torch.stack(list(logs)), 0) - math.log(len(logs))


@contextmanager
def differentiable() -> Generator[None]:
    """Allow gradients through recurrent layers in evaluation mode, which cuDNN's kernels refuse."""
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        yield
