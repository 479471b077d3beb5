"""Terms that an output must contain, as an automaton over its tokens (Hu et al. 2019, sec. 3: a trie with back edges)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Alternatives = tuple[tuple[int, ...], ...]
"""The ways to write one term as token ids; any of them will do."""
Terms = tuple[Alternatives, ...]
"""The terms of one output, all of which must be in it."""
MAX_TABLE = 1 << 13
"""Most entries of a table of all states; larger automata are followed state by state, since few of theirs are ever met."""


class TermMatcher:
    """Follows which terms a sequence of tokens contains, and how many tokens it still needs at most.

    A state is a small number: which terms are met, and the longest suffix of the sequence that begins one (Aho & Corasick
    1975). State 0 is that of the empty sequence. ``need`` never rises by more than what a token breaks off, and in every
    state with a need some token lowers it by at least one; so a sequence whose need fits into its limit can always be
    completed.
    """

    def __init__(self, terms: Terms) -> None:
        """Build the automaton; every term has at least one alternative, of at least one token.

        Attributes:
            tokens: those of all terms, each once, in their order.
            total: tokens that the empty sequence needs.
        """
        self._shortest = [min(map(len, alternatives)) for alternatives in terms]
        self._all_met = (1 << len(terms)) - 1
        self._next: list[dict[int, int]] = [{}]
        self._complete = [0]  # bits of the terms that end at a node
        self._rest: list[dict[int, int]] = [{}]  # for every term that is under way at a node, its missing tokens
        for term, alternatives in enumerate(terms):
            for ids in alternatives:
                self._add(term, ids)
        self.tokens = sorted({token for following in self._next for token in following})
        self._places = {token: place for place, token in enumerate(self.tokens)}
        self._nodes_after = self._link()
        self._numbers: dict[tuple[int, int], int] = {}
        self._states: list[tuple[int, int]] = []
        self._needs: list[int] = []
        self._wholes: dict[int, int] = {}
        self._following: list[list[int] | None] = []
        self.total = self.need(self._number(0, 0))

    def _add(self, term: int, ids: Sequence[int]) -> None:
        node = 0
        for position, token in enumerate(ids, 1):
            if token not in self._next[node]:
                self._next[node][token] = len(self._next)
                self._next.append({})
                self._complete.append(0)
                self._rest.append({})
            node = self._next[node][token]
            rest = self._rest[node]
            rest[term] = min(len(ids) - position, rest.get(term, len(ids)))
        self._complete[node] |= 1 << term

    def _link(self) -> list[list[int]]:
        """The node after every node and token, by the token's place in ``tokens``; the last place is for all other tokens.

        A node falls back to the longest proper suffix that is a node, and inherits what that completes.
        """
        root = [0] * (len(self.tokens) + 1)
        for token, child in self._next[0].items():
            root[self._places[token]] = child
        after = [root] * len(self._next)
        queue = deque((child, 0) for child in self._next[0].values())  # nodes with their suffixes
        while queue:
            node, suffix = queue.popleft()
            self._complete[node] |= self._complete[suffix]
            for term, rest in self._rest[suffix].items():
                self._rest[node][term] = min(rest, self._rest[node].get(term, rest))
            if self._next[node] or suffix:
                after[node] = after[suffix].copy()
                for token, child in self._next[node].items():
                    queue.append((child, after[suffix][self._places[token]]))
                    after[node][self._places[token]] = child
        return after

    def _number(self, met: int, node: int) -> int:
        if met == self._all_met:
            node = 0  # nothing is needed any more, whatever follows
        number = self._numbers.get((met, node))
        if number is None:
            number = self._numbers[met, node] = len(self._states)
            self._states.append((met, node))
            need = whole = self._whole(met)
            for term, rest in self._rest[node].items():
                if not met >> term & 1:
                    need = min(need, whole + rest - self._shortest[term])
            self._needs.append(need)
            self._following.append(None)
        return number

    def _whole(self, met: int) -> int:
        """Tokens of the terms that are not met."""
        whole = self._wholes.get(met)
        if whole is None:
            whole = sum(length for term, length in enumerate(self._shortest) if not met >> term & 1)
            self._wholes[met] = whole
        return whole

    def need(self, state: int) -> int:
        """Number of tokens with which the missing terms can be completed; 0 if all are met."""
        return self._needs[state]

    @property
    def states(self) -> int:
        """How many states there are by now; they are numbered as they are met."""
        return len(self._states)

    def following(self, state: int) -> list[int]:
        """The state after each of ``tokens``, and behind them that after any other token."""
        following = self._following[state]
        if following is None:
            met, node = self._states[state]
            complete, numbers, following = self._complete, self._numbers, list[int]()
            for after in self._nodes_after[node]:
                bits = met | complete[after]
                number = numbers.get((bits, after))
                following.append(self._number(bits, after) if number is None else number)
            self._following[state] = following
        return following

    def all_states(self) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """What ``following``, ``(states, tokens + 1)``, and ``need``, ``(states,)``, say of every state, numbered in another way.

        State 0 is that of the empty sequence. Where there may be very many states the answer is ``None``.
        """
        count, nodes, places = len(self._shortest), len(self._next), len(self.tokens) + 1
        if (nodes * places) << count > MAX_TABLE:
            return None
        after, complete = np.array(self._nodes_after), np.array(self._complete)
        met = np.arange(1 << count)
        bits = met[:, None, None] | complete[after]  # (sets of met terms, nodes, places)
        following = nodes * bits + np.where(bits == self._all_met, 0, after)
        shortest = np.array(self._shortest)
        begun = np.array(
            [[rest.get(term, length) for term, length in enumerate(self._shortest)] for rest in self._rest]
        )
        missing = met[:, None] >> np.arange(count) & 1 == 0
        spared = (missing[:, None] * (begun - shortest)).min(-1)
        needs = (missing @ shortest)[:, None] + np.minimum(spared, 0)
        return following.reshape(-1, places), needs.ravel()

    def step(self, state: int, token: int) -> int:
        """The state after one more token."""
        return self.following(state)[self._places.get(token, -1)]

    def advances(self, state: int) -> list[tuple[int, int]]:
        """The tokens that lower the need, each with the state after it."""
        need, needs = self._needs[state], self._needs
        after = zip(self.tokens, self.following(state), strict=False)
        return [(token, number) for token, number in after if needs[number] < need]
