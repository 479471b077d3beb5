"""BLEU, chrF, TER and ROUGE."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from nbtextgen.core.optional_imports import optional_import
from nbtextgen.evaluation.references import Combine, References, Statistics, acceptable


def sacrebleu_statistics(name: str, references: References, outputs: Sequence[str]) -> tuple[Statistics, Combine]:
    """BLEU (Papineni et al. 2002), chrF (Popovic 2015) and TER (Snover et al. 2006) with sacrebleu's defaults (Post 2018)."""
    with optional_import("This metric", "sacrebleu"):
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
        from sacrebleu.metrics.ter import TER
    metric: Any = {"bleu": BLEU, "chrf": CHRF, "ter": TER}[name]()  # the public calls give no per-sentence statistics
    texts = [acceptable(reference) for reference in references]
    most = max(map(len, texts))
    columns = [[row[column] if column < len(row) else None for row in texts] for column in range(most)]
    statistics = np.array(metric._extract_corpus_statistics(list(outputs), columns), dtype=float)
    return statistics, lambda total: float(metric._compute_score_from_stats(total.tolist()).score)


def rouge(name: str, reference: str | list[str], output: str) -> tuple[float, float]:
    """F1 of n-gram overlap, or of the longest common subsequence (Lin 2004, sec. 2 and 3); the best reference counts."""
    words = _words(output)
    return max(_f1(name, _words(text), words) for text in acceptable(reference)), 1.0


def _words(text: str) -> list[str]:
    """Lower-cased runs of letters, digits and combining marks: rouge-score's words in ASCII, and right beyond it."""
    # Category M: Devanagari vowel signs and the like belong to their word.
    kept = (c if c.isalnum() or unicodedata.category(c).startswith("M") else " " for c in text.lower())
    return "".join(kept).split()


def _f1(name: str, reference: list[str], output: list[str]) -> float:
    if name == "rougeL":
        with optional_import("This metric", "rapidfuzz"):
            from rapidfuzz.distance import LCSseq
        shared, sizes = LCSseq.similarity(reference, output), len(reference) + len(output)
    else:
        size = int(name[-1])
        left, right = (
            Counter(zip(*(words[start:] for start in range(size)), strict=False)) for words in (reference, output)
        )
        shared, sizes = (left & right).total(), left.total() + right.total()
    return 2 * shared / sizes if sizes else 0.0
