"""Beam search over a batch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbtextgen.decoding.batch import Batch, BatchChange, BatchSearch, to_list, to_numpy
from nbtextgen.decoding.constraints import IMPOSSIBLE, Constraints, force_end
from nbtextgen.decoding.hypothesis import Hypothesis, length_norm, uncovered
from nbtextgen.tokenizers.base import EOS

CHUNK_SIZE = 64
"""Tokens of the vocabulary whose maximum is computed first, to search only the best chunks."""


def best_extensions(sums: Tensor, logs: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the likeliest ``count`` one-token extensions of each row's hypotheses, or all if there are fewer.

    Only the ``count`` chunks of the vocabulary with the largest maxima are searched, since a token in another chunk has at
    least ``count`` larger ones, and the tokens after the last whole chunk.

    Args:
        sums: log-probability of every hypothesis, ``(batch, width)``.
        logs: log-probability of every next token, ``(batch, width, vocabulary)``.

    Returns:
        their log-probabilities, parent hypotheses and tokens, each ``(batch, count)``, best first.
    """
    batch, _, vocabulary = logs.shape
    chunks, after = divmod(vocabulary, CHUNK_SIZE)
    if chunks < 2 * count:
        best, flat = (sums.unsqueeze(-1) + logs).flatten(1).topk(min(count, logs[0].numel()), -1)
        return best, flat // vocabulary, flat % vocabulary
    whole = vocabulary - after
    by_chunk = logs[..., :whole].view(batch, -1, chunks, CHUNK_SIZE)
    chosen = by_chunk.amax(-1).add_(sums.unsqueeze(-1)).flatten(1).topk(count, -1).indices
    parents, numbers = chosen // chunks, chosen % chunks
    rows = torch.arange(batch, device=logs.device).unsqueeze(1)
    totals = (by_chunk[rows, parents, numbers] + sums.gather(1, parents).unsqueeze(-1)).flatten(1)
    if after:
        totals = torch.cat([totals, (logs[..., whole:] + sums.unsqueeze(-1)).flatten(1)], 1)
    best, places = totals.topk(count, -1)
    which, beyond = (places // CHUNK_SIZE).clamp_max(count - 1), places - count * CHUNK_SIZE
    parents, tokens = parents.gather(1, which), numbers.gather(1, which) * CHUNK_SIZE + places % CHUNK_SIZE
    if after:
        parents = torch.where(beyond < 0, parents, beyond // after)
        tokens = torch.where(beyond < 0, tokens, whole + beyond % after)
    return best, parents, tokens


class Beam(BatchSearch):
    """Beam search (Graves 2012, sec. 2.2, in the batched form).

    A source finishes early only when that is provably safe. A hypothesis scores (sum(log p) + coverage penalty) / length**alpha,
    and the coverage penalty is never positive. Log-probabilities are never positive either, so the sum of a live hypothesis
    can only fall, and for alpha >= 0 dividing by the largest possible length gives its best case:
    bound = sum / (limit + 1)**alpha. When the n-th best finished score is at least every live bound, no live
    hypothesis can enter the n-best list any more.
    """

    def __init__(
        self, batch: Batch, constraints: Constraints, limits: Tensor, finished: list[list[Hypothesis]]
    ) -> None:
        super().__init__(batch, constraints, limits, finished)
        self.sums = torch.zeros(0, batch.width, device=batch.source.device)
        self._limits = np.array(self.max_lengths)
        self._norms = (self._limits + 1.0) ** self.config.length_exponent
        # The n-th best score of each source, once there are n.
        self._thresholds = np.full(len(self.max_lengths), IMPOSSIBLE)

    def _follow(self, change: BatchChange) -> None:
        if change.kept is not None:
            self.sums = self.sums[change.kept]
        if len(self.sums) < len(self.batch.source_indices):
            self.sums = self.sums.new_zeros(len(self.batch.source_indices), self.batch.width)
        # All hypotheses of a source start alike, so only one of them is continued.
        self.sums[change.new] = IMPOSSIBLE
        self.sums[change.new, 0] = 0.0

    def _advance(self) -> None:
        """Replace the hypotheses by their best extensions, and collect those that end."""
        batch = self.batch
        logs, attention = self._step() if batch.steps.any() else self._first_step()
        allowed = self.constraints.apply(logs, batch.steps, batch.generated)
        at_limit = self.limits[batch.source_indices] <= batch.steps
        batch.receive(attention)
        self._extend(force_end(allowed, at_limit), attention)

    def _step(self) -> tuple[Tensor, Tensor]:
        """Return log-probabilities and attention of the next token of every hypothesis."""
        batch = self.batch
        logs, attention, batch.state = batch.model.step(batch.last_tokens, batch.state)
        return logs, attention

    def _first_step(self) -> tuple[Tensor, Tensor]:
        """As ``_step`` where nothing is generated yet: the hypotheses of a source are all alike, so the network reads one."""
        batch, first = self.batch, torch.zeros_like(self.batch.last_tokens)
        state = batch.model.reorder(batch.state, first[:, :1])
        logs, attention, state = batch.model.step(batch.last_tokens[:, :1], state)
        batch.state = batch.model.reorder(state, first)
        logs, attention = (each.expand(-1, batch.width, -1).contiguous() for each in (logs, attention))
        return logs, attention

    def _extend(self, allowed: Tensor, attention: Tensor) -> None:
        """Choose the best extensions; ``allowed`` and ``attention`` are what the step gave, after the rules."""
        batch = self.batch
        best, parents, tokens = best_extensions(self.sums, allowed, 2 * batch.width)
        token_logs = best - self.sums.gather(1, parents)
        ends = (tokens == EOS) & (best > IMPOSSIBLE)
        self._collect(ends, best, token_logs, parents, attention)
        # Among 2W candidates at most W end (one per parent), so W live ones remain where the vocabulary allows.
        order = ends.logical_or(best == IMPOSSIBLE).int().argsort(dim=-1, stable=True)[:, : batch.width]
        self.sums = best.gather(1, order).masked_fill(ends.gather(1, order), IMPOSSIBLE)
        batch.append(tokens.gather(1, order), token_logs.gather(1, order), attention, parents.gather(1, order))

    def _collect(self, ends: Tensor, best: Tensor, token_logs: Tensor, parents: Tensor, attention: Tensor) -> None:
        """Collect the candidates that end and belong to the n best of their source; all ``(rows, candidates)``."""
        ended: list[list[int]] = to_list(ends.nonzero())
        if not ended:
            return
        sums, last_logs, last_weights = to_numpy(best), to_numpy(token_logs), to_numpy(attention)
        batch, config = self.batch, self.config
        received = None if batch.received is None else to_numpy(batch.received)
        origins: list[list[int]] = to_list(parents)
        indices: list[int] = to_list(batch.source_indices)
        steps: list[int] = to_list(batch.steps)
        for row, column in ended:
            index, length = indices[row], steps[row]
            finished = self.finished[index]
            threshold = self._thresholds.item(index)
            norm = length_norm(length + 1, config.length_exponent)
            score = float(sums[row, column]) / norm
            if score <= threshold:  # a coverage penalty could only lower it
                continue
            parent = origins[row][column]
            if received is not None:
                weights = received[row, parent, : int(batch.source_lengths[index])]
                score += config.coverage_factor * uncovered(weights) / norm
                if score <= threshold:
                    continue
            trace = batch.trace_back(index, parent, length)
            if trace.attention is not None:
                trace.attention.append(last_weights[row, parent])
            stacked = batch.stack_attention(index, trace.attention)
            log_probabilities = np.array([*trace.logs, last_logs[row, column]], dtype=np.float32)
            finished.append(
                Hypothesis(trace.tokens, log_probabilities, stacked, score, length < self.max_lengths[index])
            )
            finished.sort(key=lambda hypothesis: -hypothesis.score)
            if len(finished) >= config.n_best:
                self._thresholds[index] = finished[config.n_best - 1].score

    def _finish_rows(self) -> None:
        """Finish sources that are provably done, at their limit, or without a live hypothesis."""
        indices, steps, unfinished = (
            values.numpy(force=True) for values in (self.batch.source_indices, self.batch.steps, self.batch.unfinished)
        )
        best_sums = self.sums.amax(1).numpy(force=True)
        safe = self._thresholds[indices] >= self._bounds(indices, best_sums, steps)
        done: list[int] = np.flatnonzero(
            unfinished & (safe | (steps > self._limits[indices]) | (best_sums == IMPOSSIBLE))
        ).tolist()
        if done:
            self.batch.finish(done)
            self.sums[done] = IMPOSSIBLE

    def _bounds(
        self, indices: NDArray[np.int64], best_sums: NDArray[np.float32], steps: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Scores that no live hypothesis of the sources ``indices`` will exceed; ``steps`` tokens are generated, all ``(rows,)``."""
        return best_sums / self._norms[indices]
