"""The token unit that suits a column of texts."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from statistics import fmean

SHORT_TEXT = 48
"""Most characters, on average, of texts that are read character by character."""
SYMBOL_MEAN, SYMBOL_MOST = 2.5, 4
"""Most characters of a symbol without combining marks, on average and of nearly all symbols (``tʃ``, ``AE1``)."""
INVENTORY = 250
"""Most different symbols: no language has as many phones."""
SPACED = 0.5
"""Smallest fraction of the texts that have a space."""
ODD = 0.01
"""Largest fraction of the parts that are unlike a symbol."""
_NUMBER = re.compile(r"\d\d")


def suitable_unit(texts: Sequence[str]) -> str:
    """``symbol`` for phones and the like between spaces, ``char`` for short texts, else ``bpe``.

    Symbols are short and few, and no numbers: ``flour`` in ``flour | 2 | kg`` is a word, and ``12`` in ``12 g`` has digits.
    """
    sample = texts[:: max(1, len(texts) // 2000)]
    if _symbols([text.split(" ") for text in sample if " " in text], len(sample)):
        return "symbol"
    return "char" if fmean(map(len, sample)) <= SHORT_TEXT else "bpe"


def _symbols(spaced: list[list[str]], texts: int) -> bool:
    """Whether the parts between spaces are symbols."""
    if len(spaced) <= SPACED * texts:
        return False
    counted = Counter(part for parts in spaced for part in parts)
    total = counted.total()
    if len(counted) > INVENTORY or sum(len(part) * count for part, count in counted.items()) > SYMBOL_MEAN * total:
        return False
    odd = sum(count for part, count in counted.items() if _base_length(part) > SYMBOL_MOST or _NUMBER.search(part))
    return odd <= ODD * total


def _base_length(part: str) -> int:
    """Number of characters without combining marks and ties."""
    return sum(not unicodedata.combining(character) for character in part)
