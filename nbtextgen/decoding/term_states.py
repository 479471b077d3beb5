"""The states of many term automata as arrays, and the allocation of a beam among hypotheses, for all sources of a batch at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

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

    def map(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Candidates:
        """Change the arrays in the same way, in their order."""
        return Candidates(
            change(self.totals),
            change(self.log_probabilities),
            change(self.parents),
            change(self.tokens),
            change(self.states),
        )

    def take(self, columns: Ids) -> Candidates:
        """The candidates in some columns of each row, ``(rows, chosen)``."""
        return self.map(lambda values: np.take_along_axis(values, columns, 1))

    def beside(self, other: Candidates) -> Candidates:
        """These candidates, then those of another with as many rows."""
        following = iter(other)
        return self.map(lambda values: np.concatenate([values, next(following)], 1))

    def without_repeated(self, first: int) -> Candidates:
        """Rule out those of the ``first`` candidates that the others have too: the same token after the same hypothesis."""
        same = (self.parents[:, :first, None] == self.parents[:, None, first:]) & (
            self.tokens[:, :first, None] == self.tokens[:, None, first:]
        )
        repeated = (same & (self.totals[:, None, first:] > -np.inf)).any(2)
        totals = self.totals.copy()
        totals[:, :first][repeated] = -np.inf
        return self._replace(totals=totals)


class TermStates:
    """States of several automata, numbered together, with what follows them in tables that are filled as they are met.

    Attributes:
        needs: what ``TermMatcher.need`` says of every state, ``(states,)``.
    """

    def __init__(self, matchers: Sequence[TermMatcher]) -> None:
        self._matchers = matchers
        tokens = [matcher.tokens() for matcher in matchers]
        width = max(map(len, tokens))
        self._tokens = np.full((len(matchers), width), -1, np.int64)  # those of each automaton's terms
        for row, each in zip(self._tokens, tokens, strict=True):
            row[: len(each)] = each
        self._numbers: dict[tuple[int, int], int] = {}
        self._states: list[tuple[int, int]] = []
        self.needs = np.zeros(64, np.int64)
        self._owners = np.zeros(64, np.int64)
        self._next = np.full(
            (64, width + 1), -1, np.int64
        )  # by the token's place in ``_tokens``; the last is for all others
        self._advances = np.full((64, 1, 2), -1, np.int64)
        self._expanded = np.zeros(64, np.bool_)

    def initial(self, matcher: int) -> int:
        """The state of the empty sequence in one of the automata."""
        return self._number(matcher, 0)

    def follow(self, states: Ids, tokens: Ids) -> Ids:
        """The states after one more token; both have the same shape."""
        matches = self._tokens[self._owners[states]] == tokens[..., None]
        places = np.where(matches.any(-1), matches.argmax(-1), self._tokens.shape[1])
        unknown = self._next[states, places] < 0
        if unknown.any():
            rows: list[list[int]] = np.unique(np.stack([states, places, tokens])[:, unknown], axis=1).T.tolist()
            for state, place, token in rows:
                matcher, local = self._states[state]
                following = self._number(matcher, self._matchers[matcher].step(local, token))
                self._next[state, place] = following
        return self._next[states, places]

    def advances(self, states: Ids) -> tuple[Ids, Ids]:
        """The tokens that lower the need of each state, and the states after them, with -1 where there are no more.

        Both are the shape of ``states`` with one more dimension.
        """
        for state in np.unique(states[~self._expanded[states]]).tolist():
            self._expand(state)
        advances = self._advances[states]
        return advances[..., 0], advances[..., 1]

    def _expand(self, state: int) -> None:
        matcher, local = self._states[state]
        advances = [
            (token, self._number(matcher, following)) for token, following in self._matchers[matcher].advances(local)
        ]
        if len(advances) > self._advances.shape[1]:
            more = len(advances) - self._advances.shape[1]
            self._advances = np.pad(self._advances, ((0, 0), (0, more), (0, 0)), constant_values=-1)
        if advances:
            self._advances[state, : len(advances)] = advances
        self._expanded[state] = True

    def _number(self, matcher: int, local: int) -> int:
        """The number of a state of an automaton; a new state gets the next one."""
        key = matcher, local
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._states)
            self._states.append(key)
            if number == len(self.needs):
                self._grow()
            self.needs[number], self._owners[number] = self._matchers[matcher].need(local), matcher
        return number

    def _grow(self) -> None:
        """Double the tables."""
        self.needs, self._owners = np.tile(self.needs, 2), np.tile(self._owners, 2)
        self._expanded = np.append(self._expanded, np.zeros_like(self._expanded))
        self._next = np.append(self._next, np.full_like(self._next, -1), 0)
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
    sorted_banks = np.take_along_axis(banks, order, 1)
    is_best = np.ones_like(possible)
    is_best[:, 1:] = sorted_banks[:, 1:] != sorted_banks[:, :-1]
    number = is_best.cumsum(1) - 1  # of the bank, among those of its row
    count = np.take_along_axis(possible, order, 1).sum(1, keepdims=True)
    last = np.take_along_axis(number, np.maximum(count - 1, 0), 1)
    rank = np.where(is_best, 3, 4)
    rank[is_best & (number == last)] = 2
    rank[is_best & (number == 1) & (sorted_banks[:, :1] == 0)] = 1
    rank[is_best & (number == 0)] = 0
    rank[np.arange(rank.shape[1]) >= count] = 5
    best_first = np.lexsort((-np.take_along_axis(candidates.totals, order, 1), rank))[:, :width]
    return candidates.take(np.take_along_axis(order, best_first, 1))
