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
    "mean probability of other tokens",
    "log-probability of the least likely three neighbours",
    "probabilities of the rivals",
    "distance to the nearest rival",
    "log-odds of the output by a second network",
    "mean log-probability of a token by a second network",
    "how much less likely a token is by a second network",
)
"""The features, in their order."""
DOUBTFUL = np.log(0.9)
"""Log-probability below which a token counts as doubtful."""
HARDLY = 0.2
"""Sum of attention weights below which a source token counts as hardly attended to."""
CERTAIN = -1e-7
"""Largest log-probability: probabilities of 32-bit floats are not closer to one."""


RIVAL_SHARE = 0.7
"""Share of the rest of the probability that the likeliest other token has, where a search does not say it."""
IMPROBABLE = -20.0
"""Smallest log-probability of a rival."""
FAR = 10.0
"""Largest distance of log-probabilities."""


@dataclass(frozen=True, eq=False)
class Observation:
    """An output as a search leaves it.

    Attributes:
        source_ids, target_ids: token ids, without begin and end.
        log_probabilities: of each token and of the end, ``(target tokens + 1,)``.
        attention: ``(target tokens, source tokens)``, or ``None``.
        next_candidate: log-probability of the next candidate of an n-best list, or ``None``.
        ended: whether it ended by itself.
        rivals: log-probability of the likeliest other token at each token and the end, like ``log_probabilities``, or ``None``.
        second: log-probability of the output and its end by a second network, or ``None`` without one.
    """

    source_ids: Sequence[int]
    target_ids: Sequence[int]
    log_probabilities: NDArray[np.float32]
    attention: NDArray[np.float32] | None
    next_candidate: float | None
    ended: bool
    rivals: NDArray[np.float32] | None = None
    second: float | None = None


def features(observations: Sequence[Observation], statistics: TrainingStatistics) -> NDArray[np.float64]:
    """The features of outputs, ``(outputs, len(NAMES))``; without attention, other candidates or a second network theirs are 0."""
    written = np.array([len(each.target_ids) for each in observations])
    read = np.array([len(each.source_ids) for each in observations])
    logs = np.full((len(observations), int(written.max(initial=0)) + 2), np.inf)  # the last column stays infinite
    for row, each in zip(logs, observations, strict=True):
        row[: len(each.log_probabilities)] = np.minimum(each.log_probabilities, CERTAIN)
    steps = np.isfinite(logs)
    least = np.partition(logs, 1, axis=1)
    total, count = np.where(steps, logs, 0.0).sum(1), steps.sum(1)
    unknown = [sum(token == UNK for token in each.source_ids) for each in observations]
    source = statistics.source.summaries([each.source_ids for each in observations])
    target = statistics.target.summaries([each.target_ids for each in observations])
    candidates = [np.nan if each.next_candidate is None else each.next_candidate for each in observations]
    runs = -np.where(steps, logs, 0.0)
    runs[:, 1:-1] += runs[:, :-2] + runs[:, 2:]
    return np.column_stack(
        [
            log_odds(total),
            total,
            total / count,
            log_odds(least[:, 0]),
            np.where(np.isfinite(least[:, 1]), least[:, 1], least[:, 0]),
            np.log1p((logs < DOUBTFUL).sum(1)),
            logs[np.arange(len(logs)), count - 1],
            np.log1p(written),
            np.log((written + 1) / (read + 1)),
            np.log1p(unknown),
            np.log1p(source[:, 0]),
            source[:, 1],
            np.log1p(target[:, 0]),
            target[:, 1],
            target[:, 2],
            np.array([_attended(each.attention) for each in observations]).reshape(len(observations), 3),
            np.nan_to_num(np.minimum(FAR, total - candidates)),
            [float(not each.ended) for each in observations],
            -np.where(steps, np.expm1(np.where(steps, logs, 0.0)), 0.0).sum(1) / count,
            -runs.max(1),
            *_rivals(logs, steps, observations),
            *_by_second_network(total, count, observations),
        ]
    )


def _by_second_network(
    total: NDArray[np.float64], count: NDArray[np.int64], observations: Sequence[Observation]
) -> list[NDArray[np.float64]]:
    """What a second network says of each output, ``(outputs,)`` each.

    Networks from other seeds disagree about wrong outputs (Lakshminarayanan et al. 2017), and so do the weights of earlier updates
    of one training (Rabanser et al. 2022, "Selective classification via neural network training dynamics").
    """
    second = np.array([np.nan if each.second is None else min(each.second, CERTAIN) for each in observations])
    values = (log_odds(second), second / count, (total - second) / count)
    return [np.nan_to_num(each) for each in values]


def _rivals(
    logs: NDArray[np.float64], steps: NDArray[np.bool_], observations: Sequence[Observation]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The sum of the probabilities of the likeliest other tokens, and the least distance of a token to its own, ``(outputs,)``.

    ``logs`` and ``steps`` are ``(outputs, longest)``.
    """
    rivals = np.log(RIVAL_SHARE) + np.log(-np.expm1(np.where(steps, logs, -1.0)))
    for row, each in zip(rivals, observations, strict=True):
        if each.rivals is not None:
            row[: len(each.rivals)] = each.rivals
    rivals = np.maximum(rivals, IMPROBABLE)
    return np.where(steps, np.exp(rivals), 0.0).sum(1), np.where(steps, np.minimum(FAR, logs - rivals), FAR).min(1)


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
