"""The states of many term automata as arrays, and the allocation of a beam among hypotheses, for all sources of a batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbtextgen.decoding.borders import Borders
from nbtextgen.decoding.terms import TermMatcher

MAX_TABLE = 1 << 13
"""Most entries of a table of all states; larger automata are followed state by state, since few of theirs are ever met."""
_FAR = 1 << 30
Ids = NDArray[np.int64]
Values = NDArray[np.float32]


class Candidates(NamedTuple):
    """Extensions of hypotheses, all ``(rows, candidates)``; one that cannot be has a total of minus infinity."""

    totals: Values
    log_probabilities: Values
    parents: Ids
    tokens: Ids
    states: Ids

    def take(self, columns: Ids) -> Candidates:
        """The candidates in some columns of each row, ``(rows, chosen)``."""
        places = flat_places(columns, self.totals.shape[1])
        return Candidates(
            self.totals.take(places),
            self.log_probabilities.take(places),
            self.parents.take(places),
            self.tokens.take(places),
            self.states.take(places),
        )

    def beside(self, other: Candidates) -> Candidates:
        """These candidates, then those of another with as many rows."""
        return Candidates(
            np.concatenate((self.totals, other.totals), 1),
            np.concatenate((self.log_probabilities, other.log_probabilities), 1),
            np.concatenate((self.parents, other.parents), 1),
            np.concatenate((self.tokens, other.tokens), 1),
            np.concatenate((self.states, other.states), 1),
        )


def flat_places(columns: Ids, count: int) -> Ids:
    """Where columns ``(rows, chosen)`` of arrays ``(rows, count)`` are in the flattened arrays."""
    return columns + np.arange(0, len(columns) * count, count)[:, None]


class TermStates:
    """States of several automata, numbered together, with what follows them in tables that are filled as they are met.

    Attributes:
        needs: what ``TermMatcher.need`` says of every state, ``(states,)``.
        settled: what ``TermMatcher.settled`` says.
        borders: those that the automata were built with.
    """

    def __init__(self, matchers: Sequence[TermMatcher], borders: Borders | None = None) -> None:
        self._matchers, self.borders = matchers, borders
        width = max(len(matcher.tokens) for matcher in matchers)
        self._tokens = np.full((len(matchers), width), -1, np.int64)  # those of each automaton's terms
        for row, matcher in zip(self._tokens, matchers, strict=True):
            row[: len(matcher.tokens)] = matcher.tokens
        # Automaton and token of every entry of ``_tokens`` as one number, in their order, and its place in its row.
        owners, places = np.nonzero(self._tokens >= 0)
        self._keys, self._places = owners * _FAR + self._tokens[owners, places], places
        self._numbers: list[list[int]] = [[] for _ in matchers]  # of the states of each automaton
        self._states: list[tuple[int, int]] = []
        self.needs, self.settled = np.zeros(64, np.int64), np.zeros(64, np.bool_)
        self._owners = np.zeros(64, np.int64)
        # By the token's place in ``_tokens``; behind them, of the kinds of other tokens.
        self._next = np.zeros((64, width + matchers[0].kinds), np.int64)
        self._advances = np.full((64, 1, 2), -1, np.int64)
        self._expanded = np.zeros(64, np.bool_)
        small = {index: len(matcher.shortest) for index, matcher in enumerate(matchers) if _is_small(matcher)}
        for count in set(small.values()):
            self._fill([index for index, terms in small.items() if terms == count])

    def initial(self, matcher: int) -> int:
        """The state of the empty sequence in one of the automata."""
        if not self._numbers[matcher]:
            self._add(matcher)
        return self._numbers[matcher][0]

    def expand(self, states: Ids) -> None:
        """Fill the tables for some states, before ``follow`` and ``advances`` are asked about them."""
        expanded = self._expanded[states]
        if expanded.all():
            return
        new = list(set[int](states[~expanded].tolist()))
        rows = [self._row(state) for state in new]
        most = max(len(advances) for _, advances in rows)
        self._widen(most)
        self._next[new] = [following for following, _ in rows]
        if most:
            nothing = [(-1, -1)]
            self._advances[new, :most] = [advances + nothing * (most - len(advances)) for _, advances in rows]
        self._expanded[new] = True

    def follow(self, states: Ids, tokens: Ids) -> Ids:
        """The states after one more token; both have the same shape."""
        keys = self._owners[states] * _FAR + tokens
        found = np.searchsorted(self._keys, keys).clip(max=len(self._keys) - 1)
        kinds = 0 if self.borders is None else self.borders.take(tokens, mode="clip")
        columns = np.where(self._keys[found] == keys, self._places[found], self._tokens.shape[1] + kinds)
        return self._next[states, columns]

    def after_kinds(self, states: Ids) -> Ids:
        """The states after a token of every kind that no term has; the shape of ``states`` with one more dimension."""
        return self._next[states, self._tokens.shape[1] :]

    def advances(self, states: Ids) -> tuple[Ids, Ids]:
        """The tokens that lower the need of each state, and the states after them, with -1 where there are no more.

        Both are the shape of ``states`` with one more dimension.
        """
        advances = self._advances[states]
        return advances[..., 0], advances[..., 1]

    def _fill(self, chosen: list[int]) -> None:
        """Number all states of some automata, which have equally many terms and no borders, and fill their tables at once.

        Of the states of an automaton, the first ones have met no term, in the order of its nodes, and the last ones all of them.
        """
        matchers = [self._matchers[index] for index in chosen]
        count, width = len(matchers[0].shortest), self._tokens.shape[1]
        sizes = np.array([len(matcher.complete) for matcher in matchers])
        starts = len(self._states) + np.cumsum(sizes << count) - (sizes << count)
        for index, start, size in zip(chosen, starts.tolist(), sizes.tolist(), strict=True):
            self._numbers[index] = list(range(start, start + (size << count)))
            self._states += [(index, -1)] * (size << count)  # nothing is looked up later
        while len(self._states) > len(self.needs):
            self._grow()
        nodes = [
            row[:-1] + [0] * (width + 1 - len(row)) + row[-1:] for matcher in matchers for row in matcher.nodes_after
        ]
        places = np.repeat(np.arange(len(matchers)), sizes)  # of the automaton of every node
        size, start = sizes[places], starts[places]
        after = np.array(nodes)
        complete = np.array([bits for matcher in matchers for bits in matcher.complete])
        shortest = np.array([matcher.shortest for matcher in matchers])[places]
        rest = [[rest.get(term, _FAR) for term in range(count)] for matcher in matchers for rest in matcher.rest]
        spared = np.minimum(np.array(rest) - shortest, 0)
        first = np.cumsum(sizes) - sizes
        completed = complete[after + first[places][:, None]]
        met = np.arange(1 << count)
        bits = met[:, None, None] | completed  # (sets of met terms, nodes, places)
        following = start[:, None] + size[:, None] * bits + np.where(bits == met[-1], 0, after)
        missing = met[:, None, None] >> np.arange(count) & 1 == 0
        needs = (missing * shortest).sum(-1) + (missing * spared).min(-1)
        states = start + size * met[:, None] + (np.arange(len(after)) - first[places])
        self.needs[states], self.settled[states] = needs, needs == 0
        self._owners[states], self._expanded[states] = np.array(chosen)[places], True
        self._next[states] = following
        self._keep_advances(states.ravel())

    def _keep_advances(self, states: Ids) -> None:
        """Fill the table of the tokens that lower the need of some states, from that of what follows them."""
        tokens, after = self._tokens[self._owners[states]], self._next[states, : self._tokens.shape[1]]
        rows, places = np.nonzero((self.needs[after] < self.needs[states][:, None]) & (tokens >= 0))
        columns = np.arange(len(rows)) - np.searchsorted(rows, rows)  # of the advances of each state
        self._widen(int(columns.max(initial=0)) + 1)
        self._advances[states[rows], columns] = np.stack((tokens[rows, places], after[rows, places]), 1)

    def _row(self, state: int) -> tuple[list[int], list[tuple[int, int]]]:
        """What ``_next`` and ``_advances`` say of a state."""
        matcher, local = self._states[state]
        automaton, numbers = self._matchers[matcher], self._numbers[matcher]
        following, advances = automaton.following(local), automaton.advances(local)
        if len(numbers) < automaton.states:
            self._add(matcher)
        after = [numbers[each] for each in following]
        own, missing = len(automaton.tokens), self._tokens.shape[1] - len(automaton.tokens)
        return after[:own] + [0] * missing + after[own:], [(token, numbers[each]) for token, each in advances]

    def _add(self, matcher: int) -> None:
        """Number the states that an automaton has met since."""
        numbers, automaton = self._numbers[matcher], self._matchers[matcher]
        for local in range(len(numbers), automaton.states):
            number = len(self._states)
            if number == len(self.needs):
                self._grow()
            self.needs[number], self._owners[number] = automaton.need(local), matcher
            self.settled[number] = automaton.settled(local)
            self._states.append((matcher, local))
            numbers.append(number)

    def _widen(self, most: int) -> None:
        """Make room for so many advances of a state."""
        more = max(0, most - self._advances.shape[1])
        if more:
            self._advances = np.pad(self._advances, ((0, 0), (0, more), (0, 0)), constant_values=-1)

    def _grow(self) -> None:
        """Double the tables."""
        self.needs, self._owners = np.tile(self.needs, 2), np.tile(self._owners, 2)
        self.settled = np.tile(self.settled, 2)
        self._expanded = np.append(self._expanded, np.zeros_like(self._expanded))
        self._next = np.append(self._next, np.zeros_like(self._next), 0)
        self._advances = np.append(self._advances, np.full_like(self._advances, -1), 0)


def _is_small(matcher: TermMatcher) -> bool:
    """Whether all states of an automaton are filled at once."""
    return matcher.kinds == 1 and (len(matcher.complete) * len(matcher.tokens)) << len(matcher.shortest) <= MAX_TABLE


def allocate(candidates: Candidates, needs: Ids, width: int) -> Candidates:
    """Choose ``width`` candidates of every row: the best of each bank, then the best of the others.

    A bank holds the candidates that need equally many more tokens, ``needs (rows, candidates)``. If there are more banks than
    places, the bank that has met everything comes first, then the one that is nearest to it, so that a term that was begun is
    completed, then the one that is farthest, which may begin terms later, then the likeliest.
    """
    possible = candidates.totals > -np.inf
    banks = np.where(possible, needs, np.iinfo(np.int64).max)
    order = np.lexsort((-candidates.totals, banks))
    places = flat_places(order, banks.shape[1])
    sorted_banks = banks.take(places)
    is_best = np.ones_like(possible)
    np.not_equal(sorted_banks[:, 1:], sorted_banks[:, :-1], out=is_best[:, 1:])
    number = is_best.cumsum(1) - 1  # of the bank, among those of its row
    count = possible.sum(1)
    rows = np.arange(len(count))
    last = number[rows, np.maximum(count - 1, 0)][:, None]
    rank = np.where(is_best, 3, 4)
    rank[is_best & (number == last)] = 2
    rank[is_best & (number == 1) & (sorted_banks[:, :1] == 0)] = 1
    rank[:, 0] = 0
    rank[np.arange(rank.shape[1]) >= count[:, None]] = 5
    best_first = np.lexsort((-candidates.totals.take(places), rank))[:, :width]
    return candidates.take(order.take(flat_places(best_first, order.shape[1])))
