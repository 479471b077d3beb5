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
Borders = NDArray[np.int8]
"""For every token of a vocabulary, and in one more entry for all others, how words go on across its ends: see ``CONTINUES``."""
CONTINUES, CONTINUED, LINKS = 1, 2, 4
"""Bits of ``Borders``: the token continues a word that stands right before it (``ed``); a word may go on right after it (``cook``).
``LINKS`` stands alone: a mark that a word or number goes on across, as the point in 3.5."""
KINDS = 5
"""Values of an entry of ``Borders``."""
_NEVER = 1 << 30


def begins_word(ids: Sequence[int], borders: Borders | None) -> bool:
    """Whether tokens begin a word of their own, whatever stands before them."""
    return borders is None or not borders[min(ids[0], len(borders) - 1)] & (CONTINUES | LINKS)


def usable_borders(terms: Terms, borders: Borders | None) -> Borders | None:
    """The borders, unless some term has no alternative that begins a word of its own."""
    if borders is not None and all(any(begins_word(ids, borders) for ids in alternatives) for alternatives in terms):
        return borders
    return None


def least_tokens(terms: Terms, borders: Borders | None) -> list[int]:
    """How many tokens suffice for each term, whatever stands before it."""
    usable = usable_borders(terms, borders)
    if usable is None:
        return [min(map(len, alternatives)) for alternatives in terms]
    return [min(len(ids) for ids in alternatives if begins_word(ids, usable)) for alternatives in terms]


class TermMatcher:
    """Follows which terms a sequence of tokens contains, and how many tokens it still needs at most.

    A state is a small number: which terms are met, which are met if the sequence ends here or goes on with another word, and the
    longest suffix of the sequence that begins a term (Aho & Corasick 1975). State 0 is that of the empty sequence. ``need`` never
    rises by more than what a token breaks off, and in every state with a need some token lowers it by at least one; so a sequence
    whose need fits into its limit can always be completed.

    With ``borders``, a term counts only as a word of its own: no word goes on across its ends. Where ``usable_borders`` has none,
    it counts anywhere.
    """

    def __init__(self, terms: Terms, borders: Borders | None = None) -> None:
        """Build the automaton; every term has at least one alternative, of at least one token.

        Attributes:
            tokens: those of all terms, each once, in their order.
            kinds: number of kinds of other tokens, by their borders.
            shortest: tokens that suffice for each term.
            nodes_after: the node after every node and token, by the token's place in ``tokens``, then after others of every kind.
            complete: for every node, bits of the terms that end there.
            rest: for every node, the missing tokens of the terms that are under way there.
            total: tokens that the empty sequence needs.
        """
        self.kinds = 1 if borders is None else KINDS
        self.shortest = least_tokens(terms, borders)
        self._borders = borders = usable_borders(terms, borders)
        self._all_met = (1 << len(terms)) - 1
        # Node 0 is the empty suffix; with borders, node 1 is the empty suffix inside of a word.
        self._next, self.complete, self._inside = list[dict[int, int]](), list[int](), list[bool]()
        # Of every node: what follows, bits of the terms that end there, and whether a word may go on after it. For every term
        # that is under way there, its missing tokens; the same if terms that wait for a border get it on the way.
        self.rest = list[dict[int, int]]()
        self._keeping = self.rest if borders is None else list[dict[int, int]]()
        for inside in (False, True)[: 1 if borders is None else 2]:
            self._add_node(inside)
        for term, alternatives in enumerate(terms):
            for ids in alternatives:
                self._add(term, ids)
        self.tokens = sorted({token for following in self._next for token in following})
        self._places = {token: place for place, token in enumerate(self.tokens)}
        self._kinds = [*map(self._kind, self.tokens), *range(KINDS if borders is not None else 1)]
        self._kinds += [0] * (len(self.tokens) + self.kinds - len(self._kinds))
        self.nodes_after = self._link()
        self._numbers: dict[tuple[int, int, int], int] = {}
        self._states: list[tuple[int, int, int]] = []
        self._needs: list[int] = []
        self._wholes: dict[int, int] = {}
        self._following: list[list[int] | None] = []
        self.total = self.need(self._number(0, 0, 0))

    def _kind(self, token: int) -> int:
        return 0 if self._borders is None else int(self._borders[min(token, len(self._borders) - 1)])

    def _add_node(self, inside: bool) -> None:
        self._next.append({})
        self.complete.append(0)
        self._inside.append(inside)
        self.rest.append({})
        if self._keeping is not self.rest:
            self._keeping.append({})

    def _add(self, term: int, ids: Sequence[int]) -> None:
        node, length = 0, len(ids)
        for left, token in zip(range(length - 1, -1, -1), ids, strict=True):
            following = self._next[node]
            if token not in following:
                following[token] = len(self._next)
                self._add_node(_goes_on(self._kind(token), self._inside[node]))
            node = following[token]
            self.rest[node][term] = min(left, self.rest[node].get(term, length))
            if self._borders is not None:
                kinds = (self._kind(token) for token in ids[length - left :])
                if not next((kind for kind in kinds if kind != LINKS), 0) & CONTINUES:
                    self._keeping[node][term] = min(left, self._keeping[node].get(term, length))
        self.complete[node] |= 1 << term

    def _link(self) -> list[list[int]]:
        """The node after every node and token, by the token's place in ``tokens``; behind them, after other tokens of every kind.

        A node falls back to the longest proper suffix that is a node, and inherits what that completes.
        """
        roots = 1 if self._borders is None else 2
        after = [[int(_goes_on(kind, inside)) for kind in self._kinds] for inside in self._inside[:roots]]
        for token, child in self._next[0].items():
            for root in after[: 2 if begins_word((token,), self._borders) else 1]:
                root[self._places[token]] = child
        after += [after[0]] * (len(self._next) - len(after))
        queue = deque(
            (child, int(self._inside[child])) for child in self._next[0].values()
        )  # nodes with their suffixes
        while queue:
            node, suffix = queue.popleft()
            self.complete[node] |= self.complete[suffix]
            for missing in (self.rest,) if self._keeping is self.rest else (self.rest, self._keeping):
                for term, rest in missing[suffix].items():
                    missing[node][term] = min(rest, missing[node].get(term, rest))
            after[node] = after[suffix]
            if self._next[node]:
                after[node] = after[suffix].copy()
                for token, child in self._next[node].items():
                    queue.append((child, after[suffix][self._places[token]]))
                    after[node][self._places[token]] = child
        return after

    def _number(self, met: int, waiting: int, node: int) -> int:
        """The state in which some terms are met, some wait for a border, and a node is reached."""
        if met == self._all_met:
            waiting = node = 0  # nothing is needed any more, whatever follows
        number = self._numbers.get((met, waiting, node))
        if number is None:
            number = self._numbers[met, waiting, node] = len(self._states)
            self._states.append((met, waiting, node))
            need = whole = self._whole(met | waiting)
            again = self._whole(met) - whole
            for term, rest in self.rest[node].items():
                if not (met | waiting) >> term & 1:
                    rest = min(self._keeping[node].get(term, _NEVER), rest + again)
                    need = min(need, whole + rest - self.shortest[term])
            self._needs.append(need)
            self._following.append(None)
        return number

    def _whole(self, met: int) -> int:
        """Tokens of the terms that are not met."""
        whole = self._wholes.get(met)
        if whole is None:
            whole = sum(length for term, length in enumerate(self.shortest) if not met >> term & 1)
            self._wholes[met] = whole
        return whole

    def need(self, state: int) -> int:
        """Number of tokens with which the missing terms can be completed; 0 if a sequence that ends here has them all."""
        return self._needs[state]

    def settled(self, state: int) -> bool:
        """Whether all terms are met, whatever follows."""
        return self._states[state][0] == self._all_met

    @property
    def states(self) -> int:
        """How many states there are by now; they are numbered as they are met."""
        return len(self._states)

    def following(self, state: int) -> list[int]:
        """The state after each of ``tokens``, and behind them those after any other token of every kind."""
        following = self._following[state]
        if following is None:
            met, waiting, node = self._states[state]
            complete, numbers, following = self.complete, self._numbers, list[int]()
            for kind, after in zip(self._kinds, self.nodes_after[node], strict=True):
                bits, waits = met, waiting if kind == LINKS else 0
                if not kind & (CONTINUES | LINKS):
                    bits |= waiting
                if self._inside[after]:
                    waits |= complete[after]
                else:
                    bits |= complete[after]
                waits &= ~bits
                number = numbers.get((bits, waits, after))
                following.append(self._number(bits, waits, after) if number is None else number)
            self._following[state] = following
        return following

    def step(self, state: int, token: int) -> int:
        """The state after one more token."""
        return self.following(state)[self._places.get(token, len(self.tokens) + self._kind(token))]

    def advances(self, state: int) -> list[tuple[int, int]]:
        """The tokens that lower the need, each with the state after it."""
        need, needs = self._needs[state], self._needs
        after = zip(self.tokens, self.following(state), strict=False)
        return [(token, number) for token, number in after if needs[number] < need]


def _goes_on(kind: int, inside: bool) -> bool:
    """Whether a word may go on after a token of a kind, if it could go on before it as ``inside`` says."""
    return inside if kind == LINKS else bool(kind & CONTINUED)
