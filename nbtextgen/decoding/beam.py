"""Beam search over a batch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.errors import OptionError
from nbtextgen.decoding.batch import Batch, Change, on_host
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.constraints import IMPOSSIBLE, Constraints, end_at_limit
from nbtextgen.decoding.hypothesis import Hypothesis, length_norm

_CHUNK = 64

TOO_LONG_FOR_COVERAGE = (
    "--coverage-penalty needs the attention of every step, which takes too much memory for so long a source and output; "
    "use --coverage-penalty 0 or a smaller --max-length."
)


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


class Beam:
    """Beam search (Graves 2012, sec. 2.2, in the batched form).

    A row stops early only when that is provably safe. A hypothesis scores sum(log p) / length**alpha plus a coverage
    penalty that is never positive. Log-probabilities are never positive either, so the sum of a live hypothesis can
    only fall, and for alpha >= 0 dividing by the largest possible length gives its best case:
    bound = sum / (limit + 1)**alpha. When the n-th best finished score is at least every live bound, no live
    hypothesis can enter the n-best list any more.
    """

    def __init__(self, batch: Batch, config: DecodingConfig, rules: Constraints, limits: Tensor) -> None:
        """Make ready; ``limits (sources,)`` are the most output tokens of each."""
        self.batch, self.config, self.rules = batch, config, rules
        self.limits = limits.to(batch.source.device)
        self.most = limits.tolist()
        self.sums = torch.zeros(0, batch.width, device=batch.source.device)
        self.finished: list[list[Hypothesis]] = [[] for _ in self.most]

    def run(self, cancellation: CancellationToken | None = None) -> list[list[Hypothesis]]:
        """Search until every source is done; ``cancellation`` ends the search with ``Cancelled`` at its next step."""
        while True:
            self._follow(self.batch.fill())
            if not len(self.batch.rows):
                return self.finished
            if cancellation is not None:
                cancellation.raise_if_cancelled()
            self._advance()
            self._end_done()

    def _follow(self, change: Change | None) -> None:
        """Go along with a change of the batch."""
        if change is None:
            return
        if change.kept is not None:
            self.sums = self.sums[change.kept]
        if len(self.sums) < len(self.batch.rows):
            self.sums = self.sums.new_zeros(len(self.batch.rows), self.batch.width)
        # All hypotheses of a source begin alike: one of them is continued.
        self.sums[change.new] = IMPOSSIBLE
        self.sums[change.new, 0] = 0.0

    def _advance(self) -> None:
        batch = self.batch
        logs, attention, batch.state = batch.model.step(batch.last, batch.state)
        ruled = self.rules.apply(logs, batch.steps, batch.written)
        ruled = end_at_limit(ruled, self.limits[batch.rows] <= batch.steps, self.rules.eos)
        best, parents, tokens = best_extensions(self.sums, ruled, 2 * batch.width)
        picked = best - self.sums.gather(1, parents)
        ends = (tokens == self.rules.eos) & (best > IMPOSSIBLE)
        self._finish(ends, best, picked, parents, attention)
        # Among 2W candidates at most W end (one per parent), so W live ones remain where the vocabulary allows.
        order = ends.logical_or(best == IMPOSSIBLE).int().argsort(dim=-1, stable=True)[:, : batch.width]
        self.sums = best.gather(1, order).masked_fill(ends.gather(1, order), IMPOSSIBLE)
        batch.append(tokens.gather(1, order), picked.gather(1, order), attention, parents.gather(1, order))

    def _finish(self, ends: Tensor, best: Tensor, picked: Tensor, parents: Tensor, attention: Tensor) -> None:
        """Note the hypotheses that ended with the end mark, where they are good enough; all ``(rows, candidates)``."""
        ended = ends.nonzero().tolist()
        if not ended:
            return
        sizes, logged, origins = best.tolist(), picked.tolist(), parents.tolist()
        rows, steps, looks = self.batch.rows.tolist(), self.batch.steps.tolist(), on_host(attention)
        for place, column in ended:
            row, length = rows[place], steps[place]
            found = self.finished[row]
            bar = found[self.config.n_best - 1].score if len(found) >= self.config.n_best else IMPOSSIBLE
            score = sizes[place][column] / length_norm(length + 1, self.config.length_penalty)
            if score <= bar:  # a coverage penalty could only lower it
                continue
            parent = origins[place][column]
            tokens, logs, looked = self.batch.path(row, parent, length)
            weights = None if looked is None else self.batch.attended(row, [*looked, looks[place, parent]])
            if self.config.coverage_penalty:
                if weights is None:
                    raise OptionError(TOO_LONG_FOR_COVERAGE)
                # Wu et al. 2016, eq. 14: beta x the sum of log(min(attention received, 1)).
                received = np.log(weights.sum(0).clip(1e-10, 1.0))
                score += self.config.coverage_penalty * float(received.sum())
                if score <= bar:
                    continue
            logs = np.array([*logs, logged[place][column]], dtype=np.float32)
            found.append(Hypothesis(tokens, logs, weights, score, length < self.most[row]))
            found.sort(key=lambda one: -one.score)

    def _end_done(self) -> None:
        """End rows that are provably done, at their limit, or without a live hypothesis."""
        done, tops, steps = [], self.sums.max(1).values.tolist(), self.batch.steps.tolist()
        for place, (row, alive) in enumerate(self.batch.living()):
            if not alive:
                continue
            found, limit = self.finished[row], self.most[row]
            bound = tops[place] / length_norm(limit + 1, self.config.length_penalty)
            enough = len(found) >= self.config.n_best and found[self.config.n_best - 1].score >= bound
            if enough or steps[place] > limit or tops[place] == IMPOSSIBLE:
                done.append(place)
        if done:
            self.batch.end(done)
            self.sums[done] = IMPOSSIBLE
