"""``Hypothesis``: one output of a search, and what its score is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_KEPT_ATTENTION = 1 << 26
"""Attention weights that one search keeps for all its unfinished outputs: 256 MB. A source of 50,000 tokens would otherwise
need 10 GB for an output of its own length."""


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One output for one source.

    Attributes:
        ids: token ids, without begin and end tokens.
        log_probabilities: of each token, and of the end token.
        attention: ``(len(log_probabilities), source_length)``, or ``None`` if it took too much memory.
        score: hypotheses are ranked by it; higher is better.
        ended: whether it ended before the length limit forced the end token.
        rivals: log-probability of the likeliest other token at each of them, of those that the rules allow; ``None`` after
            beam search, which does not say it.
    """

    ids: list[int]
    log_probabilities: NDArray[np.float32]
    attention: NDArray[np.float32] | None
    score: float
    ended: bool
    rivals: NDArray[np.float32] | None = None


def uncovered(received: NDArray[np.float32]) -> float:
    """Return the coverage penalty without its factor: the sum of log(min(attention received, 1)) (Wu et al. 2016, eq. 14).

    ``received (source_length,)`` is what each source token received of all steps. The penalty is never positive; it is zero for a
    model without attention.
    """
    if not received.any():
        return 0.0
    return float(np.log(received.clip(1e-10, 1.0)).sum())


def length_norm(length: int, alpha: float) -> float:
    """Return the divisor of a sum of log-probabilities; ``length`` includes the end token."""
    return float(max(1, length)) ** alpha
