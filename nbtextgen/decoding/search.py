"""Greedy decoding, sampling and beam search over batches, finished rows dropped as they end."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.constraints import IMPOSSIBLE, Constraints, sharpen
from nbtextgen.decoding.stepper import Stepper
from nbtextgen.errors import OptionError


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One output.

    Attributes:
        ids: token ids, without begin and end marks.
        log_probabilities: of each token, and of the end mark.
        attention: ``(len(log_probabilities), source_length)``.
        score: what ranks it; higher is better.
        ended: whether it ended before the length limit forced the end mark.
    """

    ids: list[int]
    log_probabilities: NDArray[np.float32]
    attention: NDArray[np.float32]
    score: float
    ended: bool


@torch.inference_mode()
def decode(
    model: Stepper,
    source: Tensor,
    config: DecodingConfig,
    *,
    bos: int,
    eos: int,
    max_length: Sequence[int],
    prefix_ids: Sequence[int] = (),
    allow_ids: Sequence[int] | None = None,
    forbid_ids: Sequence[Sequence[int]] = (),
) -> list[list[Hypothesis]]:
    """Write the outputs of a batch.

    Args:
        model: what gives the next token's log-probabilities.
        source: ``(batch, source_length)``.
        config: beam, sampling, penalties and limits.
        bos, eos: begin and end ids.
        max_length: most output tokens, per row.
        prefix_ids: what every output begins with.
        allow_ids: only these tokens may be written.
        forbid_ids: sequences of tokens that may not be written.

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
    if config.sample or (config.beam == 1 and config.n_best == 1):
        found = _follow(model, source, config, rules, bos, limits)
    else:
        found = _Beam(model, source, config, rules, bos, limits).run()
    if not all(found):
        raise OptionError("Nothing can be written under these rules; relax --allow, --forbid or --min-length.")
    return [sorted(each, key=lambda one: -one.score)[: config.n_best] for each in found]


def length_norm(length: int, alpha: float) -> float:
    """What a sum of log-probabilities is divided by; ``length`` counts the end mark."""
    return float(max(1, length)) ** alpha


def _follow(
    model: Stepper, source: Tensor, config: DecodingConfig, rules: Constraints, bos: int, limits: Tensor
) -> list[list[Hypothesis]]:
    """One path at a time per hypothesis: the best token (greedy), or a drawn one (``n_best`` independent draws)."""
    batch, width = source.shape[0], config.n_best if config.sample else 1
    seed = config.seed if config.seed is not None else secrets.randbits(31)
    # A generator per row: what is drawn for a source does not depend on what else is in the batch.
    drawers = [torch.Generator().manual_seed(seed) for _ in range(batch)] if config.sample else []
    state = model.start(source, width)
    rows = torch.arange(batch)
    last = torch.full((batch, width), bos, device=source.device)
    written = last.unsqueeze(-1)[..., :0]
    over = torch.zeros(batch, width, dtype=torch.bool, device=source.device)
    ids = torch.full((batch, width, int(limits.max()) + 1), -1)
    logs_kept = torch.zeros(ids.shape)
    attention_kept: list[tuple[Tensor, Tensor]] = []
    for step in range(int(limits.max()) + 1):
        logs, attention, state = model.step(last, state)
        at_limit = (limits[rows] <= step).to(over.device)
        ruled = _end_at_limit(rules.apply(logs.clone(), written), at_limit, rules.eos)
        if config.sample:
            last = _drawn(sharpen(ruled, config), [drawers[row] for row in rows.tolist()])
        else:
            last = ruled.argmax(-1)
        open_rows = ~over
        picked = logs.gather(-1, last.unsqueeze(-1)).squeeze(-1)
        if not (ruled.gather(-1, last.unsqueeze(-1)).squeeze(-1)[open_rows] > IMPOSSIBLE).all():
            raise OptionError("Nothing can be written under these rules; relax --allow, --forbid or --min-length.")
        ids[rows, :, step] = torch.where(open_rows, last, -1).cpu()
        logs_kept[rows, :, step] = picked.float().cpu()
        attention_kept.append((rows, attention.float().cpu()))
        over = over | (last == rules.eos)
        written = torch.cat([written, last.unsqueeze(-1)], -1)
        if over.all():
            break
        alive = ~over.all(1)
        if not alive.all():
            kept = alive.nonzero()[:, 0]
            state, last, written, over = model.keep(state, kept), last[kept], written[kept], over[kept]
            rows = rows[kept.cpu()]
    weights = _stacked(attention_kept, batch)
    return [
        [
            _taken(ids[row, column], logs_kept[row, column], weights[row][:, column], config, int(limits[row]))
            for column in range(width)
        ]
        for row in range(batch)
    ]


def _end_at_limit(logs: Tensor, at_limit: Tensor, eos: int) -> Tensor:
    """Where a row ``(batch,)`` has reached its limit, only the end mark may follow."""
    if not at_limit.any():
        return logs
    ending = torch.full_like(logs, IMPOSSIBLE)
    ending[..., eos] = logs[..., eos].clamp_min(-1e4)
    return torch.where(at_limit[:, None, None], ending, logs)


def _drawn(logs: Tensor, drawers: list[torch.Generator]) -> Tensor:
    """One token per hypothesis, each row from its own generator (the Gumbel-max trick: Gumbel 1954)."""
    noise = torch.stack([torch.rand(logs.shape[1:], generator=drawer) for drawer in drawers]).to(logs.device)
    return (logs - (-noise.clamp(1e-20, 1 - 1e-7).log()).log()).argmax(-1)


def _stacked(kept: list[tuple[Tensor, Tensor]], batch: int) -> list[Tensor]:
    """Attention of each row, ``(steps, width, source_length)``, from per-step tensors of the rows then alive."""
    found: list[list[Tensor]] = [[] for _ in range(batch)]
    for rows, attention in kept:
        for at, row in enumerate(rows.tolist()):
            found[row].append(attention[at])
    return [torch.stack(steps) for steps in found]


def _taken(ids: Tensor, logs: Tensor, attention: Tensor, config: DecodingConfig, limit: int) -> Hypothesis:
    numbers = ids[ids >= 0].tolist()
    count = len(numbers)
    kept = logs[:count].numpy()
    score = float(kept.sum()) / length_norm(count, config.length_penalty)
    return Hypothesis(numbers[:-1], kept, attention[:count].numpy(), score, count <= limit)


_CHUNK = 64


def best_extensions(sums: Tensor, logs: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The likeliest ``count`` one-token extensions of each row's hypotheses.

    Looks for them only in the ``count`` stretches of the vocabulary with the largest maxima: whatever stands in
    another stretch has ``count`` larger ones before it.

    Args:
        sums: log-probability of every hypothesis, ``(batch, width)``.
        logs: of every next token, ``(batch, width, vocabulary)``, contiguous.
        count: how many, where there are as many.

    Returns:
        their log-probabilities, hypotheses and tokens, each ``(batch, count)``, best first.
    """
    batch, width, vocabulary = logs.shape
    whole = vocabulary // _CHUNK * _CHUNK
    if whole // _CHUNK < 2 * count:
        totals = (sums.unsqueeze(-1) + logs).view(batch, -1)
        best, flat = totals.topk(min(count, totals.shape[1]), -1)
        return best, flat // vocabulary, flat % vocabulary
    largest = logs[..., :whole].unflatten(-1, (-1, _CHUNK)).amax(-1)
    if whole < vocabulary:
        largest = torch.cat([largest, logs[..., whole:].amax(-1, keepdim=True)], -1)
    chunks = largest.shape[-1]
    chosen = (sums.unsqueeze(-1) + largest).view(batch, -1).topk(count, -1).indices
    parents = (chosen // chunks).repeat_interleave(_CHUNK, 1)
    tokens = ((chosen % chunks * _CHUNK).unsqueeze(-1) + torch.arange(_CHUNK, device=logs.device)).view(batch, -1)
    there = tokens < vocabulary
    tokens = tokens.clamp_max(vocabulary - 1)
    totals = sums.gather(1, parents) + logs.view(batch, -1).gather(1, parents * vocabulary + tokens)
    best, places = totals.masked_fill(~there, IMPOSSIBLE).topk(count, -1)
    return best, parents.gather(1, places), tokens.gather(1, places)


class _Beam:
    """Beam search (Graves 2012, sec. 2.2, in the batched form).

    A row stops early only when that is provably safe. A hypothesis scores sum(log p) / length**alpha plus a coverage
    penalty that is never positive. Log-probabilities are never positive either, so the sum of a live hypothesis can
    only fall, and for alpha >= 0 dividing by the largest possible length gives its best case:
    bound = sum / (limit + 1)**alpha. When the n-th best finished score is at least every live bound, no live
    hypothesis can enter the n-best list any more.
    """

    def __init__(
        self, model: Stepper, source: Tensor, config: DecodingConfig, rules: Constraints, bos: int, limits: Tensor
    ) -> None:
        self.model, self.config, self.rules, self.limits = model, config, rules, limits
        self.width = max(config.beam, config.n_best)
        self.real = (source != 0).float()
        batch = source.shape[0]
        self.state = model.start(source, 1)
        self.rows = torch.arange(batch, device=source.device)
        self.last = torch.full((batch, 1), bos, device=source.device)
        self.sums = torch.zeros(batch, 1, device=source.device)
        self.written = self.last.unsqueeze(-1)[..., :0]
        self.logs = self.sums.unsqueeze(-1)[..., :0]
        self.attention = self.sums.new_zeros(batch, 1, 0, source.shape[1])
        self.finished: list[list[Hypothesis]] = [[] for _ in range(batch)]

    def run(self) -> list[list[Hypothesis]]:
        """All rows to their end."""
        while len(self.rows):
            self._advance()
            self._drop_done()
        return self.finished

    def _advance(self) -> None:
        logs, attention, self.state = self.model.step(self.last, self.state)
        at_limit = self.limits.to(self.rows.device)[self.rows] <= self.written.shape[-1]
        ruled = _end_at_limit(self.rules.apply(logs, self.written), at_limit, self.rules.eos)
        best, parents, tokens = best_extensions(self.sums, ruled, 2 * self.width)
        picked = best - self.sums.gather(1, parents)
        ends = (tokens == self.rules.eos) & (best > IMPOSSIBLE)
        norm = length_norm(self.written.shape[-1] + 1, self.config.length_penalty)
        sizes, logged, origins = best.tolist(), picked.tolist(), parents.tolist()
        for row, column in ends.nonzero().tolist():
            if sizes[row][column] / norm > self._bar(row):  # a coverage penalty can only lower it
                parent = origins[row][column]
                self._finish(row, parent, sizes[row][column] / norm, logged[row][column], attention[row, parent])
        # Among 2W candidates at most W end (one per parent), so W live ones remain where the vocabulary allows.
        order = ends.logical_or(best == IMPOSSIBLE).int().argsort(dim=-1, stable=True)[:, : self.width]
        parents, self.last = parents.gather(1, order), tokens.gather(1, order)
        self.sums = best.gather(1, order).masked_fill(ends.gather(1, order), IMPOSSIBLE)
        self.state = self.model.reorder(self.state, parents)
        at = torch.arange(len(parents), device=parents.device)[:, None]
        self.written = torch.cat([self.written[at, parents], self.last.unsqueeze(-1)], -1)
        self.logs = torch.cat([self.logs[at, parents], picked.gather(1, order).unsqueeze(-1)], -1)
        self.attention = torch.cat([self.attention[at, parents], attention[at, parents].unsqueeze(2)], 2)

    def _bar(self, row: int) -> float:
        """The score that a hypothesis of the row must exceed to be among the n best that have ended."""
        found = self.finished[int(self.rows[row])]
        return found[self.config.n_best - 1].score if len(found) >= self.config.n_best else IMPOSSIBLE

    def _finish(self, row: int, parent: int, score: float, logged: float, attention: Tensor) -> None:
        """Note a hypothesis that ended with the end mark, if it is good enough."""
        weights = torch.cat([self.attention[row, parent], attention[None]])
        score += self._coverage(row, weights)
        if score <= self._bar(row):
            return
        original = int(self.rows[row])
        self.finished[original].append(
            Hypothesis(
                self.written[row, parent].tolist(),
                np.append(self.logs[row, parent].cpu().numpy(), np.float32(logged)),
                weights.cpu().numpy(),
                score,
                self.written.shape[-1] < int(self.limits[original]),
            )
        )
        self.finished[original].sort(key=lambda one: -one.score)

    def _coverage(self, row: int, weights: Tensor) -> float:
        """Coverage penalty (Wu et al. 2016, eq. 14): beta x the sum of log(min(attention received, 1))."""
        if not self.config.coverage_penalty:
            return 0.0
        received = weights.sum(0).clamp(1e-10, 1.0).log() * self.real[row]
        return self.config.coverage_penalty * float(received.sum())

    def _drop_done(self) -> None:
        """Take rows out that are provably done, at their limit, or without a live hypothesis."""
        step, keep = self.written.shape[-1], []
        tops = self.sums.max(1).values.tolist()
        for row, original in enumerate(self.rows.tolist()):
            found, limit = self.finished[original], int(self.limits[original])
            bound = tops[row] / length_norm(limit + 1, self.config.length_penalty)
            enough = len(found) >= self.config.n_best and found[self.config.n_best - 1].score >= bound
            if not enough and step <= limit and tops[row] > IMPOSSIBLE:
                keep.append(row)
        if len(keep) < len(self.rows):
            kept = torch.tensor(keep, dtype=torch.long, device=self.rows.device)
            self.rows, self.last, self.sums, self.real = (
                self.rows[kept],
                self.last[kept],
                self.sums[kept],
                self.real[kept],
            )
            self.written, self.logs, self.attention = self.written[kept], self.logs[kept], self.attention[kept]
            self.state = self.model.keep(self.state, kept) if keep else self.state
