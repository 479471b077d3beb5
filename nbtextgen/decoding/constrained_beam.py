"""Beam search for outputs that must contain terms, with the beam divided among hypotheses that have met more or less of them.

Dynamic beam allocation (Post & Vilar 2018): beside the best extensions, each hypothesis offers its own best token and every token
that brings it nearer to its terms. The best of every bank, that is of all candidates that need equally many more tokens, has a place
in the beam before the others compete by their probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbtextgen.decoding.batch import Batch, BatchChange, to_list, to_numpy
from nbtextgen.decoding.beam import Beam, best_extensions
from nbtextgen.decoding.constraints import FORCED_MINIMUM, IMPOSSIBLE, Constraints
from nbtextgen.decoding.hypothesis import Hypothesis, length_norm
from nbtextgen.decoding.term_states import Candidates, Ids, TermStates, allocate
from nbtextgen.decoding.terms import TermMatcher, Terms
from nbtextgen.tokenizers.base import EOS


class ConstrainedBeam(Beam):
    """Beam search in which some sources have terms; for the others it does what ``Beam`` does.

    A hypothesis without all of its terms cannot end. It may take a token only if the terms that it then lacks fit into the limit
    of its output, so the terms are met in every output. The search of such a source ends when no live hypothesis that took the
    shortest way to its end at no cost would enter the n-best list: unlike ``Beam``'s, this is no proof.
    """

    def __init__(
        self,
        batch: Batch,
        constraints: Constraints,
        limits: Tensor,
        finished: list[list[Hypothesis]],
        terms: Sequence[Terms],
    ) -> None:
        """Prepare the search; ``terms`` are those of each source, empty ones if it has none."""
        super().__init__(batch, constraints, limits, finished)
        matchers: dict[Terms, int] = {}
        for each in terms:
            if each:
                matchers.setdefault(each, len(matchers))
        self._matchers = {index: matchers[each] for index, each in enumerate(terms) if each}
        self._table = TermStates([TermMatcher(each) for each in matchers])
        self._states: dict[int, Ids] = {}  # of the hypotheses of sources where one still lacks a term, ``(width,)``
        self._bounds: dict[int, float] = {}

    def _follow(self, change: BatchChange) -> None:
        super()._follow(change)
        sources: list[int] = to_list(self.batch.source_indices[change.new])
        for index in self._matchers.keys() & set(sources):
            self._states[index] = np.full(self.batch.width, self._table.initial(self._matchers[index]))

    def _extend(self, allowed: Tensor, attention: Tensor) -> None:
        batch, width = self.batch, self.batch.width
        rows = [(row, index) for row, (index, live) in enumerate(batch.rows()) if live and index in self._states]
        if not rows:
            super()._extend(allowed, attention)
            return
        indices = torch.tensor([row for row, _ in rows], device=allowed.device)
        states = np.stack([self._states[index] for _, index in rows])
        unmet = torch.as_tensor(self._table.needs[states] > 0, device=allowed.device)
        allowed[indices, :, EOS] = allowed[indices, :, EOS].masked_fill(unmet, IMPOSSIBLE)  # lacks a term: must go on
        best, parents, tokens = best_extensions(self.sums, allowed, 2 * width)
        # The best token of every hypothesis as well, in rows with terms, unless that is an end which is there already.
        own, own_tokens = allowed.max(-1)
        columns = torch.arange(width, device=allowed.device)
        ended = ((tokens == EOS).unsqueeze(-1) & (parents.unsqueeze(-1) == columns)).any(1)
        left_out = torch.ones_like(ended)
        left_out[indices] = (own_tokens == EOS)[indices] & ended[indices]
        best = torch.cat([best, (self.sums + own).masked_fill(left_out, IMPOSSIBLE)], 1)
        parents = torch.cat([parents, columns.expand_as(own_tokens)], 1)
        tokens = torch.cat([tokens, own_tokens], 1)
        token_logs = best - self.sums.gather(1, parents)
        ends = (tokens == EOS) & (best > IMPOSSIBLE)
        self._collect(ends, best, token_logs, parents, attention)
        live = best.masked_fill(ends, IMPOSSIBLE)
        order = (live == IMPOSSIBLE).int().argsort(dim=-1, stable=True)[:, :width]
        extensions = [values.gather(1, order) for values in (live, token_logs, parents, tokens)]
        searched = [values[indices].numpy(force=True) for values in (live, token_logs, parents, tokens)]
        steps = batch.steps[indices].numpy(force=True)
        chosen = self._choose(rows, indices, states, allowed, searched, steps)
        for values, new in zip(extensions, chosen, strict=False):
            values[indices] = torch.as_tensor(new, dtype=values.dtype, device=values.device)
        self._keep_states(rows, chosen, steps + 1)
        self.sums, token_logs, parents, tokens = extensions
        batch.append(tokens, token_logs, attention, parents)

    def _choose(
        self,
        rows: list[tuple[int, int]],
        indices: Tensor,
        states: Ids,
        allowed: Tensor,
        searched: list[NDArray[Any]],
        steps: Ids,
    ) -> Candidates:
        """The new hypotheses of the rows with terms, ``(rows, width)``, of what the search offers and what completes terms."""
        width = self.batch.width
        left = np.array([self.max_lengths[index] for _, index in rows]) - steps - 1
        totals, logs, parents, tokens = searched
        following = self._table.follow(np.take_along_axis(states, parents, 1), tokens)
        fits = self._table.needs[following] <= left[:, None]
        offered = Candidates(np.where(fits, totals, np.float32(IMPOSSIBLE)), logs, parents, tokens, following)
        offered = offered.without_repeated(2 * width)  # the best token of a hypothesis may be among the best extensions
        forced = self._forced(indices, states, allowed, left, steps)
        candidates = forced.beside(offered).without_repeated(forced.tokens.shape[1])
        chosen = allocate(candidates, self._table.needs[candidates.states], width)
        missing = chosen.totals == IMPOSSIBLE
        return Candidates(
            chosen.totals,
            np.where(missing, np.float32(0), chosen.log_probabilities),
            np.where(missing, 0, chosen.parents),
            np.where(missing, EOS, chosen.tokens),
            np.where(missing, states[:, :1], chosen.states),
        )

    def _forced(self, indices: Tensor, states: Ids, allowed: Tensor, left: Ids, steps: Ids) -> Candidates:
        """The extensions that bring a hypothesis nearer to its terms; other rules do not rule them out."""
        device, width = allowed.device, self.batch.width
        tokens, following = self._table.advances(states)  # (rows, width, tokens)
        sums = to_numpy(self.sums[indices])
        usable = (tokens >= 0) & (tokens < allowed.shape[-1]) & (sums > IMPOSSIBLE)[..., None]
        usable &= self._table.needs[following] <= left[:, None, None]
        usable &= (steps >= len(self.constraints.rules.prefix))[:, None, None]
        columns = torch.arange(width, device=device)[:, None]
        picked = allowed[indices[:, None, None], columns, torch.as_tensor(np.where(usable, tokens, 0), device=device)]
        logs = to_numpy(picked.clamp_min(FORCED_MINIMUM))
        totals = np.where(usable, sums[..., None] + logs, np.float32(IMPOSSIBLE))
        parents = np.broadcast_to(np.arange(width)[:, None], tokens.shape)
        return Candidates(totals, logs, parents, tokens, following).map(lambda values: values.reshape(len(states), -1))

    def _keep_states(self, rows: list[tuple[int, int]], chosen: Candidates, steps: Ids) -> None:
        """Keep the states and the bounds of the new hypotheses, of ``steps (rows,)`` tokens.

        A source whose hypotheses have all met their terms is searched like any other from here on.
        """
        needs = self._table.needs[chosen.states]
        lengths = steps[:, None] + needs + 1.0
        bounds: list[float] = (chosen.totals / lengths**self.config.length_penalty).max(1).tolist()
        unmet: list[bool] = np.any((needs > 0) & (chosen.totals > IMPOSSIBLE), axis=1).tolist()
        for (_, index), states, bound, lacking in zip(rows, chosen.states, bounds, unmet, strict=True):
            self._bounds[index] = bound
            if lacking:
                self._states[index] = states
            else:
                del self._states[index]

    def _bound(self, row: int, index: int, best_sum: float, steps: int) -> float:
        if index not in self._matchers:
            return super()._bound(row, index, best_sum, steps)
        if index in self._states:
            return self._bounds[index]
        return best_sum / length_norm(steps + 1, self.config.length_penalty)
