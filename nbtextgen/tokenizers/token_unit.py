"""The token unit that suits a column of texts."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from statistics import fmean

SHORT_TEXT = 48
"""Mean characters up to which a side is read character by character."""
SYMBOL_MEAN, SYMBOL_MOST = 2.5, 4
"""Characters of a symbol, marks above and below not counted: on average, and of nearly all (``tʃ``, ``AE1``)."""
INVENTORY = 250
"""Most different symbols: no language has so many phones, and what has more is words."""
SPACED = 0.5
"""Share of the texts that have a space at all; names of one phone do not."""
ODD = 0.01
"""Share of the parts that may be unlike a symbol."""
_NUMBER = re.compile(r"\d\d")


def suitable_unit(texts: Sequence[str]) -> str:
    """``symbol`` for phones and their like between spaces, ``char`` for short texts, else ``bpe``.

    Symbols are short, of a small inventory, and no numbers: ``flour | 2 | kg`` has short parts, but ``flour`` is a word,
    and ``12 g`` would be read as the number twelve and not as its digits.
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
    odd = sum(count for part, count in counted.items() if _letters(part) > SYMBOL_MOST or _NUMBER.search(part))
    return odd <= ODD * total


def _letters(part: str) -> int:
    """Characters without combining marks and ties."""
    return sum(not unicodedata.combining(one) for one in part)
