"""The arrays that methods work on, and what every method returns: ``Attributions``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
"""Token ids."""
Values = NDArray[np.float64]
"""Log-probabilities or attributions, in nats unless stated."""
Coalitions = NDArray[np.bool_]
"""Which units are present, ``(coalitions, units)``."""
ScoreFunction = Callable[[Coalitions], Values]
"""Scores coalitions: ``(coalitions, units)`` to ``(coalitions, outputs)``."""


@dataclass(frozen=True, eq=False)
class Attributions:
    """Attributions of every output token to every unit, by one method.

    Attributes:
        values: ``(outputs, units)``.
        base: what the values add up from, ``(outputs,)``: v(none); for LIME its intercept, for attention 0.
        full: v(all), ``(outputs,)``.
        algorithm: how the values were computed, in words.
        standard_errors: of sampled values, ``(outputs, units)``; ``None`` if the values are exact.
        rounds: pairs of permutations drawn; 0 if none were.
        r_squared: fit of a LIME surrogate, ``(outputs,)``, or ``None``.
        convergence_delta: of integrated gradients, ``(outputs,)``, or ``None``.
        heads: weights of each attention head, ``(heads, outputs, units)``, or ``None``.
    """

    values: Values
    base: Values
    full: Values
    algorithm: str = ""
    standard_errors: Values | None = None
    rounds: int = 0
    r_squared: Values | None = None
    convergence_delta: Values | None = None
    heads: Values | None = None
