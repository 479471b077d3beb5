"""How much of each token's score is due to the source, and how much to what was already written."""

from __future__ import annotations

import numpy as np

from nbtextgen.explanation.shapley import Shapley
from nbtextgen.explanation.value import ValueFunction, all_and_none

PARTS = ("the source", "what was written")


def context(value: ValueFunction, units: int) -> Shapley:
    """Shapley values of a game of two players, the source and the beginning of the output.

    A missing source has all its units removed; a missing beginning keeps its length, but every token of it reads as the
    zero vector. With two players the Shapley value is the mean of what one adds alone and what it adds to the other.

    Returns:
        values ``(outputs, 2)``: the source, and what was written.
    """
    masked = value.removal(all_and_none(units))
    seen, hidden = (
        value.score(masked.ids, masked.copy_ids, hide_written=hide).reshape(2, value.removal.repeats, -1).mean(1)
        for hide in (False, True)
    )
    both, written, source, neither = seen[0], seen[1], hidden[0], hidden[1]
    parts = [(source - neither + both - written) / 2, (written - neither + both - source) / 2]
    return Shapley(np.stack(parts, 1), neither, both)
