"""Metrics by name, with bootstrap confidence intervals (Koehn 2004)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nbtextgen.core.errors import DataError, OptionError, nearest
from nbtextgen.evaluation.corpus_metrics import rouge, sacrebleu_statistics
from nbtextgen.evaluation.error_rates import exact_match, nearest_reference
from nbtextgen.evaluation.references import Combine, References, Statistics, check_lengths, mean
from nbtextgen.evaluation.scores import Score, Scores

HIGHER_IS_BETTER = {
    "exact": True,
    "word-error-rate": False,
    "bleu": True,
    "chrf": True,
    "ter": False,
    "rouge1": True,
    "rouge2": True,
    "rougeL": True,
    "error-rate": False,
    "character-error-rate": False,
}
"""All metrics; figures run from 0 to 100 (error rates may exceed it).

``word-error-rate`` is the share of wrong outputs, as in grapheme-to-phoneme work: 100 - ``exact``.
"""
GROUPS = {"rouge": ("rouge1", "rouge2", "rougeL")}
"""Names that stand for several metrics in ``measure``."""


def score(name: str, references: References, outputs: Sequence[str]) -> float:
    """One figure, without its interval."""
    statistics, combine = _statistics(name, references, outputs)
    return combine(statistics.sum(0))


def measure(
    references: References,
    outputs: Sequence[str],
    metrics: Sequence[str] = ("exact",),
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 1,
) -> Scores:
    """Figures with percentile bootstrap intervals over sentences.

    Args:
        references: the right text of each output, or a list of acceptable ones.
        outputs: what was generated.
        metrics: names from ``HIGHER_IS_BETTER`` or ``GROUPS``; ``error-rate`` counts tokens separated by spaces.
        confidence: share of resamples inside the interval, between 0 and 1.
        resamples: how often the sentences are drawn again, with replacement.
        seed: makes the intervals repeatable.

    Raises:
        DataError: if the lists are empty or of different lengths.
        OptionError: for an unknown metric, or a confidence or number of resamples out of range.
    """
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must be a number between 0 and 1, both excluded (got {confidence}).")
    if resamples < 1:
        raise OptionError(f"resamples must be a whole number of at least 1 (got {resamples}).")
    groups = [metrics] if isinstance(metrics, str) else metrics
    scores = Scores()
    for name in dict.fromkeys(name for group in groups for name in GROUPS.get(group, (group,))):
        statistics, combine = _statistics(name, references, outputs)
        tail = 50 * (1 - confidence)
        figures = [combine(total) for total in _resampled(statistics, resamples, seed)]
        low, high = np.percentile(figures, [tail, 100 - tail])
        figure = combine(statistics.sum(0))
        scores[name] = Score(figure, float(low), float(high), HIGHER_IS_BETTER[name], len(outputs), confidence)
    return scores


def _resampled(statistics: Statistics, resamples: int, seed: int) -> Statistics:
    """Sums of statistics over sentences drawn with replacement, ``(resamples, columns)`` (Koehn 2004, sec. 3)."""
    generator = np.random.default_rng(seed)  # the same draws for every metric
    count = len(statistics)
    shares = np.full(count, 1 / count)
    return np.stack([generator.multinomial(count, shares) @ statistics for _ in range(resamples)])


def _statistics(name: str, references: References, outputs: Sequence[str]) -> tuple[Statistics, Combine]:
    """Statistics of every sentence, and the function that turns their sum into the figure."""
    if name not in HIGHER_IS_BETTER:
        names = ", ".join(HIGHER_IS_BETTER)
        raise OptionError(f"There is no metric '{name}' (there are {names}).{nearest(name, HIGHER_IS_BETTER)}")
    check_lengths(references, outputs)
    if not outputs:
        raise DataError("There is nothing to measure: the list of outputs is empty; give at least one.")
    if name in ("bleu", "chrf", "ter"):
        return sacrebleu_statistics(name, references, outputs)
    rows = [_sentence_statistics(name, *row) for row in zip(references, outputs, strict=True)]
    return np.array(rows, dtype=float), mean


def _sentence_statistics(name: str, reference: str | list[str], output: str) -> tuple[float, float]:
    if name.startswith("rouge"):
        return rouge(name, reference, output)
    if name in ("exact", "word-error-rate"):
        right, count = exact_match(reference, output)
        return right if name == "exact" else count - right, count
    _, edits, length = nearest_reference(reference, output, str.split if name == "error-rate" else list)
    return edits, length
