"""Greedy decoding and sampling over a batch: every hypothesis is continued by one token."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nbtextgen.core.errors import OptionError
from nbtextgen.decoding.batch import Batch, BatchChange, BatchSearch, to_list
from nbtextgen.decoding.beam import best_extensions
from nbtextgen.decoding.config import NOTHING_ALLOWED
from nbtextgen.decoding.constraints import IMPOSSIBLE, Constraints, force_end
from nbtextgen.decoding.hypothesis import Hypothesis, length_norm
from nbtextgen.decoding.sampling import draw, likeliest_other, sampling_seed, sharpen
from nbtextgen.tokenizers.base import EOS


class GreedySearch(BatchSearch):
    """The best token at every step, or with sampling a drawn one; ``n_best`` hypotheses are independent draws."""

    def __init__(
        self, batch: Batch, constraints: Constraints, limits: Tensor, finished: list[list[Hypothesis]]
    ) -> None:
        super().__init__(batch, constraints, limits, finished)
        device = batch.source.device
        # One seed per source: what is drawn for it depends on neither its row nor the rest of the batch.
        self.seeds = [sampling_seed(self.config) or 0 for _ in self.max_lengths]
        self.ended = torch.zeros(0, batch.width, dtype=torch.bool, device=device)
        self.lengths = torch.zeros(len(self.max_lengths), batch.width, dtype=torch.long, device=device)

    def _follow(self, change: BatchChange) -> None:
        kept = self.ended if change.kept is None else self.ended[change.kept]
        self.ended = kept if len(kept) else kept.new_zeros(len(self.batch.source_indices), self.batch.width)
        self.ended[change.new] = False

    def _advance(self) -> None:
        """Append one token to every hypothesis."""
        batch, constraints = self.batch, self.constraints
        logs, attention, batch.state = batch.model.step(batch.last_tokens, batch.state)
        allowed = constraints.apply(logs, batch.steps, batch.generated)
        allowed = force_end(allowed, self.limits[batch.source_indices] <= batch.steps)
        if self.config.sample:
            indices: list[int] = to_list(batch.source_indices)
            seeds = [self.seeds[index] for index in indices]
            tokens = draw(sharpen(allowed, self.config), seeds, to_list(batch.steps))
            rivals = likeliest_other(allowed, tokens)
        else:
            tokens, rivals = _best_two(allowed)
        own = allowed.gather(-1, tokens.unsqueeze(-1)).squeeze(-1).float()
        if not (own[~self.ended] > IMPOSSIBLE).all():
            raise OptionError(NOTHING_ALLOWED)
        batch.append(tokens, own, attention, rivals=rivals)
        self.lengths[batch.source_indices] += ~self.ended
        self.ended = self.ended | (tokens == EOS)

    def _finish_rows(self) -> None:
        """Collect the outputs of sources whose hypotheses have all ended."""
        batch = self.batch
        rows: list[int] = to_list((self.ended.all(1) & batch.unfinished).nonzero()[:, 0])
        for row in rows:
            index = int(batch.source_indices[row])
            lengths: list[int] = to_list(self.lengths[index])
            self.finished[index] += [self._hypothesis(row, column, lengths[column]) for column in range(batch.width)]
        if rows:
            batch.finish(rows)

    def _hypothesis(self, row: int, column: int, length: int) -> Hypothesis:
        """Return the output of a hypothesis whose ``length``-th token is the end token; other columns may be longer."""
        batch = self.batch
        index = int(batch.source_indices[row])
        trace = batch.trace_back(index, column, int(batch.steps[row]))
        logs = np.array(trace.logs[:length], dtype=np.float32)
        score = float(logs.sum()) / length_norm(length, self.config.length_exponent)
        weights = None if trace.attention is None else batch.stack_attention(index, trace.attention[:length])
        rivals = np.array(trace.rivals[:length], dtype=np.float32)
        return Hypothesis(trace.tokens[: length - 1], logs, weights, score, length <= self.max_lengths[index], rivals)


def _best_two(logs: Tensor) -> tuple[Tensor, Tensor]:
    """Return the likeliest token and the log-probability of the next, both ``(rows, width)``.

    ``logs`` are ``(rows, width, vocabulary)``.
    """
    rows, width, vocabulary = logs.shape
    each = logs.reshape(rows * width, 1, vocabulary)
    best, _, tokens = best_extensions(logs.new_zeros(rows * width, 1), each, 2)
    return tokens[:, 0].view(rows, width), best[:, 1].view(rows, width).float()
