"""Teacher-forced passes through the network, for scores of given tokens only."""

from __future__ import annotations

from collections.abc import Iterator
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
    known = inputs.masked_fill(inputs >= network.vocabulary_size, UNK)
    embedded = network.target_embedding(known).expand(summary.shape[0], -1, -1)
    return network.decoder(embedded, network.decoder.initial_state(summary, memory), memory)


def encode_embedded(network: Seq2Seq, embedded: Tensor, mask: Tensor, copy_ids: Tensor | None) -> tuple[Memory, Tensor]:
    """As ``Seq2Seq.encode``, from vectors ``(batch, source_length, embedding_size)`` in the place of token ids."""
    encoded, summary = network.encode_embedded(embedded, mask)
    attention = network.decoder.attention
    keys, values = (encoded, encoded) if attention is None else attention.project(encoded)
    return Memory(keys, values, mask, copy_ids if network.config.copy else None), summary


def picked(network: Seq2Seq, decoded: Decoded, memory: Memory, wanted: Tensor, present: Tensor | None = None) -> Tensor:
    """Log-probability of the tokens ``wanted (steps,)`` in every row, ``(batch, steps)``.

    Only the normaliser reads the whole vocabulary, block by block while a block is in the cache; no softmax is written
    out. With a copy head, the mixture of writing and pointing (See et al. 2017, eq. 9); ``present (batch, source_length)``
    from 0 to 1 is then how far a source token is copied as itself, the rest of it being copied as the unknown token.
    """
    size = network.vocabulary_size
    flat = decoded.hidden.flatten(0, 1)
    totals = [
        nn.functional.linear(flat[block], network.output_weight, network.output_bias).float().logsumexp(-1)
        for block in position_blocks(len(flat), size)
    ]
    known = wanted.clamp(max=size - 1)
    scores = (decoded.hidden * network.output_weight[known]).sum(-1) + network.output_bias[known]
    logs = scores.float() - torch.cat(totals).view(scores.shape)
    if decoded.gate is None or memory.copy_ids is None:
        return logs
    gate = decoded.gate.clamp(1e-6, 1 - 1e-6)
    written = logs.exp().masked_fill(wanted >= size, 0.0)
    own = memory.copy_ids[:, None, :] == wanted[:, None]
    if present is not None:
        own = present[:, None, :] * own + (1 - present[:, None, :]) * (wanted == UNK)[:, None]
    pointed = (decoded.weights * own).sum(-1)
    return (gate * written + (1 - gate) * pointed).clamp_min(1e-12).log()


@contextmanager
def differentiable() -> Iterator[None]:
    """Gradients through recurrent layers in evaluation mode, which cuDNN's kernels refuse."""
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        yield
