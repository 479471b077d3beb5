"""The states of many term automata as arrays, and the allocation of a beam among hypotheses, for all sources of a batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbtextgen.decoding.terms import TermMatcher

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

    def without(self, other: Candidates, width: int) -> Candidates:
        """Rule out those that another has too: the same token after the same of ``width`` hypotheses."""
        keys = np.where(other.totals > -np.inf, other.tokens * width + other.parents, -1)
        repeated = ((self.tokens * width + self.parents)[:, :, None] == keys[:, None]).any(2)
        return self._replace(totals=np.where(repeated, np.float32(-np.inf), self.totals))


def flat_places(columns: Ids, count: int) -> Ids:
    """Where columns ``(rows, chosen)`` of arrays ``(rows, count)`` are in the flattened arrays."""
    return columns + np.arange(0, len(columns) * count, count)[:, None]


class TermStates:
    """States of several automata, numbered together, with what follows them in tables that are filled as they are met.

    Attributes:
        needs: what ``TermMatcher.need`` says of every state, ``(states,)``.
    """

    def __init__(self, matchers: Sequence[TermMatcher]) -> None:
        self._matchers = matchers
        width = max(len(matcher.tokens) for matcher in matchers)
        self._tokens = np.full((len(matchers), width), -1, np.int64)  # those of each automaton's terms
        for row, matcher in zip(self._tokens, matchers, strict=True):
            row[: len(matcher.tokens)] = matcher.tokens
        self._numbers: list[list[int]] = [[] for _ in matchers]  # of the states of each automaton
        self._states: list[tuple[int, int]] = []
        self.needs = np.zeros(64, np.int64)
        self._owners = np.zeros(64, np.int64)
        self._next = np.zeros(
            (64, width + 1), np.int64
        )  # by the token's place in ``_tokens``; the last is for all others
        self._advances = np.full((64, 1, 2), -1, np.int64)
        self._expanded = np.zeros(64, np.bool_)

    def initial(self, matcher: int) -> int:
        """The state of the empty sequence in one of the automata."""
        if not self._numbers[matcher] and not self._fill(matcher):
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
        places = self._tokens.shape[1]
        matches = np.ones((*states.shape, places + 1), np.bool_)
        np.equal(self._tokens[self._owners[states]], tokens[..., None], out=matches[..., :places])
        return self._next[states, matches.argmax(-1)]

    def advances(self, states: Ids) -> tuple[Ids, Ids]:
        """The tokens that lower the need of each state, and the states after them, with -1 where there are no more.

        Both are the shape of ``states`` with one more dimension.
        """
        advances = self._advances[states]
        return advances[..., 0], advances[..., 1]

    def _fill(self, matcher: int) -> bool:
        """Number all states of an automaton and fill their tables at once, if they are not too many."""
        whole = self._matchers[matcher].all_states()
        if whole is None:
            return False
        following, needs = whole
        first, last = len(self._states), len(self._states) + len(needs)
        while last > len(self.needs):
            self._grow()
        by_token, otherwise = following[:, :-1], following[:, -1]
        self._next[first:last, : by_token.shape[1]] = first + by_token
        self._next[first:last, -1] = first + otherwise
        self.needs[first:last], self._owners[first:last], self._expanded[first:last] = needs, matcher, True
        states, places = np.nonzero(needs[by_token] < needs[:, None])
        columns = np.arange(len(states)) - np.searchsorted(states, states)  # of the advances of each state
        self._widen(int(columns.max(initial=0)) + 1)
        advances = self._tokens[matcher, places], first + by_token[states, places]
        self._advances[first + states, columns] = np.stack(advances, 1)
        self._states += [(matcher, -1)] * len(needs)  # nothing is looked up later
        self._numbers[matcher] = list(range(first, last))
        return True

    def _row(self, state: int) -> tuple[list[int], list[tuple[int, int]]]:
        """What ``_next`` and ``_advances`` say of a state."""
        matcher, local = self._states[state]
        automaton, numbers = self._matchers[matcher], self._numbers[matcher]
        following, advances = automaton.following(local), automaton.advances(local)
        if len(numbers) < automaton.states:
            self._add(matcher)
        *after, other = [numbers[each] for each in following]
        after += [0] * (self._tokens.shape[1] - len(after))
        return [*after, other], [(token, numbers[each]) for token, each in advances]

    def _add(self, matcher: int) -> None:
        """Number the states that an automaton has met since."""
        numbers, automaton = self._numbers[matcher], self._matchers[matcher]
        for local in range(len(numbers), automaton.states):
            number = len(self._states)
            if number == len(self.needs):
                self._grow()
            self.needs[number], self._owners[number] = automaton.need(local), matcher
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
        self._expanded = np.append(self._expanded, np.zeros_like(self._expanded))
        self._next = np.append(self._next, np.zeros_like(self._next), 0)
        self._advances = np.append(self._advances, np.full_like(self._advances, -1), 0)


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
