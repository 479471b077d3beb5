"""What an output tells about whether it is right, as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbtextgen.confidence.training_statistics import TrainingStatistics
from nbtextgen.tokenizers.base import UNK

NAMES = (
    "log-odds of the output",
    "log-probability of the output",
    "mean log-probability of a token",
    "log-odds of the least likely token",
    "log-probability of the second least likely token",
    "doubtful tokens",
    "log-probability of the end",
    "length of the output",
    "length of the output to that of the source",
    "unknown tokens of the source",
    "unseen n-grams of the source",
    "rarest n-gram of the source",
    "unseen n-grams of the output",
    "rarest n-gram of the output",
    "frequency of the n-grams of the output",
    "least attended source token",
    "source tokens that are hardly attended to",
    "sharpness of the attention",
    "distance to the next candidate",
    "cut at the longest length",
)
"""The features, in their order."""
DOUBTFUL = np.log(0.9)
"""Log-probability below which a token counts as doubtful."""
HARDLY = 0.2
"""Sum of attention weights below which a source token counts as hardly attended to."""
CERTAIN = -1e-7
"""Largest log-probability: probabilities of 32-bit floats are not closer to one."""


@dataclass(frozen=True, eq=False)
class Observation:
    """An output as a search leaves it.

    Attributes:
        source_ids, target_ids: token ids, without begin and end.
        log_probabilities: of each token and of the end, ``(target tokens + 1,)``.
        attention: ``(target tokens, source tokens)``, or ``None``.
        next_candidate: log-probability of the next candidate of an n-best list, or ``None``.
        ended: whether it ended by itself.
    """

    source_ids: Sequence[int]
    target_ids: Sequence[int]
    log_probabilities: NDArray[np.float32]
    attention: NDArray[np.float32] | None
    next_candidate: float | None
    ended: bool


def features(observation: Observation, statistics: TrainingStatistics) -> NDArray[np.float64]:
    """The features of an output, ``(len(NAMES),)``; without attention or other candidates theirs are 0."""
    logs = np.minimum(observation.log_probabilities.astype(np.float64), CERTAIN)
    least = np.partition(logs, min(1, len(logs) - 1))
    total, written, read = logs.sum(), len(observation.target_ids), len(observation.source_ids)
    source = statistics.source.rarity(observation.source_ids)
    target = statistics.target.rarity(observation.target_ids)
    following = observation.next_candidate
    return np.array(
        [
            log_odds(total),
            total,
            total / len(logs),
            log_odds(least[0]),
            least[min(1, len(logs) - 1)],
            np.log1p((logs < DOUBTFUL).sum()),
            logs[-1],
            np.log1p(written),
            np.log((written + 1) / (read + 1)),
            np.log1p(sum(token == UNK for token in observation.source_ids)),
            np.log1p((source == 0).sum()),
            source.min(),
            np.log1p((target == 0).sum()),
            target.min(),
            target.mean(),
            *_attended(observation.attention),
            0.0 if following is None else min(10.0, total - following),
            float(not observation.ended),
        ]
    )


def _attended(attention: NDArray[np.float32] | None) -> tuple[float, float, float]:
    """The least attended source token, log of one plus the number of hardly attended ones, and mean of the largest weights."""
    if attention is None or not attention.size:
        return 0.0, 0.0, 0.0
    coverage = attention.sum(0)
    return float(coverage.min()), float(np.log1p((coverage < HARDLY).sum())), float(attention.max(1).mean())


def log_odds(log_probability: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """``log(p / (1 - p))`` of natural logarithms of probabilities."""
    bounded = np.minimum(log_probability, CERTAIN)
    return np.asarray(bounded - np.log(-np.expm1(bounded)), np.float64)
