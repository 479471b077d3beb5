"""BLEU, chrF, TER and ROUGE."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from nbtextgen.core.optional_imports import optional_import
from nbtextgen.evaluation.references import Measurement, References, Statistics, acceptable, all_texts, averaged
from nbtextgen.evaluation.scripts import bleu_tokenizer, visible_characters, without_spaces, words

TOKENIZERS = ("13a", "intl", "zh", "char", "none")
"""sacrebleu's tokenizers that need no download."""
ORDER = 4
"""The longest n-grams of BLEU."""


def bleu(references: References, outputs: Sequence[str], tokenizer: str = "") -> Measurement:
    """BLEU (Papineni et al. 2002) by sacrebleu (Post 2018), with a tokenizer that suits the script of the references.

    If no reference is long enough for an n-gram of four tokens, BLEU counts shorter n-grams (sacrebleu's effective order),
    since it would be 0 whatever the outputs.
    """
    with optional_import("This metric", "sacrebleu"):
        from sacrebleu.metrics.bleu import BLEU
    texts = all_texts(references)
    tokenizer = tokenizer or bleu_tokenizer(texts)
    metric: Any = BLEU(tokenize=tokenizer)
    note = ""
    if not any(len(metric.tokenizer(text).split()) >= ORDER for text in texts):
        metric = BLEU(tokenize=tokenizer, effective_order=True)
        note = f"No reference has {ORDER} tokens, so BLEU counts shorter n-grams only (effective order)."
    measurement = _sacrebleu(metric, references, outputs, "BLEU, characters" if tokenizer == "char" else "BLEU", note)
    longest_orders = measurement.statistics.sum(0)[2 + ORDER :]
    if measurement.figure == 0 and not note and longest_orders[-1] == 0:
        note = f"BLEU is 0 because no output has {ORDER} tokens."
    elif measurement.figure == 0:
        note = "BLEU is 0 because no output shares a token with its reference."
    return Measurement(measurement.statistics, measurement.combine, measurement.unit, measurement.signature, note)


def chrf(references: References, outputs: Sequence[str]) -> Measurement:
    """chrF (Popovic 2015) by sacrebleu."""
    with optional_import("This metric", "sacrebleu"):
        from sacrebleu.metrics.chrf import CHRF
    return _sacrebleu(CHRF(), references, outputs, "F-score of character n-grams")


def ter(references: References, outputs: Sequence[str]) -> Measurement:
    """TER (Snover et al. 2006) by sacrebleu; counts characters where no spaces separate words."""
    with optional_import("This metric", "sacrebleu"):
        from sacrebleu.metrics.ter import TER
    if not without_spaces(all_texts(references)):
        return _sacrebleu(TER(), references, outputs, "edits per 100 words")
    separated = [[" ".join(visible_characters(text)) for text in acceptable(reference)] for reference in references]
    outputs = [" ".join(visible_characters(output)) for output in outputs]
    return _sacrebleu(TER(), separated, outputs, "edits per 100 characters")


def rouge(name: str, references: References, outputs: Sequence[str]) -> Measurement:
    """F1 of n-gram overlap, or of the longest common subsequence (Lin 2004, sec. 2 and 3); the best reference counts."""
    with optional_import("This metric", "rapidfuzz"):
        from rapidfuzz.distance import LCSseq

    def f1(text: str, generated: str) -> float:
        reference, output = words(text), words(generated)
        if not reference and not output:  # marks only
            return float(text.strip() == generated.strip())
        if name == "rougeL":
            shared, sizes = LCSseq.similarity(reference, output), len(reference) + len(output)
        else:
            left, right = _ngrams(reference, int(name[-1])), _ngrams(output, int(name[-1]))
            shared, sizes = (left & right).total(), left.total() + right.total()
        return 2 * shared / max(1, sizes)

    best = (
        max(f1(text, output) for text in acceptable(reference))
        for reference, output in zip(references, outputs, strict=True)
    )
    unit = "characters" if without_spaces(all_texts(references)) else "words"
    return averaged(((score, 1.0) for score in best), f"F1 x 100, {unit}")


def _ngrams(parts: list[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(parts[start:] for start in range(size)), strict=False))


def _sacrebleu(metric: Any, references: References, outputs: Sequence[str], unit: str, note: str = "") -> Measurement:
    """The statistics of each sentence, which sacrebleu's public functions do not give."""
    texts = [acceptable(reference) for reference in references]
    most = max(map(len, texts))
    columns = [[row[column] if column < len(row) else None for row in texts] for column in range(most)]
    statistics = np.array(metric._extract_corpus_statistics(list(outputs), columns), dtype=float)

    def combine(totals: Statistics) -> Statistics:
        return np.array([float(metric._compute_score_from_stats(total.tolist()).score) for total in totals])

    return Measurement(statistics, combine, unit, str(metric.get_signature()), note)
