"""The token unit that suits a column of texts."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

SHORT_TEXT = 48
"""Mean characters up to which a side is read character by character."""


def suitable_unit(texts: Sequence[str]) -> str:
    """``symbol`` for one- and two-letter symbols between spaces, ``char`` for short texts, else ``bpe``."""
    sample = texts[:: max(1, len(texts) // 2000)]
    spaced = [text.split(" ") for text in sample if " " in text]
    if len(spaced) > len(sample) / 2 and fmean(len(part) for parts in spaced for part in parts) <= 2.5:
        return "symbol"
    return "char" if fmean(map(len, sample)) <= SHORT_TEXT else "bpe"
