"""How good outputs are, with bootstrap confidence intervals (Koehn 2004)."""

from __future__ import annotations

import html
import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nbtextgen.core.errors import DataError, OptionError, nearest
from nbtextgen.core.optional_imports import optional_import

References = Sequence["str | list[str]"]
Statistics = np.ndarray
"""Sufficient statistics, one row per sentence; a corpus figure is a function of their sum."""

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
"""The metrics there are; all run from 0 to 100 (error rates may pass it).

``word-error-rate`` is the share of whole outputs that are wrong, as in grapheme-to-phoneme work: 100 - ``exact``.
"""
GROUPS = {"rouge": ("rouge1", "rouge2", "rougeL")}
"""Names that stand for several metrics in ``measure``."""


@dataclass(frozen=True)
class Score:
    """A figure with its confidence interval.

    Attributes:
        value: the figure over all sentences.
        low, high: ends of its interval.
        higher_is_better: False for error rates and TER.
        count: number of sentences measured.
        confidence: share of resamples inside the interval.
    """

    value: float
    low: float
    high: float
    higher_is_better: bool
    count: int = 0
    confidence: float = 0.95


class Scores(dict[str, Score]):
    """Figures by name; shows itself as a small table."""

    def __repr__(self) -> str:
        rows = [f"{name:<22}{one.value:7.2f}  [{one.low:.2f}, {one.high:.2f}]" for name, one in self.items()]
        return "\n".join([f"{'metric':<22}{'value':>7}  {self._interval()}", *rows])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        cells = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{one.value:.2f}</td><td>[{one.low:.2f}, {one.high:.2f}]</td></tr>"
            for name, one in self.items()
        )
        head = f"<tr><th>metric</th><th>value</th><th>{self._interval()}</th></tr>"
        return {"text/plain": repr(self), "text/html": f"<table>{head}{cells}</table>"}

    def _interval(self) -> str:
        share = next((one.confidence for one in self.values()), 0.95)
        return f"{100 * share:g} % interval"


def score(name: str, references: References, outputs: Sequence[str]) -> float:
    """One figure, without its interval."""
    statistics, combine = _prepare(name, references, outputs)
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
        DataError: when the lists are empty or of different lengths.
        OptionError: for an unknown metric, or a confidence or number of resamples out of range.
    """
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must be a number between 0 and 1, both excluded (got {confidence}).")
    if resamples < 1:
        raise OptionError(f"resamples must be a whole number of at least 1 (got {resamples}).")
    asked = [metrics] if isinstance(metrics, str) else metrics
    count = len(outputs)
    found = Scores()
    for name in dict.fromkeys(one for group in asked for one in GROUPS.get(group, (group,))):
        statistics, combine = _prepare(name, references, outputs)
        sampled = [combine(total) for total in _resampled(statistics, resamples, seed)]
        tail = 50 * (1 - confidence)
        low, high = np.percentile(sampled, [tail, 100 - tail])
        value = combine(statistics.sum(0))
        found[name] = Score(value, float(low), float(high), HIGHER_IS_BETTER[name], count, confidence)
    return found


def perplexity(log_probability: float, tokens: int) -> float:
    """Perplexity: exp of the mean negative log-probability of a token.

    Args:
        log_probability: sum of natural logarithms over all tokens.
        tokens: how many tokens were summed.

    Raises:
        DataError: when there are no tokens, or the sum is above zero and so no log-probability.
    """
    if tokens < 1:
        raise DataError(f"Perplexity needs at least one token (got {tokens}); give it some text.")
    if not log_probability <= 0:
        raise DataError(f"A sum of log-probabilities is at most 0 (got {log_probability}); give natural logarithms.")
    mean = -log_probability / tokens
    return math.exp(mean) if mean < 700 else math.inf


class Errors(list[dict[str, object]]):
    """Rows of source, reference, output, edits and rate, worst first."""

    def frame(self) -> object:
        """The rows as a pandas ``DataFrame``.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        return pandas.DataFrame(list(self), columns=["source", "reference", "output", "edits", "rate"])


def errors(sources: Sequence[str], references: References, outputs: Sequence[str], limit: int = 50) -> Errors:
    """The worst outputs first, by characters wrong for each character of the nearest acceptable text.

    Args:
        sources: what each output was generated from.
        references: the right text of each output, or a list of acceptable ones.
        outputs: what was generated; right ones are not listed.
        limit: most rows to give.

    Raises:
        DataError: when the lists are of different lengths, or a reference is an empty list.
    """
    _check_lengths(references, outputs)
    if len(sources) != len(outputs):
        raise DataError(f"There are {len(sources):,} sources but {len(outputs):,} outputs; they must match.")
    rows: list[tuple[float, str, dict[str, object]]] = []
    for source, reference, output in zip(sources, references, outputs, strict=True):
        closest, edits, length = _closest(reference, output, list)
        if edits:
            rate = edits / max(1, length)
            row = {"source": source, "reference": closest, "output": output, "edits": edits, "rate": rate}
            rows.append((-rate, source, row))
    return Errors(row for _, _, row in sorted(rows, key=lambda entry: entry[:2])[:limit])


def _resampled(statistics: Statistics, resamples: int, seed: int) -> Statistics:
    """Sums of statistics over sentences drawn with replacement, ``(resamples, columns)`` (Koehn 2004, sec. 3)."""
    generator = np.random.default_rng(seed)  # the same draws for every metric
    count = len(statistics)
    shares = np.full(count, 1 / count)
    return np.stack([generator.multinomial(count, shares) @ statistics for _ in range(resamples)])


def _check_lengths(references: References, outputs: Sequence[str]) -> None:
    if len(references) != len(outputs):
        raise DataError(f"There are {len(references):,} references but {len(outputs):,} outputs; they must match.")
    for at, reference in enumerate(references):
        if not isinstance(reference, str) and not reference:
            raise DataError(f"Reference {at + 1:,} is an empty list; give at least one acceptable text.")


def _prepare(
    name: str, references: References, outputs: Sequence[str]
) -> tuple[Statistics, Callable[[Statistics], float]]:
    if name not in HIGHER_IS_BETTER:
        known = ", ".join(HIGHER_IS_BETTER)
        raise OptionError(f"There is no metric '{name}' (there are {known}).{nearest(name, HIGHER_IS_BETTER)}")
    _check_lengths(references, outputs)
    if not len(outputs):
        raise DataError("There is nothing to measure: the list of outputs is empty; give at least one.")
    if name in ("bleu", "chrf", "ter"):
        return _sacrebleu(name, references, outputs)
    if name.startswith("rouge"):
        rows = [_rouge(name, reference, output) for reference, output in zip(references, outputs, strict=True)]
    elif name in ("exact", "word-error-rate"):
        wanted = name == "exact"
        rows = [
            (float((output in _all(reference)) == wanted), 1.0)
            for reference, output in zip(references, outputs, strict=True)
        ]
    else:
        cut = str.split if name == "error-rate" else list
        rows = [_closest(reference, output, cut)[1:] for reference, output in zip(references, outputs, strict=True)]
    return np.array(rows, dtype=float), lambda total: 100 * float(total[0]) / max(1.0, float(total[1]))


def _all(reference: str | list[str]) -> list[str]:
    return [reference] if isinstance(reference, str) else reference


def _closest(reference: str | list[str], output: str, cut: Callable[[str], list[str]]) -> tuple[str, int, int]:
    """The acceptable text with the fewest edits (Levenshtein 1966), those edits, and its length in units."""
    with optional_import("This metric", "rapidfuzz"):
        from rapidfuzz.distance import Levenshtein
    written = cut(output)
    edits, text = min((Levenshtein.distance(cut(one), written), one) for one in _all(reference))
    return text, edits, len(cut(text))


def _rouge(name: str, reference: str | list[str], output: str) -> tuple[float, float]:
    """F1 of n-gram overlap, or of the longest common subsequence (Lin 2004, sec. 2 and 3); the best reference counts."""
    written = _words(output)
    return max(_rouge_one(name, _words(one), written) for one in _all(reference)), 1.0


def _words(text: str) -> list[str]:
    """Lower-cased runs of letters, digits and combining marks: rouge-score's words in ASCII, and right beyond it."""
    # Category M: Devanagari vowel signs and the like belong to their word.
    kept = (c if c.isalnum() or unicodedata.category(c).startswith("M") else " " for c in text.lower())
    return "".join(kept).split()


def _rouge_one(name: str, right: list[str], written: list[str]) -> float:
    if name == "rougeL":
        with optional_import("This metric", "rapidfuzz"):
            from rapidfuzz.distance import LCSseq
        shared, first, second = LCSseq.similarity(right, written), len(right), len(written)
    else:
        size = int(name[-1])
        grams = [Counter(zip(*(words[at:] for at in range(size)), strict=False)) for words in (right, written)]
        shared, first, second = (grams[0] & grams[1]).total(), grams[0].total(), grams[1].total()
    return 2 * shared / (first + second) if first + second else 0.0


def _sacrebleu(
    name: str, references: References, outputs: Sequence[str]
) -> tuple[Statistics, Callable[[Statistics], float]]:
    """BLEU (Papineni et al. 2002), chrF (Popovic 2015) and TER (Snover et al. 2006) with sacrebleu's defaults (Post 2018)."""
    with optional_import("This metric", "sacrebleu"):
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
        from sacrebleu.metrics.ter import TER
    metric = {"bleu": BLEU, "chrf": CHRF, "ter": TER}[name]()
    most = max(len(_all(reference)) for reference in references)
    columns = [[_all(one)[at] if at < len(_all(one)) else None for one in references] for at in range(most)]
    raw = metric._extract_corpus_statistics(list(outputs), columns)  # the public calls give no per-sentence statistics
    return np.array(raw, dtype=float), lambda total: float(metric._compute_score_from_stats(total.tolist()).score)
