"""Metrics by name, with bootstrap confidence intervals (Koehn 2004)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from nbtextgen.core.errors import DataError, OptionError, nearest
from nbtextgen.core.options import open_share, whole_number
from nbtextgen.core.own_metrics import PREFIX, OwnMetric, is_own_metric, own_metric, register_metric
from nbtextgen.core.wording import as_given
from nbtextgen.evaluation import error_rates
from nbtextgen.evaluation.corpus_metrics import TOKENIZERS, bleu, chrf, rouge, ter
from nbtextgen.evaluation.references import SHARE, Measurement, References, Statistics, acceptable, check_lengths
from nbtextgen.evaluation.scores import Score, Scores


@dataclass(frozen=True)
class Metric:
    """A metric that can be computed.

    Attributes:
        measure: counts what the metric needs in references and outputs.
        higher_is_better: False for error rates.
    """

    measure: Callable[[References, Sequence[str]], Measurement]
    higher_is_better: bool


METRICS = {
    "exact": Metric(error_rates.exact, True),
    "word-error-rate": Metric(error_rates.wrong, False),
    "bleu": Metric(bleu, True),
    "chrf": Metric(chrf, True),
    "ter": Metric(ter, False),
    "rouge1": Metric(partial(rouge, "rouge1"), True),
    "rouge2": Metric(partial(rouge, "rouge2"), True),
    "rougeL": Metric(partial(rouge, "rougeL"), True),
    "error-rate": Metric(error_rates.token_errors, False),
    "character-error-rate": Metric(error_rates.character_errors, False),
}
"""All metrics; figures run from 0 to 100 (error rates may exceed it).

``word-error-rate`` is the share of wrong outputs, as in grapheme-to-phoneme work: 100 - ``exact``.
"""
HIGHER_IS_BETTER = {name: metric.higher_is_better for name, metric in METRICS.items()}
OTHER_NAMES = {
    "accuracy": "exact",
    "em": "exact",
    "exact-match": "exact",
    "wer": "word-error-rate",
    "per": "error-rate",
    "cer": "character-error-rate",
}
"""What others call some metrics."""
GROUPS = {"rouge": ("rouge1", "rouge2", "rougeL")}
"""Names that stand for several metrics in ``measure``."""
Metrics = str | OwnMetric | Mapping[str, Metric] | Iterable[str | OwnMetric]
"""Names of metrics, functions of a reference and an output, or what ``find_metrics`` found."""


def find_metrics(metrics: Metrics) -> dict[str, Metric]:
    """The metrics by name, each once.

    Args:
        metrics: names from ``METRICS`` or ``GROUPS``, ``bleu:`` and a tokenizer of sacrebleu (``bleu:zh``), or functions of a
            reference and an output.

    Raises:
        OptionError: for an unknown metric or tokenizer; names the nearest.
    """
    if isinstance(metrics, Mapping):
        if not all(isinstance(metric, Metric) for metric in cast("Mapping[str, object]", metrics).values()):
            raise OptionError("Metrics are given as a list of names and functions, not as a dictionary.")
        return dict(cast("Mapping[str, Metric]", metrics))
    names = metrics.replace(" ", "").split(",") if isinstance(metrics, str) else metrics
    several = [names] if callable(names) else names
    if not hasattr(type(several), "__iter__") or isinstance(several, bytes):
        raise OptionError(f"Metrics are given as a list of names and functions (got {as_given(metrics)}).")
    chosen, functions = dict[str, Metric](), dict[str, OwnMetric]()
    for metric in several:
        names = GROUPS.get(metric, (metric,)) if isinstance(metric, str) else (register_metric(metric),)
        for name in names:
            shown = name.removeprefix(PREFIX)
            function = own_metric(name) if is_own_metric(name) else None
            if shown in chosen and function != functions.get(shown):
                raise OptionError(f"Two metrics are named '{shown}'; give one of the functions another name.")
            if function is not None:
                functions[shown] = function
            chosen[shown] = _find(name)
    if not chosen:
        raise OptionError("There is no metric to compute; name at least one.")
    return chosen


def _find(name: str) -> Metric:
    base, _, tokenizer = name.partition(":")
    if is_own_metric(name):
        function = own_metric(name)
        if function is None:
            own = name.removeprefix(PREFIX)
            raise OptionError(
                f"The metric '{own}' is a function that this process does not know; call "
                f"nbtextgen.register_metric({own}) first."
            )
        return Metric(partial(_own, function), getattr(function, "higher_is_better", True))
    if base == "bleu" and tokenizer:
        if tokenizer not in TOKENIZERS:
            raise OptionError(
                f"BLEU has no tokenizer '{tokenizer}' (there are {', '.join(TOKENIZERS)}).{nearest(tokenizer, TOKENIZERS)}"
            )
        return Metric(partial(bleu, tokenizer=tokenizer), True)
    if name not in METRICS:
        choices = [*METRICS, *GROUPS]
        meant = OTHER_NAMES.get(name.lower().replace("_", "-"))
        hint = f" Did you mean '{meant}'?" if meant else nearest(name, choices)
        raise OptionError(f"There is no metric '{name}' (there are {', '.join(choices)}).{hint}")
    return METRICS[name]


def higher_is_better(name: str) -> bool:
    """Whether higher figures of a metric are better."""
    return all(metric.higher_is_better for metric in find_metrics(name).values())


def score(name: str | OwnMetric, references: References, outputs: Sequence[str]) -> float:
    """One figure, without its interval."""
    [metric] = find_metrics(name).values()
    _check(references, outputs)
    return metric.measure(references, outputs).figure


def measure(
    references: References,
    outputs: Sequence[str],
    metrics: Metrics = ("exact",),
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 1,
) -> Scores:
    """Figures with percentile bootstrap intervals over sentences.

    If all outputs are right or none is, every resample is alike; a share of outputs then has the interval of Clopper & Pearson
    (1934): 500 right of 500 is [99.26, 100].

    Args:
        references: the right text of each output, or a list of acceptable ones.
        outputs: what was generated.
        metrics: as in ``find_metrics``.
        confidence: share of resamples inside the interval, between 0 and 1.
        resamples: how often the sentences are drawn again, with replacement.
        seed: makes the intervals repeatable.

    Raises:
        DataError: if the lists are empty or of different lengths.
        OptionError: for an unknown metric, or a confidence or number of resamples out of range.
    """
    confidence, resamples = open_share("confidence", confidence), whole_number("resamples", resamples, 1)
    chosen = find_metrics(metrics)
    _check(references, outputs)
    scores = Scores()
    for name, metric in chosen.items():
        measurement = metric.measure(references, outputs)
        scores.by_output[name] = _by_output(measurement)
        tail = 50 * (1 - confidence)
        low, high = np.percentile(
            measurement.combine(_resampled(measurement.statistics, resamples, seed)), [tail, 100 - tail]
        )
        if low == high and measurement.unit == SHARE:
            low, high = _all_or_none(low > 0, len(outputs), confidence)
        scores[name] = Score(
            measurement.figure,
            float(low),
            float(high),
            metric.higher_is_better,
            len(outputs),
            confidence,
            measurement.unit,
            measurement.signature,
            measurement.note,
        )
    return scores


def _resampled(statistics: Statistics, resamples: int, seed: int) -> Statistics:
    """Sums of statistics over sentences drawn with replacement, ``(resamples, columns)`` (Koehn 2004, sec. 3)."""
    generator = np.random.default_rng(seed)  # the same draws for every metric
    count = len(statistics)
    shares = np.full(count, 1 / count)
    return np.stack([generator.multinomial(count, shares) @ statistics for _ in range(resamples)])


def _all_or_none(are_all: bool, count: int, confidence: float) -> tuple[float, float]:
    """Interval of a percentage that is 100 or 0 in ``count`` outputs (Clopper & Pearson 1934)."""
    end = 100 * ((1 - confidence) / 2) ** (1 / count)
    return (end, 100.0) if are_all else (0.0, 100 - end)


def _by_output(measurement: Measurement) -> Statistics:
    """The figure of each output alone, ``(outputs,)``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(measurement.combine(measurement.statistics))


def _check(references: References, outputs: Sequence[str]) -> None:
    check_lengths(references, outputs)
    if not outputs:
        raise DataError("There is nothing to measure: the list of outputs is empty; give at least one.")


def _own(function: OwnMetric, references: References, outputs: Sequence[str]) -> Measurement:
    """A metric of the user: the mean of its values, the best one for several references."""
    best = max if getattr(function, "higher_is_better", True) else min
    name = getattr(function, "__name__", type(function).__name__)
    rows = list[tuple[float, float]]()
    for index, (reference, output) in enumerate(zip(references, outputs, strict=True), 1):
        try:
            values: list[Any] = [function(text, output) for text in acceptable(reference)]
        except Exception as error:
            error.add_note(f"in the metric '{name}', for output {index:,}")
            raise
        for value in values:
            if not _is_figure(value):
                raise OptionError(f"The metric '{name}' gave {value!r} for output {index:,}; it must give a number.")
        rows.append((float(best(values)), 1.0))
    return Measurement(np.array(rows), lambda totals: totals[:, 0] / totals[:, 1], "mean of your function")


def _is_figure(value: object) -> bool:
    """Whether what a metric of the user gave is a finite real number."""
    if isinstance(value, int):
        return abs(value) <= sys.float_info.max
    return isinstance(value, (float, np.integer, np.floating, np.bool_)) and bool(np.isfinite(cast("float", value)))
