"""How good outputs are, with bootstrap confidence intervals (Koehn 2004)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nbtextgen.errors import DataError, OptionError, nearest

References = Sequence["str | list[str]"]
Statistics = np.ndarray
"""Sufficient statistics, one row per sentence; a corpus figure is a function of their sum."""

HIGHER_IS_BETTER = {
    "exact": True,
    "bleu": True,
    "chrf": True,
    "ter": False,
    "rouge1": True,
    "rouge2": True,
    "rougeL": True,
    "error-rate": False,
    "character-error-rate": False,
}
"""The metrics there are; all run from 0 to 100 (error rates may pass it)."""


@dataclass(frozen=True)
class Score:
    """A figure with its confidence interval."""

    value: float
    low: float
    high: float
    higher_is_better: bool


class Scores(dict[str, Score]):
    """Figures by name; shows itself as a small table."""

    def __repr__(self) -> str:
        rows = [f"{name:<22}{one.value:7.2f}  [{one.low:.2f}, {one.high:.2f}]" for name, one in self.items()]
        return "\n".join([f"{'metric':<22}{'value':>7}  95 % interval", *rows])


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
        metrics: names from ``HIGHER_IS_BETTER``; ``error-rate`` counts tokens separated by spaces.
        confidence: share of resamples inside the interval.
        resamples: how often the sentences are drawn again, with replacement.
        seed: makes the intervals repeatable.

    Raises:
        DataError: when the lists are empty or of different lengths.
        OptionError: for an unknown metric.
    """
    rng = np.random.default_rng(seed)
    draws = [
        rng.multinomial(len(outputs), [1 / len(outputs)] * len(outputs)) for _ in range(resamples if outputs else 0)
    ]
    found = Scores()
    for name in metrics:
        statistics, combine = _prepare(name, references, outputs)
        sampled = [combine(draw @ statistics) for draw in draws]
        tail = 50 * (1 - confidence)
        low, high = np.percentile(sampled, [tail, 100 - tail])
        found[name] = Score(combine(statistics.sum(0)), float(low), float(high), HIGHER_IS_BETTER[name])
    return found


def errors(
    sources: Sequence[str], references: References, outputs: Sequence[str], limit: int = 50
) -> list[dict[str, object]]:
    """The worst outputs first: rows of source, reference, output and characters wrong (a frame: ``DataFrame(rows)``)."""
    rows = []
    for source, reference, output in zip(sources, references, outputs, strict=True):
        nearest_one, edits, length = _closest(reference, output, list)
        if edits:
            rows.append(
                {
                    "source": source,
                    "reference": nearest_one,
                    "output": output,
                    "edits": edits,
                    "rate": edits / max(1, length),
                }
            )
    return sorted(rows, key=lambda row: (-float(row["rate"]), str(row["source"])))[:limit]  # type: ignore[arg-type]


def _prepare(
    name: str, references: References, outputs: Sequence[str]
) -> tuple[Statistics, Callable[[Statistics], float]]:
    if name not in HIGHER_IS_BETTER:
        known = ", ".join(HIGHER_IS_BETTER)
        raise OptionError(f"There is no metric '{name}' (there are {known}).{nearest(name, HIGHER_IS_BETTER)}")
    if len(references) != len(outputs):
        raise DataError(f"There are {len(references):,} references but {len(outputs):,} outputs; they must match.")
    if not outputs:
        raise DataError("There is nothing to measure: the list of outputs is empty.")
    if name in ("bleu", "chrf", "ter"):
        return _sacrebleu(name, references, outputs)
    if name.startswith("rouge"):
        rows = [_rouge(name, reference, output) for reference, output in zip(references, outputs, strict=True)]
    elif name == "exact":
        rows = [(float(output in _all(reference)), 1.0) for reference, output in zip(references, outputs, strict=True)]
    else:
        cut = str.split if name == "error-rate" else list
        rows = [_closest(reference, output, cut)[1:] for reference, output in zip(references, outputs, strict=True)]
    return np.array(rows, dtype=float), lambda total: 100 * float(total[0]) / max(1.0, float(total[1]))


def _all(reference: str | list[str]) -> list[str]:
    return [reference] if isinstance(reference, str) else reference


def _closest(reference: str | list[str], output: str, cut: Callable[[str], list[str]]) -> tuple[str, int, int]:
    """The acceptable text with the fewest edits (Levenshtein 1966), those edits, and its length in units."""
    from rapidfuzz.distance import Levenshtein

    tried = [(Levenshtein.distance(cut(one), cut(output)), one) for one in _all(reference)]
    edits, text = min(tried)
    return text, edits, len(cut(text))


def _rouge(name: str, reference: str | list[str], output: str) -> tuple[float, float]:
    """F1 of n-gram overlap, or of the longest common subsequence (Lin 2004, sec. 2 and 3), of lower-cased words."""
    return max(_rouge_one(name, one.lower().split(), output.lower().split()) for one in _all(reference)), 1.0


def _rouge_one(name: str, right: list[str], written: list[str]) -> float:
    from collections import Counter

    from rapidfuzz.distance import LCSseq

    if name == "rougeL":
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
    from sacrebleu.metrics import BLEU, CHRF, TER

    metric = {"bleu": BLEU, "chrf": CHRF, "ter": TER}[name]()
    most = max(len(_all(reference)) for reference in references)
    columns = [[_all(one)[at] if at < len(_all(one)) else None for one in references] for at in range(most)]
    raw = metric._extract_corpus_statistics(list(outputs), columns)  # the public calls give no per-sentence statistics
    return np.array(raw, dtype=float), lambda total: float(metric._compute_score_from_stats(total.tolist()).score)
