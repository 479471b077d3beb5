"""Teacher-forced passes through the network, and the score of every token of a given output."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nbtextgen.core.errors import OptionError
from nbtextgen.model.attention import Memory
from nbtextgen.model.copy_loss import MIN_PROBABILITY
from nbtextgen.model.decoder import Decoded
from nbtextgen.model.loss import position_blocks
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import UNK

TokenScore = Callable[[Tensor, Tensor], Tensor]
"""Scores tokens: log-probabilities ``(..., vocabulary)`` and token ids ``(...)`` to scores ``(...)``."""
MAX_LOGITS = 1 << 24
"""Log-probabilities of whole vocabularies that are computed together: 64 MB."""


def decode(network: Seq2Seq, inputs: Tensor, memory: Memory, summary: Tensor) -> Decoded:
    """All steps of one output for many sources, a row of ``memory`` each.

    ``inputs`` are the decoder's inputs: ``(steps,)``, the same for all sources, or ``(batch, steps)``.
    """
    return decode_embedded(network, _embedded(network, inputs, summary), memory, summary)


def decode_embedded(network: Seq2Seq, embedded: Tensor, memory: Memory, summary: Tensor) -> Decoded:
    """As ``decode``, from vectors ``(batch, steps, embedding_size)`` instead of token ids."""
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
    """Log-probability of the tokens ``targets``, ``(steps,)`` or ``(batch, steps)``, in every row, ``(batch, steps)``.

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
        copied = (decoded.weights * (memory.copy_ids[:, None, :] == targets[..., None])).sum(-1)
        return (generated + (1 - gate) * copied).clamp_min(MIN_PROBABILITY).log()
    matches = (memory.copy_ids[:, None, :] == targets[..., None]).float()
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


def entropy(logs: Tensor, ids: Tensor) -> Tensor:
    """Entropy of the distribution over the next token, in nats; a ``TokenScore`` that reads no ``ids``."""
    return -(logs.exp() * logs).sum(-1)


def position_scores(
    networks: Sequence[Seq2Seq],
    decoded: Sequence[Decoded],
    memories: Sequence[Memory],
    targets: Tensor,
    score: TokenScore | None,
    present: Tensor | None = None,
) -> Tensor:
    """Score of every token of the output, ``(batch, steps)``: its log-probability, or ``score`` of the distribution there.

    Args:
        networks: one, or an ensemble, whose probabilities are averaged.
        decoded, memories: the passes of each network.
        targets: the tokens, ``(steps,)`` or ``(batch, steps)``; ids beyond the vocabulary are copied words.
        score: a function of the log-probabilities of all next tokens, or ``None``.
        present: as in ``token_scores``.

    Raises:
        OptionError: if ``score`` returns another shape than that of the ids, or what is not finite.
    """
    if score is None:
        passes = zip(networks, decoded, memories, strict=True)
        return ensemble_mean([token_scores(*each, targets, present) for each in passes])
    size = max(networks[0].vocabulary_size, int(targets.max()) + 1)
    rows, steps = decoded[0].hidden.shape[:2]
    per_block = rows if torch.is_grad_enabled() else max(1, MAX_LOGITS // (steps * size))
    blocks = list[Tensor]()
    for start in range(0, rows, per_block):
        block = slice(start, start + per_block)
        logs = ensemble_mean(
            [
                _all_log_probabilities(network, _part(result, block), memory.copy_ids, block, size, present)
                for network, result, memory in zip(networks, decoded, memories, strict=True)
            ]
        )
        ids = (targets if targets.dim() == 1 else targets[block]).expand(logs.shape[:-1])
        blocks.append(_checked(score(logs.clone(), ids.clone()), ids))  # which a function may change
    return torch.cat(blocks)


def _part(decoded: Decoded, block: slice) -> Decoded:
    gate = None if decoded.gate is None else decoded.gate[block]
    return Decoded(decoded.hidden[block], decoded.weights[block], gate)


def _checked(scores: object, ids: Tensor) -> Tensor:
    """What a function returned, if it is one finite real number per token, with a gradient where one is asked for."""
    if isinstance(scores, Tensor) and scores.shape == ids.shape and not scores.is_complex():
        if not bool(torch.isfinite(scores).all()):
            raise OptionError("--score returned NaN or infinity for a token; it must be finite for every input.")
        if torch.is_grad_enabled() and not scores.requires_grad:
            raise OptionError(
                "--score returned a value without gradient, which gradients cannot explain; use another --method, or a function "
                "that torch can differentiate."
            )
        return scores
    result = f"shape {tuple(scores.shape)}" if isinstance(scores, Tensor) else type(scores).__name__
    raise OptionError(
        "--score must be a function of log-probabilities (..., vocabulary) and token ids (...) that returns a tensor of the "
        f"shape of the ids, here {tuple(ids.shape)} (got {result})."
    )


def _all_log_probabilities(
    network: Seq2Seq, decoded: Decoded, copy_ids: Tensor | None, rows: slice, size: int, present: Tensor | None
) -> Tensor:
    """Log-probabilities of all tokens, and of copied words up to the id ``size``, ``(batch, steps, size)``.

    ``decoded`` has the ``rows`` of ``copy_ids`` and ``present``.
    """
    logs = nn.functional.linear(decoded.hidden, network.output_weight, network.output_bias).float().log_softmax(-1)
    if decoded.gate is None or copy_ids is None:
        return logs
    gate, ids = decoded.gate.clamp(1e-6, 1 - 1e-6)[..., None], copy_ids[rows, None]
    copied = (1 - gate) * decoded.weights
    mixture = nn.functional.pad(gate * logs.exp(), (0, size - logs.shape[-1]))
    ids = ids.masked_fill(ids >= size, UNK).expand(copied.shape)
    if present is not None:
        share = present[rows, None]
        unknown = nn.functional.one_hot(torch.tensor(UNK, device=ids.device), size)
        mixture = mixture + unknown * (copied * (1 - share)).sum(-1)[..., None]
        copied = copied * share
    return mixture.scatter_add(-1, ids, copied).clamp_min(MIN_PROBABILITY).log()


def ensemble_mean(logs: Sequence[Tensor]) -> Tensor:
    """Logarithm of the mean probability over the networks of an ensemble."""
    return logs[0] if len(logs) == 1 else torch.logsumexp(torch.stack(list(logs)), 0) - math.log(len(logs))


@contextmanager
def differentiable() -> Generator[None]:
    """Allow gradients through recurrent layers in evaluation mode, which cuDNN's kernels refuse."""
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        yield
