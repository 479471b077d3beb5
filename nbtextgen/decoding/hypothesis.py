"""One output of a search, and how it is scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_KEPT_ATTENTION = 1 << 26
"""Attention weights that one search keeps, for all outputs that it is generating: 256 MB. A source of 50,000 tokens would
otherwise need 10 GB for an output as long as itself."""


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One output.

    Attributes:
        ids: token ids, without begin and end marks.
        log_probabilities: of each token, and of the end mark.
        attention: ``(len(log_probabilities), source_length)``, or ``None`` where it took too much memory to keep.
        score: what ranks it; higher is better.
        ended: whether it ended before the length limit forced the end mark.
    """

    ids: list[int]
    log_probabilities: NDArray[np.float32]
    attention: NDArray[np.float32] | None
    score: float
    ended: bool


def length_norm(length: int, alpha: float) -> float:
    """What a sum of log-probabilities is divided by; ``length`` counts the end mark."""
    return float(max(1, length)) ** alpha
