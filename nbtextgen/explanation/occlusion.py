"""Occlusion of one unit at a time, and the game of two players: the source, and what was written so far."""

from __future__ import annotations

import numpy as np

from nbtextgen.explanation.attributions import Attributions, Coalitions, ScoreFunction
from nbtextgen.explanation.value_function import ValueFunction

CONTEXT_PARTS = ("the source", "what was written")
"""The players of ``context``, in the place of units."""


def all_and_none(units: int) -> Coalitions:
    """The two coalitions that every explanation needs: all units, and none."""
    return np.array([[True] * units, [False] * units])


def occlusion(score: ScoreFunction, units: int) -> Attributions:
    """v(all) - v(all but one unit), for every unit."""
    whole, none = all_and_none(units)[:1], all_and_none(units)[1:]
    scores = score(np.concatenate([whole, ~np.eye(units, dtype=bool), none]))
    return Attributions((scores[:1] - scores[1:-1]).T, scores[-1], scores[0], "one unit left out at a time")


def context(value: ValueFunction, units: int) -> Attributions:
    """How much of each token's score is due to the source, and how much to what was already written.

    Shapley values of a game of two players, the source and the beginning of the output. A missing source has all its
    units removed; a missing beginning keeps its length, but every token of it reads as the zero vector. With two players
    the Shapley value is the mean of what a player adds alone and what it adds to the other.

    Returns:
        values ``(outputs, 2)``: the source, and what was written.
    """
    masked = value.removal(all_and_none(units))
    value.evaluations += 2 * len(masked.ids)
    shown, hidden = (
        value.score(masked.ids, masked.copy_ids, hide_written=hide).reshape(2, value.removal.repeats, -1).mean(1)
        for hide in (False, True)
    )
    both, written, source, neither = shown[0], shown[1], hidden[0], hidden[1]
    parts = [(source - neither + both - written) / 2, (written - neither + both - source) / 2]
    return Attributions(np.stack(parts, 1), neither, both, "Shapley values of two players")
