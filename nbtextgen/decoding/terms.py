"""Terms that an output must contain, as an automaton over its tokens (Hu et al. 2019, sec. 3: a trie with back edges)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from nbtextgen.decoding.borders import (
    EFFECT,
    END_AFTER,
    ENDS,
    KINDS,
    NOTHING,
    WORD_ENDS,
    WORD_WAITS,
    Borders,
    begins_word,
    survives,
)

Alternatives = tuple[tuple[int, ...], ...]
"""The ways to write one term as token ids; any of them will do."""
Terms = tuple[Alternatives, ...]
"""The terms of one output, all of which must be in it."""
_NEVER = 1 << 30


def usable_borders(terms: Terms, borders: Borders | None) -> Borders | None:
    """The borders, unless some term has no alternative that begins a word of its own."""
    if borders is not None and all(any(begins_word(ids[0], borders) for ids in each) for each in terms):
        return borders
    return None


def least_tokens(terms: Terms, borders: Borders | None) -> list[int]:
    """How many tokens suffice for each term, whatever stands before it."""
    usable = usable_borders(terms, borders)
    if usable is None:
        return [min(map(len, alternatives)) for alternatives in terms]
    return [min(len(ids) for ids in alternatives if begins_word(ids[0], usable)) for alternatives in terms]


class TermMatcher:
    """Follows which terms a sequence of tokens contains, and how many tokens it still needs at most.

    A state is a small number: which terms are met, which are met if the sequence ends here or goes on with another word, and the
    longest suffix of the sequence that begins a term (Aho & Corasick 1975). State 0 is that of the empty sequence. In every state
    with a need some token lowers it by at least one; so a sequence whose need fits into its limit can be completed.

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
        # Of every node: the nodes after it, bits of the terms that end there, and what the sequence ends with. The first nodes are
        # those of the empty suffix, one for everything that a sequence may end with.
        self._next, self.complete, self._ends = list[dict[int, int]](), list[int](), list[int]()
        # For every term that is under way at a node, its missing tokens; and the same, but only where these tokens do not go on with
        # the word before them, so that a term that waits for its border gets it.
        self.rest = list[dict[int, int]]()
        self._keeping = self.rest if borders is None else list[dict[int, int]]()
        for end in range(1 if borders is None else ENDS):
            self._add_node(end)
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

    def _add_node(self, end: int) -> None:
        self._next.append({})
        self.complete.append(0)
        self._ends.append(end)
        self.rest.append({})
        if self._keeping is not self.rest:
            self._keeping.append({})

    def _add(self, term: int, ids: Sequence[int]) -> None:
        node, length = 0, len(ids)
        for left, token in zip(range(length - 1, -1, -1), ids, strict=True):
            following = self._next[node]
            if token not in following:
                following[token] = len(self._next)
                self._add_node(END_AFTER[self._kind(token)][self._ends[node]])
            node = following[token]
            self.rest[node][term] = min(left, self.rest[node].get(term, length))
            following_kinds = () if self._borders is None else [self._kind(each) for each in ids[length - left :]]
            if survives(self._ends[node], following_kinds):
                self._keeping[node][term] = min(left, self._keeping[node].get(term, length))
        self.complete[node] |= 1 << term

    def _link(self) -> list[list[int]]:
        """The node after every node and token, by the token's place in ``tokens``; behind them, after other tokens of every kind.

        A node falls back to the longest proper suffix that is a node, and inherits what that completes.
        """
        roots = 1 if self._borders is None else ENDS
        after = [[END_AFTER[kind][end] for kind in self._kinds] for end in range(roots)]
        for token, child in self._next[0].items():
            for end, root in enumerate(after):
                if EFFECT[self._kind(token)][end] == WORD_ENDS:
                    root[self._places[token]] = child
        after += [after[0]] * (len(self._next) - roots)
        queue = deque((child, self._ends[child]) for child in self._next[0].values())  # nodes with their suffixes
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
                effect = EFFECT[kind][self._ends[node]]
                bits = met | waiting if effect == WORD_ENDS else met
                waits = waiting if effect == WORD_WAITS else 0
                if self._ends[after] == NOTHING:
                    bits |= complete[after]
                else:
                    waits |= complete[after]
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
