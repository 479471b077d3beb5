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

from nbtextgen.decoding.batch import Batch, BatchChange, to_numpy
from nbtextgen.decoding.beam import Beam, best_extensions
from nbtextgen.decoding.borders import Borders
from nbtextgen.decoding.constraints import FORCED_MINIMUM, IMPOSSIBLE, Constraints
from nbtextgen.decoding.hypothesis import Hypothesis
from nbtextgen.decoding.term_states import Candidates, Ids, TermStates, allocate, flat_places
from nbtextgen.decoding.terms import TermMatcher, Terms
from nbtextgen.tokenizers.base import EOS

EXPECTED_COST = 0.5
"""Share of the least cost of meeting the terms so far that hypotheses without them are expected to pay. With 256 dates and 64
sentences of made-up words, 0 makes 3,854 and 613 row steps, 0.5 3,427 and 527, all outputs equal; with 1, 3,287 and 510, six dates
differ."""


class ConstrainedBeam(Beam):
    """Beam search in which some sources have terms; for the others it does what ``Beam`` does.

    A hypothesis without all of its terms cannot end. It may take a token only if the terms that it then lacks fit into the limit
    of its output, so the terms are met in every output. The search of such a source ends when no live hypothesis that took the
    shortest way to its end would enter the n-best list, if its terms cost it ``EXPECTED_COST`` of what they cost the hypothesis
    that has met them most cheaply, and nothing else does: unlike ``Beam``'s, this is no proof.
    """

    def __init__(
        self,
        batch: Batch,
        constraints: Constraints,
        limits: Tensor,
        finished: list[list[Hypothesis]],
        terms: Sequence[Terms],
        borders: Borders | None = None,
    ) -> None:
        """Prepare the search; ``terms`` are those of each source, empty ones if it has none. With ``borders`` they are whole words."""
        super().__init__(batch, constraints, limits, finished)
        matchers: dict[Terms, int] = {}
        for each in terms:
            if each:
                matchers.setdefault(each, len(matchers))
        self._matchers = np.array([matchers[each] if each else -1 for each in terms])  # of each source
        self._table = TermStates([TermMatcher(each, borders) for each in matchers], borders)
        self._initial = np.array([self._table.initial(matcher) for matcher in range(len(matchers))])
        # Of the rows of the batch: whether a hypothesis may still lack a term; states, and log-probability of the tokens that
        # brought each hypothesis nearer to its terms; the highest of them in one that has met all; the best score that is
        # expected of a source that lacks a term.
        self._lacking = np.zeros(0, np.bool_)
        self._states = np.zeros((0, batch.width), np.int64)
        self._costs = np.zeros((0, batch.width), np.float32)
        self._least_costs = np.zeros(0, np.float32)
        self._expected = np.zeros(0)

    def _follow(self, change: BatchChange) -> None:
        super()._follow(change)
        if change.kept is not None:
            kept = change.kept.numpy(force=True)
            self._lacking, self._states = self._lacking[kept], self._states[kept]
            self._costs, self._least_costs = self._costs[kept], self._least_costs[kept]
            self._expected = self._expected[kept]
        rows = len(self.sums)
        if len(self._lacking) < rows:
            self._lacking, self._states = np.zeros(rows, np.bool_), np.zeros((rows, self.batch.width), np.int64)
            self._costs, self._least_costs = np.zeros(self._states.shape, np.float32), np.zeros(rows, np.float32)
            self._expected = np.zeros(rows)
        new = change.new.numpy(force=True)
        matchers = self._matchers[self.batch.source_indices.numpy(force=True)[new]]
        self._lacking[new] = matchers >= 0
        self._states[new] = self._initial[matchers][:, None]
        self._costs[new], self._least_costs[new] = 0.0, IMPOSSIBLE

    def _extend(self, allowed: Tensor, attention: Tensor) -> None:
        batch, width, device = self.batch, self.batch.width, allowed.device
        rows = np.flatnonzero(self._lacking & batch.unfinished.numpy(force=True))
        if not len(rows):
            super()._extend(allowed, attention)
            return
        self._table.expand(self._states[rows])
        unmet = np.zeros(self._states.shape, np.bool_)
        unmet[rows] = self._table.needs[self._states[rows]] > 0
        allowed[..., EOS].masked_fill_(torch.as_tensor(unmet, device=device), IMPOSSIBLE)  # lacks a term: must go on
        self._rule_out(rows, allowed)
        sums, (own, own_tokens) = self.sums.numpy(force=True), _best_tokens(allowed)
        best, parents, tokens = (values.numpy(force=True) for values in best_extensions(self.sums, allowed, 2 * width))
        # The best token of every hypothesis as well, in rows with terms, unless that is an end which is there already.
        columns, own_sums = np.arange(width), sums + own
        own_sums[~self._lacking] = IMPOSSIBLE
        if (own_ends := own_tokens == EOS).any():
            own_sums[own_ends & ((tokens == EOS)[..., None] & (parents[..., None] == columns)).any(1)] = IMPOSSIBLE
        best = np.concatenate((best, own_sums), 1)
        parents = np.concatenate((parents, columns[None].repeat(len(own), 0)), 1)
        tokens = np.concatenate((tokens, own_tokens), 1)
        with np.errstate(invalid="ignore"):  # minus infinity less minus infinity
            token_logs = best - sums.take(flat_places(parents, width))
        ends = (tokens == EOS) & (best > IMPOSSIBLE)
        if ends.any():
            offered = [torch.as_tensor(values) for values in (ends, best, token_logs, parents)]
            self._collect(offered[0], offered[1], offered[2], offered[3], attention)
        live = np.where(ends, np.float32(IMPOSSIBLE), best)
        found = (live, token_logs, parents, tokens)
        chosen = self._choose(rows, sums[rows], allowed, [values[rows] for values in found])
        extensions = list(chosen[:4])
        if len(rows) < len(live):
            order = flat_places((live == IMPOSSIBLE).argsort(1, kind="stable")[:, :width], live.shape[1])
            extensions = [values.take(order) for values in found]
            for values, new in zip(extensions, chosen, strict=False):
                values[rows] = new
        self.sums, *following = (torch.as_tensor(values, device=device) for values in extensions)
        batch.append(following[2], following[0], attention, following[1])

    def _steps_left(self, rows: Ids) -> tuple[Ids, Ids]:
        """Tokens that the outputs have, and that they may have after the next one."""
        batch = self.batch
        steps = batch.steps.numpy(force=True)[rows]
        return steps, self._limits[batch.source_indices.numpy(force=True)[rows]] - steps - 1

    def _rule_out(self, rows: Ids, allowed: Tensor) -> None:
        """Rule out tokens that go on with the word of a term where no room is left to write the term again.

        All of the likeliest tokens could be such ones, and a hypothesis with all of its terms has no others that must be offered.
        """
        borders = self._table.borders
        if borders is None:
            return
        states, (_, left) = self._states[rows], self._steps_left(rows)
        waiting = (self._table.needs[states] == 0) & ~self._table.settled[states]
        needs = self._table.needs[self._table.after_kinds(states)]
        too_late = waiting[..., None] & (needs > left.clip(0)[:, None, None])
        chosen = np.flatnonzero(too_late.any((1, 2)))
        if len(chosen):
            kinds = borders.take(np.arange(allowed.shape[-1]), mode="clip")
            mask = torch.as_tensor(too_late[chosen][..., kinds], device=allowed.device)
            places = torch.as_tensor(rows[chosen], device=allowed.device)
            allowed[places] = allowed[places].masked_fill(mask, IMPOSSIBLE)

    def _choose(
        self, rows: Ids, sums: NDArray[np.float32], allowed: Tensor, searched: list[NDArray[Any]]
    ) -> Candidates:
        """The new hypotheses of the rows with terms, ``(rows, width)``, of what the search offers and what completes terms.

        Their states and bounds are kept.
        """
        states, width = self._states[rows], self.batch.width
        steps, left = self._steps_left(rows)
        totals, logs, parents, tokens = searched
        before = states.take(flat_places(parents, width))
        following = self._table.follow(before, tokens)
        needs = self._table.needs[following]
        forced = (needs < self._table.needs[before]) & (steps >= len(self.constraints.rules.prefix))[:, None]
        totals = np.where((needs <= left[:, None]) & ~forced, totals, np.float32(IMPOSSIBLE))
        # The best token of a hypothesis, behind the best extensions, may be among them.
        own, own_tokens = totals[:, -width:], tokens[:, -width:]
        twice = flat_places(parents[:, :-width], width)
        repeated = (own_tokens.take(twice) == tokens[:, :-width]) & (own.take(twice) > IMPOSSIBLE)
        totals[:, :-width][repeated] = IMPOSSIBLE
        offered = Candidates(totals, logs, parents, tokens, following)
        candidates = self._forced(rows, sums, allowed, left, steps).beside(offered)
        chosen = allocate(candidates, self._table.needs[candidates.states], width)
        missing = chosen.totals == IMPOSSIBLE
        if missing.any():
            chosen.log_probabilities[missing] = chosen.parents[missing] = 0
            chosen.tokens[missing] = EOS
            chosen.states[missing] = np.broadcast_to(states[:, :1], states.shape)[missing]
        self._keep_states(rows, chosen, steps + 1)
        return chosen

    def _forced(self, rows: Ids, sums: NDArray[np.float32], allowed: Tensor, left: Ids, steps: Ids) -> Candidates:
        """All extensions that bring a hypothesis nearer to its terms; other rules do not rule them out."""
        width, vocabulary = self.batch.width, allowed.shape[-1]
        tokens, following = self._table.advances(self._states[rows])  # (rows, width, tokens)
        usable = (tokens >= 0) & (tokens < vocabulary) & (sums > IMPOSSIBLE)[..., None]
        usable &= self._table.needs[following] <= left[:, None, None]
        if self.constraints.rules.prefix:
            usable &= (steps >= len(self.constraints.rules.prefix))[:, None, None]
        columns = np.arange(width)[:, None]
        places = (rows[:, None, None] * width + columns) * vocabulary + np.where(usable, tokens, 0)
        logs = to_numpy(allowed.take(torch.as_tensor(places, device=allowed.device)).clamp_min(FORCED_MINIMUM))
        totals = np.where(usable, sums[..., None] + logs, np.float32(IMPOSSIBLE))
        parents = columns + np.zeros_like(tokens)
        shape = len(rows), -1
        return Candidates(
            totals.reshape(shape),
            logs.reshape(shape),
            parents.reshape(shape),
            tokens.reshape(shape),
            following.reshape(shape),
        )

    def _keep_states(self, rows: Ids, chosen: Candidates, steps: Ids) -> None:
        """Keep the states, costs and bounds of the new hypotheses, of ``steps (rows,)`` tokens.

        A source whose hypotheses have all met their terms is searched like any other from here on.
        """
        parents, possible = flat_places(chosen.parents, self.batch.width), chosen.totals > IMPOSSIBLE
        needs = self._table.needs[chosen.states]
        nearer = needs < self._table.needs[self._states[rows].take(parents)]
        costs = self._costs[rows].take(parents) + np.where(nearer, chosen.log_probabilities, np.float32(0))
        least = np.where(possible & (needs == 0), costs, np.float32(IMPOSSIBLE)).max(1)
        least = np.maximum(self._least_costs[rows], least)
        known = np.where(least > IMPOSSIBLE, least, np.float32(0))[:, None]
        expected = np.where(needs > 0, np.minimum(known - costs, 0), 0) * EXPECTED_COST
        lengths = steps[:, None] + needs + 1.0
        self._expected[rows] = ((chosen.totals + expected) / lengths**self.config.length_exponent).max(1)
        self._lacking[rows] = (~self._table.settled[chosen.states] & possible).any(1)
        self._states[rows], self._costs[rows], self._least_costs[rows] = chosen.states, costs, least

    def _bounds(self, indices: Ids, best_sums: NDArray[np.float32], steps: Ids) -> NDArray[np.float64]:
        met = best_sums / (steps + 1.0) ** self.config.length_exponent
        bounds = np.where(self._lacking, self._expected, met)
        return np.where(self._matchers[indices] < 0, super()._bounds(indices, best_sums, steps), bounds)


def _best_tokens(allowed: Tensor) -> tuple[NDArray[np.float32], Ids]:
    """The likeliest token of every hypothesis: log-probabilities and ids, ``(rows, width)``.

    On a CPU, NumPy finds it up to ten times faster than PyTorch.
    """
    if allowed.device.type != "cpu":
        logs, tokens = allowed.max(-1)
        return to_numpy(logs), tokens.numpy(force=True)
    values = allowed.numpy()
    tokens = values.argmax(-1)
    return np.take_along_axis(values, tokens[..., None], -1)[..., 0], tokens
