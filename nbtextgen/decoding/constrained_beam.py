"""Beam search for outputs that must contain terms, with the beam divided among hypotheses that have met more or less of them.

Dynamic beam allocation (Post & Vilar 2018): beside the best extensions, each hypothesis offers its own best token and every token
that brings it nearer to its terms. The best of every bank, that is of all candidates that need equally many more tokens, has a place
in the beam before the others compete by their probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nbtextgen.decoding.batch import Batch, BatchChange, to_list
from nbtextgen.decoding.beam import Beam, best_extensions
from nbtextgen.decoding.constraints import FORCED_MINIMUM, IMPOSSIBLE, Constraints
from nbtextgen.decoding.hypothesis import Hypothesis, length_norm
from nbtextgen.decoding.terms import TermMatcher, Terms
from nbtextgen.tokenizers.base import EOS


class Candidate(NamedTuple):
    """An extension of a hypothesis: its summed log-probability, that of its token, and its state in the matcher."""

    total: float
    log_probability: float
    parent: int
    token: int
    state: int


def allocate(candidates: Sequence[Candidate], matcher: TermMatcher, width: int) -> list[Candidate]:
    """Choose at most ``width`` candidates: the best of each bank, then the best of the others.

    If there are more banks than places, the bank that has met everything comes first, then the one that is nearest to it, so that
    a term that was begun is completed, then the one that is farthest, which may begin terms later, then the likeliest.
    """
    ranked = sorted({(each.parent, each.token): each for each in candidates}.values(), key=lambda each: -each.total)
    best: dict[int, Candidate] = {}
    for each in ranked:
        best.setdefault(matcher.need(each.state), each)
    needs = sorted(best)
    first = [*needs[:2], needs[-1]] if needs and not needs[0] else [*needs[:1], *needs[-1:]]
    chosen = dict.fromkeys([best[need] for need in first])
    chosen.update(dict.fromkeys(each for each in ranked if best[matcher.need(each.state)] is each))
    chosen.update(dict.fromkeys(ranked))
    return list(chosen)[:width]


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
        self._matchers: dict[int, TermMatcher] = {}
        self._states: dict[int, list[int]] = {}
        self._totals: dict[int, list[float]] = {}  # sums of hypotheses, of sources where one still lacks a term
        shared: dict[Terms, TermMatcher] = {}
        for index, each in enumerate(terms):
            if each:
                shared[each] = shared.get(each) or TermMatcher(each)
                self._matchers[index] = shared[each]

    def _follow(self, change: BatchChange) -> None:
        super()._follow(change)
        sources: list[int] = to_list(self.batch.source_indices[change.new])
        for index in self._matchers.keys() & set(sources):
            self._states[index] = [0] * self.batch.width
            self._totals[index] = [0.0, *[IMPOSSIBLE] * (self.batch.width - 1)]

    def _extend(self, allowed: Tensor, attention: Tensor) -> None:
        batch, width = self.batch, self.batch.width
        rows = [(row, index) for row, (index, live) in enumerate(batch.rows()) if live and index in self._totals]
        if not rows:
            super()._extend(allowed, attention)
            return
        self._forbid_early_ends(allowed, rows)
        best, parents, tokens = best_extensions(self.sums, allowed, 2 * width)
        # The best token of every hypothesis as well, in rows with terms, unless that is an end which is there already.
        own, own_tokens = allowed.max(-1)
        columns = torch.arange(width, device=allowed.device)
        ended = ((tokens == EOS).unsqueeze(-1) & (parents.unsqueeze(-1) == columns)).any(1)
        unconstrained = torch.ones(len(own), 1, dtype=torch.bool, device=allowed.device)
        unconstrained[[row for row, _ in rows]] = False
        left_out = unconstrained | ((own_tokens == EOS) & ended)
        best = torch.cat([best, (self.sums + own).masked_fill(left_out, IMPOSSIBLE)], 1)
        parents = torch.cat([parents, columns.expand_as(own_tokens)], 1)
        tokens = torch.cat([tokens, own_tokens], 1)
        token_logs = best - self.sums.gather(1, parents)
        ends = (tokens == EOS) & (best > IMPOSSIBLE)
        self._collect(ends, best, token_logs, parents, attention)
        live = best.masked_fill(ends, IMPOSSIBLE)
        order = (live == IMPOSSIBLE).int().argsort(dim=-1, stable=True)[:, :width]
        extensions = [values.gather(1, order) for values in (live, token_logs, parents, tokens)]
        chosen = self._choose(rows, allowed, live, token_logs, parents, tokens)
        indices = torch.tensor([row for row, _ in rows], device=allowed.device)
        for values, new in zip(extensions, zip(*chosen, strict=True), strict=True):
            values[indices] = torch.tensor(new, dtype=values.dtype, device=values.device)
        self.sums, token_logs, parents, tokens = extensions
        batch.append(tokens, token_logs, attention, parents)

    def _forbid_early_ends(self, allowed: Tensor, rows: list[tuple[int, int]]) -> None:
        """Rule out the end of hypotheses that lack a term."""
        unmet = [
            (row, column)
            for row, index in rows
            for column, state in enumerate(self._states[index])
            if self._matchers[index].need(state)
        ]
        if unmet:
            positions = torch.tensor(unmet, device=allowed.device)
            allowed[positions[:, 0], positions[:, 1], EOS] = IMPOSSIBLE

    def _choose(
        self, rows: list[tuple[int, int]], allowed: Tensor, live: Tensor, logs: Tensor, parents: Tensor, tokens: Tensor
    ) -> list[tuple[list[float], list[float], list[int], list[int]]]:
        """For each row with terms, the sums, log-probabilities, parents and tokens of its new hypotheses."""
        width, indices = self.batch.width, [row for row, _ in rows]
        columns: list[list[list[float]]] = [to_list(values[indices]) for values in (live, logs)]
        numbers: list[list[list[int]]] = [to_list(values[indices]) for values in (parents, tokens)]
        sums = [self._totals[index] for _, index in rows]
        steps: list[int] = to_list(self.batch.steps[indices])
        forced = self._forced(rows, sums, steps, allowed)
        chosen = list[tuple[list[float], list[float], list[int], list[int]]]()
        for place, (_, index) in enumerate(rows):
            matcher, states = self._matchers[index], self._states[index]
            left = self.max_lengths[index] - steps[place] - 1
            values = zip(columns[0][place], columns[1][place], numbers[0][place], numbers[1][place], strict=True)
            candidates = forced[place]
            for total, log, parent, token in values:
                if total > IMPOSSIBLE:
                    state = matcher.step(states[parent], token)
                    if matcher.need(state) <= left:
                        candidates.append(Candidate(total, log, parent, token, state))
            kept = allocate(candidates, matcher, width)
            missing = width - len(kept)
            self._states[index] = [each.state for each in kept] + [0] * missing
            totals = [each.total for each in kept] + [IMPOSSIBLE] * missing
            self._totals[index] = totals
            if not any(matcher.need(each.state) for each in kept):
                del self._totals[index]  # from here on, the source is searched like one without terms
            chosen.append(
                (
                    totals,
                    [each.log_probability for each in kept] + [0.0] * missing,
                    [each.parent for each in kept] + [0] * missing,
                    [each.token for each in kept] + [EOS] * missing,
                )
            )
        return chosen

    def _forced(
        self, rows: list[tuple[int, int]], sums: list[list[float]], steps: list[int], allowed: Tensor
    ) -> list[list[Candidate]]:
        """For each row with terms, the extensions that bring a hypothesis nearer to them; other rules do not rule them out."""
        prefix, vocabulary = len(self.constraints.rules.prefix), allowed.shape[-1]
        continuations = list[tuple[int, int, int, int]]()  # place, column, token, next state
        origins = list[int]()  # the row of each
        for place, (row, index) in enumerate(rows):
            if steps[place] < prefix:
                continue
            matcher, left = self._matchers[index], self.max_lengths[index] - steps[place] - 1
            for column, state in enumerate(self._states[index]):
                if sums[place][column] > IMPOSSIBLE and matcher.need(state):
                    for token, following in matcher.advances(state):
                        if token < vocabulary and matcher.need(following) <= left:
                            continuations.append((place, column, token, following))
                            origins.append(row)
        forced = [list[Candidate]() for _ in rows]
        if continuations:
            indices = torch.tensor([(row, each[1], each[2]) for row, each in zip(origins, continuations, strict=True)])
            picked = allowed[tuple(indices.to(allowed.device).t())].clamp_min(FORCED_MINIMUM)
            logs: list[float] = to_list(picked)
            for (place, column, token, following), log in zip(continuations, logs, strict=True):
                forced[place].append(Candidate(sums[place][column] + log, log, column, token, following))
        return forced

    def _bound(self, row: int, index: int, best_sum: float, steps: int) -> float:
        if index not in self._matchers:
            return super()._bound(row, index, best_sum, steps)
        penalty = self.config.length_penalty
        if index not in self._totals:
            return best_sum / length_norm(steps + 1, penalty)
        matcher, hypotheses = self._matchers[index], zip(self._totals[index], self._states[index], strict=True)
        return max(total / length_norm(steps + matcher.need(state) + 1, penalty) for total, state in hypotheses)
