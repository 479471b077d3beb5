"""Greedy decoding, sampling and beam search over many sources, a batch of them at a time."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.errors import OptionError
from nbtextgen.decoding.batch import Batch, on_host
from nbtextgen.decoding.beam import Beam, best_extensions
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.constraints import IMPOSSIBLE, Constraints, end_at_limit, sharpen
from nbtextgen.decoding.hypothesis import MAX_KEPT_ATTENTION, Hypothesis, length_norm
from nbtextgen.decoding.stepper import Stepper
from nbtextgen.decoding.streaming import NOTHING, draw, generate_tokens

MAX_BATCH_TOKENS = 1 << 16
"""Source tokens, padding included, that are decoded together: 64 sources of 1,024 tokens each. Encoding takes a few
kilobytes per token."""


MIN_WIDTH = 4
"""Hypotheses for each of ``batch_size`` sources that are worth decoding at once: with fewer, more sources are. The output
layer of a step (512 to 8,000, fp32, one thread of an EPYC) takes 149 microseconds per row with 64 rows, 112 with 256."""


@torch.inference_mode()
def decode(
    model: Stepper,
    source: Tensor,
    config: DecodingConfig,
    *,
    bos: int,
    eos: int,
    max_length: Sequence[int],
    copy_ids: Tensor | None = None,
    prefix_ids: Sequence[int] = (),
    allow_ids: Sequence[int] | None = None,
    forbid_ids: Sequence[Sequence[int]] = (),
    cancellation: CancellationToken | None = None,
) -> list[list[Hypothesis]]:
    """Write the outputs for many sources, ``config.batch_size`` at a time; one that ends makes room for the next.

    Args:
        model: what gives the next token's log-probabilities.
        source: ``(sources, source_length)``, zero after each one's end; in order of length is fastest.
        config: beam, sampling, penalties and limits.
        bos, eos: begin and end ids.
        max_length: most output tokens, per row.
        copy_ids: target-side ids of the source tokens, as ``source``, for networks with a copy head.
        prefix_ids: what every output begins with.
        allow_ids: only these tokens may be written.
        forbid_ids: sequences of tokens that may not be written.
        cancellation: ends the search with ``Cancelled`` at its next step.

    Returns:
        for each row its hypotheses, best first; at most ``n_best``.

    Raises:
        OptionError: when the rules leave nothing that could be written.
    """
    rules = Constraints(
        config,
        eos,
        tuple(prefix_ids),
        None if allow_ids is None else tuple(allow_ids),
        tuple(map(tuple, forbid_ids)),
    )
    limits = torch.tensor([max(limit, len(prefix_ids) + 1, config.min_length) for limit in max_length])
    if _one_path(config) and config.n_best == 1 and min(len(source), config.batch_size) == 1:
        return [
            [_single(model, source[row : row + 1], copies, config, rules, limit, bos, cancellation)]
            for row, (limit, copies) in enumerate(zip(limits.tolist(), _each(copy_ids, len(source)), strict=True))
        ]
    found = _in_batches(model, source, copy_ids, config, rules, limits, bos, cancellation)
    if not all(found):
        raise OptionError(NOTHING)
    return [sorted(each, key=lambda one: -one.score)[: config.n_best] for each in found]


def _one_path(config: DecodingConfig) -> bool:
    """Whether hypotheses are continued by one token each, greedily or by sampling, rather than compared in a beam."""
    return config.sample or (config.beam == 1 and config.n_best == 1)


def _in_batches(
    model: Stepper,
    source: Tensor,
    copy_ids: Tensor | None,
    config: DecodingConfig,
    rules: Constraints,
    limits: Tensor,
    bos: int,
    cancellation: CancellationToken | None,
) -> list[list[Hypothesis]]:
    """The outputs for all sources, in batches that are refilled as sources are done."""
    found: list[list[Hypothesis]] = []
    greedy = _one_path(config)
    width = max(config.n_best, 1 if config.sample else config.beam)
    for rows in _bounded(source, config.batch_size):
        longest = int((source[rows] != 0).sum(1).max().clamp_min(1))
        fitting = min(config.batch_size * max(1, MIN_WIDTH // width), MAX_BATCH_TOKENS // longest)
        batch = Batch(
            model,
            source[rows, :longest],
            None if copy_ids is None else copy_ids[rows, :longest],
            width=width,
            places=max(config.batch_size, fitting),
            bos=bos,
            keep_written=rules.look_back,
        )
        limited = limits[rows]
        if greedy:
            found += _follow(batch, config, rules, limited, cancellation)
        else:
            found += Beam(batch, config, rules, limited).run(cancellation)
    return found


def _bounded(source: Tensor, batch_size: int) -> Iterator[slice]:
    """Which sources share a batch that is refilled: all, except that ``MAX_BATCH_TOKENS`` bounds batches of long ones."""
    lengths, start = (source != 0).sum(1).clamp_min(1).tolist(), 0
    while start < len(lengths):
        longest = max(lengths[start:])
        fitting = max(1, MAX_BATCH_TOKENS // longest)
        count = len(lengths) if fitting >= batch_size else fitting
        yield slice(start, start + count)
        start += count


def _each(copy_ids: Tensor | None, count: int) -> list[Tensor | None]:
    """One row at a time."""
    return [None] * count if copy_ids is None else list(copy_ids.split(1))


def _single(
    model: Stepper,
    source: Tensor,
    copy_ids: Tensor | None,
    config: DecodingConfig,
    rules: Constraints,
    limit: int,
    bos: int,
    cancellation: CancellationToken | None,
) -> Hypothesis:
    """The output for one source ``(1, source_length)``, greedily or by sampling."""
    length = int((source != 0).sum().clamp_min(1))
    copies = None if copy_ids is None else copy_ids[:, :length]
    seed = None
    if config.sample:
        seed = secrets.randbits(31) if config.seed is None else config.seed
    ids, logged, kept = [], [], []
    tokens = generate_tokens(
        model, source[:, :length], copies, config, rules, bos=bos, limit=limit, seed=seed, cancellation=cancellation
    )
    for token in tokens:
        ids.append(token.id)
        logged.append(token.log_probability)
        if len(ids) * length <= MAX_KEPT_ATTENTION:
            kept.append(token.attention)
        else:
            kept.clear()
    logs = np.array(logged, dtype=np.float32)
    attention = on_host(torch.cat(kept, 1)[0]) if kept else None
    score = float(logs.sum()) / length_norm(len(ids), config.length_penalty)
    return Hypothesis(ids[:-1], logs, attention, score, len(ids) <= limit)


def _follow(
    batch: Batch,
    config: DecodingConfig,
    rules: Constraints,
    limits: Tensor,
    cancellation: CancellationToken | None,
) -> list[list[Hypothesis]]:
    """One path at a time per hypothesis: the best token (greedy), or a drawn one (``n_best`` independent draws)."""
    device, most = batch.source.device, limits.tolist()
    limits = limits.to(device)
    # What is drawn for a source depends on the seed alone, not on its place; without one, sources draw apart.
    seeds = [secrets.randbits(31) if config.seed is None else config.seed for _ in most] if config.sample else []
    over = torch.zeros(0, batch.width, dtype=torch.bool, device=device)
    lengths = torch.zeros(len(most), batch.width, dtype=torch.long, device=device)
    found: list[list[Hypothesis]] = [[] for _ in most]
    while True:
        change = batch.fill()
        if not len(batch.rows):
            return found
        if cancellation is not None:
            cancellation.raise_if_cancelled()
        if change is not None:
            kept = over if change.kept is None else over[change.kept]
            over = kept if len(kept) else kept.new_zeros(len(batch.rows), batch.width)
            over[change.new] = False
        logs, attention, batch.state = batch.model.step(batch.last, batch.state)
        ruled = rules.apply(logs.clone(), batch.steps, batch.written) if rules.exist else logs
        ruled = end_at_limit(ruled, limits[batch.rows] <= batch.steps, rules.eos)
        if config.sample:
            last = draw(sharpen(ruled, config), [seeds[row] for row in batch.rows.tolist()], batch.steps.tolist())
        else:
            last = _likeliest(ruled)
        if not (ruled.gather(-1, last.unsqueeze(-1)).squeeze(-1)[~over] > IMPOSSIBLE).all():
            raise OptionError(NOTHING)
        batch.append(last, logs.gather(-1, last.unsqueeze(-1)).squeeze(-1).float(), attention)
        lengths[batch.rows] += ~over
        over = over | (last == rules.eos)
        ended = (over.all(1) & batch.alive).nonzero()[:, 0].tolist()
        for place in ended:
            row = int(batch.rows[place])
            counts = lengths[row].tolist()
            found[row] = [
                _taken(batch, place, column, counts[column], config, most[row]) for column in range(batch.width)
            ]
        if ended:
            batch.end(ended)


def _likeliest(logs: Tensor) -> Tensor:
    """The token of the largest value: ``(rows, width, vocabulary)`` to ``(rows, width)``."""
    rows, width, vocabulary = logs.shape
    each = logs.reshape(rows * width, 1, vocabulary)
    return best_extensions(logs.new_zeros(rows * width, 1), each, 1)[2].view(rows, width)


def _taken(batch: Batch, place: int, column: int, count: int, config: DecodingConfig, limit: int) -> Hypothesis:
    """The output of a hypothesis that ended with its ``count``-th token, the end mark; others may have gone on since."""
    row, steps = int(batch.rows[place]), int(batch.steps[place])
    tokens, logs, attention = batch.path(row, column, steps)
    kept = np.array(logs[:count], dtype=np.float32)
    score = float(kept.sum()) / length_norm(count, config.length_penalty)
    looked = None if attention is None else batch.attended(row, attention[:count])
    return Hypothesis(tokens[: count - 1], kept, looked, score, count <= limit)
