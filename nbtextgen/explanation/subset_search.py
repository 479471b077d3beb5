"""Search for the smallest set of units with a property: exhaustively by size as far as the budget goes, then by beams.

Small sets are found by trying all of a size, which proves that no smaller one exists. Larger ones are grown from the most
promising sets, and shrunk from all units, whichever ends up smaller; the result is then pruned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from nbtextgen.explanation.attributions import Coalitions, Values

GoalFunction = Callable[[Coalitions], Values]
"""How far sets of units are from the goal, ``(sets, units)`` to ``(sets,)``: they have the property where it is positive."""
Units = frozenset[int]
GROWN, SHRUNK = 24, 6
"""Sets that are kept of each size while growing and while shrinking."""


@dataclass(frozen=True)
class SmallestSet:
    """What a search returned.

    Attributes:
        units: the smallest set that was tried and has the property, by index; ``None`` if none has.
        proved: whether all smaller sets were tried, so that none of them has it.
    """

    units: tuple[int, ...] | None
    proved: bool


def smallest_set(goal: GoalFunction, units: int, budget: int) -> SmallestSet:
    """Find the smallest set of units with a property, the one that has it most clearly among equals.

    Args:
        goal: positive for sets that have the property, and the greater the nearer to it.
        units: how many there are.
        budget: about how many sets are tried.
    """
    return _Search(goal, units, budget).run()


class _Search:
    def __init__(self, goal: GoalFunction, units: int, budget: int) -> None:
        self.goal, self.units, self.left = goal, units, budget
        self.values: dict[Units, float] = {}
        self.best: Units | None = None

    def run(self) -> SmallestSet:
        """All sets of each size while they are few, then beams in both directions."""
        size = 0
        while size <= self.units and (size < 2 or math.comb(self.units, size) <= self.left / 2):
            level = [frozenset(members) for members in combinations(range(self.units), size)]
            self._try(level)
            if self.best is not None:
                return self._result(proved=True)
            size += 1
        if size <= self.units:
            level = [members for members in self.values if len(members) == size - 1]
            self._grow(level, size)
            self._shrink(size)
            self._prune(size)
        complete = self.best is not None and len(self.best) == size
        return self._result(proved=size > self.units or complete)

    def _result(self, *, proved: bool) -> SmallestSet:
        return SmallestSet(None if self.best is None else tuple(sorted(self.best)), proved)

    def _try(self, sets: Iterable[Units]) -> None:
        """Evaluate sets, and keep the best one that has the property."""
        new = [members for members in dict.fromkeys(sets) if members not in self.values]
        if not new:
            return
        bits = np.zeros((len(new), self.units), bool)
        for row, members in enumerate(new):
            bits[row, list(members)] = True
        self.left -= len(new)
        for members, value in zip(new, self.goal(bits), strict=True):
            self.values[members] = float(value)
            if value > 0 and (self.best is None or self._rank(members) < self._rank(self.best)):
                self.best = members

    def _rank(self, members: Units) -> tuple[int, float]:
        return len(members), -self.values[members]

    def _top(self, sets: Iterable[Units], count: int) -> list[Units]:
        return sorted(dict.fromkeys(sets), key=lambda members: (-self.values[members], sorted(members)))[:count]

    def _grow(self, level: list[Units], size: int) -> None:
        """Add units to the most promising sets until one has the property, or half of the budget is used."""
        reserve = self.left / 2
        while size <= self.units and self.best is None and self.left > reserve:
            width = max(1, min(GROWN, int(self.left - reserve) // max(1, self.units - size + 1)))
            grown = self._top(level, width)
            level = [members | {unit} for members in grown for unit in range(self.units) if unit not in members]
            self._try(level)
            size += 1

    def _shrink(self, smallest: int) -> None:
        """Remove units from all of them, as long as the sets have the property."""
        level = [frozenset(range(self.units))]
        self._try(level)
        while level and self.left > 0:
            kept = self._top((members for members in level if self.values[members] > 0), SHRUNK)
            if not kept or len(kept[0]) <= smallest:
                return
            level = [members - {unit} for members in kept for unit in members]
            self._try(level)

    def _prune(self, smallest: int) -> None:
        """Remove a unit, or exchange two for another, as long as that leaves a smaller set with the property."""
        before: Units | None = None
        while self.best is not None and self.best != before and len(self.best) > smallest:
            before = self.best
            self._try(before - {unit} for unit in before)
            if self.best == before and math.comb(len(before), 2) * (self.units - len(before)) <= max(self.left, 300):
                others = [unit for unit in range(self.units) if unit not in before]
                self._try(before - set(pair) | {unit} for pair in combinations(before, 2) for unit in others)
