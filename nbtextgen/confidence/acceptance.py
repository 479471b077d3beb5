"""Which outputs may be accepted unread: a threshold on the confidence whose precision is a promise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
"""Probability that a promise holds, over the draw of the held-out pairs."""
STARTS = 4
"""Thresholds that a share of the error probability is given to; see ``safe_threshold``."""
LEAST_START = 8
"""Fewest accepted outputs that are tested."""
EXACT = (0.8, 0.9, 0.95, 0.975, 0.98, 0.99, 0.995, 0.999)
"""Precisions for which tests begin at the fewest outputs that could pass; for others, at up to twice as many."""


def lower_bound(right: int, count: int, error: float) -> float:
    """Lower confidence bound of a proportion (Clopper and Pearson 1934): it exceeds the truth with at most ``error``.

    The bound is the proportion under which ``right`` or more of ``count`` have exactly this probability.
    """
    if right == 0 or count == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(right, count, middle) < error else (low, middle)
    return low


def tail(right: int, count: int, proportion: float) -> float:
    """Probability of ``right`` or more successes in ``count`` draws."""
    if proportion <= 0:
        return float(right <= 0)
    if proportion >= 1:
        return 1.0
    wrong = np.arange(count - right + 1)
    logs = _log_choose(count, wrong) + wrong * math.log1p(-proportion) + (count - wrong) * math.log(proportion)
    return float(min(1.0, np.exp(logs).sum()))


def _log_choose(count: int, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Logarithm of the binomial coefficients, for ``chosen`` from 0 on."""
    steps = np.log((count - chosen[1:] + 1) / chosen[1:])
    return np.concatenate([[0.0], np.cumsum(steps)])


def least_count(precision: float, error: float = 1 - CONFIDENCE) -> int:
    """Outputs that must all be right to promise a precision."""
    return math.ceil(math.log(error) / math.log(precision))


@dataclass(frozen=True)
class _Schedule:
    """Where the tests begin for every precision up to ``highest`` that no stricter schedule is for.

    Attributes:
        highest: a precision.
        starts: numbers of accepted outputs that each get an equal share of the error probability.
    """

    highest: float
    starts: tuple[int, ...]


def safe_threshold(
    scores: NDArray[np.float64], right: NDArray[np.bool_], precision: float, error: float = 1 - CONFIDENCE
) -> float | None:
    """The lowest threshold for which the precision of the outputs at or above it is at least ``precision``.

    The promise holds with probability ``1 - error``. Thresholds are hypotheses "the precision is too low", tested by the
    binomial tail and ordered from strict to lenient (learn then test, Angelopoulos et al. 2021). The fallback procedure
    (Wiens 2003) bounds the probability of any false promise: a few starting points share the error probability; a test that
    rejects hands its share on to the next, one that does not loses it.

    A higher precision never accepts more. Where two precisions have the same starting points, that follows from the tails. So
    a threshold is only looked for among those that the highest precision of every more lenient schedule rejects as well;
    taking a stricter one of the rejected hypotheses costs nothing of the error probability.

    Args:
        scores: of held-out outputs, ``(outputs,)``; none was used to fit its own score.
        right: whether each is right.
        precision: the share of right outputs to promise, in (0, 1).

    Returns:
        the threshold, or ``None`` if no threshold can promise it.
    """
    if not len(scores):
        return None
    order = np.argsort(-scores, kind="stable")
    sorted_scores, wrong = scores[order], np.cumsum(~right[order], dtype=np.int64)
    # A threshold accepts all outputs with its score.
    ends = np.flatnonzero(np.append(sorted_scores[1:] < sorted_scores[:-1], True))
    last: int | None = int(ends[-1])
    for schedule in _schedules(len(scores), error):
        last = _last_rejected(ends, wrong, last, schedule, min(precision, schedule.highest), error)
        if last is None:
            return None
        if precision <= schedule.highest:
            return float(sorted_scores[last])
    return None


def _schedules(outputs: int, error: float) -> list[_Schedule]:
    """The schedules for so many held-out outputs, the most lenient first.

    Tests begin at the fewest outputs that could pass if all were right, at twice as many, and so on: at ``STARTS`` points, or
    at fewer where there are not so many outputs.
    """
    schedules, highest = list[_Schedule](), 0.0
    for count in range(STARTS, 0, -1):
        firsts = {LEAST_START << level for level in range(outputs.bit_length())} | {outputs}
        firsts |= {least_count(precision, error / count) for precision in EXACT}
        for first in sorted(firsts):
            possible = (error / count) ** (1 / first)
            if first << (count - 1) <= outputs and possible > highest:
                highest = possible * (1 - 1e-12)  # which so many outputs can pass in spite of rounding
                schedules.append(_Schedule(highest, tuple(first << level for level in range(count))))
    return schedules


def _last_rejected(
    ends: NDArray[np.int64],
    wrong: NDArray[np.int64],
    last: int,
    schedule: _Schedule,
    precision: float,
    error: float,
) -> int | None:
    """The most lenient threshold up to ``last`` whose hypothesis is rejected, as the index of its last output."""
    starts = {end for end in (_at_least(ends, count) for count in schedule.starts) if end is not None}
    share, budget, rejected = error / max(1, len(starts)), 0.0, None
    for end in ends[np.searchsorted(ends, min(starts, default=last + 1)) :].tolist():
        # Between the starts, steps of a fiftieth keep the sequence short and change the threshold little.
        if end > last or not (end in starts or end == ends[-1] or _is_stop(end + 1)):
            continue
        budget += share if end in starts else 0.0
        if budget and tail(end + 1 - int(wrong[end]), end + 1, precision) <= budget:
            rejected = end
        else:
            budget = 0.0
    return rejected


def _at_least(ends: NDArray[np.int64], count: int) -> int | None:
    """The first end at which at least ``count`` outputs are accepted."""
    index = int(np.searchsorted(ends, count - 1))
    return int(ends[index]) if index < len(ends) else None


def _is_stop(count: int) -> bool:
    """Whether a threshold that accepts ``count`` outputs is tested: every output up to 50, then ever fewer."""
    return count % max(1, 1 << max(0, count.bit_length() - 6)) == 0
