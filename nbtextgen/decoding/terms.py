"""Terms that an output must contain, as an automaton over its tokens (Hu et al. 2019, sec. 3: a trie with back edges)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

Alternatives = tuple[tuple[int, ...], ...]
"""The ways to write one term as token ids; any of them will do."""
Terms = tuple[Alternatives, ...]
"""The terms of one output, all of which must be in it."""


class TermMatcher:
    """Follows which terms a sequence of tokens contains, and how many tokens it still needs at most.

    A state is a small number: which terms are met, and the longest suffix of the sequence that begins one (Aho & Corasick
    1975). State 0 is that of the empty sequence. ``need`` never rises by more than what a token breaks off, and in every
    state with a need some token lowers it by at least one; so a sequence whose need fits into its limit can always be
    completed.
    """

    def __init__(self, terms: Terms) -> None:
        """Build the automaton; every term has at least one alternative, of at least one token."""
        self._shortest = [min(map(len, alternatives)) for alternatives in terms]
        self._next: list[dict[int, int]] = [{}]
        self._fail = [0]
        self._complete = [0]  # bits of the terms that end at a node
        self._rest: list[dict[int, int]] = [{}]  # for every term that is under way at a node, its missing tokens
        for term, alternatives in enumerate(terms):
            for ids in alternatives:
                self._add(term, ids)
        self._link()
        self._numbers: dict[tuple[int, int], int] = {}
        self._states: list[tuple[int, int]] = []
        self._needs: list[int] = []
        self._steps: list[dict[int, int]] = []
        self._advances: list[tuple[tuple[int, int], ...] | None] = []
        self.total = self.need(self._number(0, 0))

    def _add(self, term: int, ids: Sequence[int]) -> None:
        node = 0
        for position, token in enumerate(ids, 1):
            if token not in self._next[node]:
                self._next[node][token] = len(self._next)
                self._next.append({})
                self._fail.append(0)
                self._complete.append(0)
                self._rest.append({})
            node = self._next[node][token]
            rest = self._rest[node]
            rest[term] = min(len(ids) - position, rest.get(term, len(ids)))
        self._complete[node] |= 1 << term

    def _link(self) -> None:
        """Let every node fall back to the longest proper suffix that is a node, and inherit what that completes."""
        queue = deque(self._next[0].values())
        while queue:
            node = queue.popleft()
            for token, child in self._next[node].items():
                self._fail[child] = self._follow(self._fail[node], token)
                queue.append(child)
            suffix = self._fail[node]
            self._complete[node] |= self._complete[suffix]
            for term, rest in self._rest[suffix].items():
                self._rest[node][term] = min(rest, self._rest[node].get(term, rest))

    def _follow(self, node: int, token: int) -> int:
        while node and token not in self._next[node]:
            node = self._fail[node]
        return self._next[node].get(token, 0)

    def _number(self, met: int, node: int) -> int:
        key = met, node
        if key not in self._numbers:
            self._numbers[key] = len(self._states)
            self._states.append(key)
            whole = sum(length for term, length in enumerate(self._shortest) if not met >> term & 1)
            begun = [rest - self._shortest[term] for term, rest in self._rest[node].items() if not met >> term & 1]
            self._needs.append(whole + min([0, *begun]))
            self._steps.append({})
            self._advances.append(None)
        return self._numbers[key]

    def tokens(self) -> list[int]:
        """The tokens of all terms, each once."""
        return sorted({token for following in self._next for token in following})

    def need(self, state: int) -> int:
        """Number of tokens with which the missing terms can be completed; 0 if all are met."""
        return self._needs[state]

    def step(self, state: int, token: int) -> int:
        """The state after one more token."""
        steps = self._steps[state]
        if token not in steps:
            met, node = self._states[state]
            node = self._follow(node, token)
            steps[token] = self._number(met | self._complete[node], node)
        return steps[token]

    def advances(self, state: int) -> tuple[tuple[int, int], ...]:
        """The tokens that lower the need, each with the state after it."""
        advances = self._advances[state]
        if advances is None:
            node, tokens = self._states[state][1], set(self._next[0])
            while node:
                tokens.update(self._next[node])
                node = self._fail[node]
            after = [(token, self.step(state, token)) for token in sorted(tokens)]
            advances = tuple((token, number) for token, number in after if self._needs[number] < self._needs[state])
            self._advances[state] = advances
        return advances
