"""Writing systems of characters and texts, from the names in the Unicode Character Database."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import cache

_TOGETHER = {"CJK": "Han", "HIRAGANA": "Han", "KATAKANA": "Han", "HANGUL": "Han", "BOPOMOFO": "Han"}
"""Written side by side in Japanese and Korean, so never a mixture that means anything."""


@cache
def script(character: str) -> str | None:
    """The script of a letter, such as ``Latin``; ``None`` for what is no letter, or belongs to all scripts."""
    if not unicodedata.category(character).startswith("L"):
        return None
    first = unicodedata.name(character, "").partition(" ")[0].split("-")[0]
    if first in ("MODIFIER", "MATHEMATICAL", "FULLWIDTH", "HALFWIDTH", "DOUBLE", "SCRIPT", "BLACK", "FEMININE", ""):
        return None
    if first in ("MASCULINE", "MICRO", "OHM", "KELVIN", "ANGSTROM", "TURNED", "LETTER"):
        return None
    return _TOGETHER.get(first, first.capitalize())


def scripts(text: str) -> Counter[str]:
    """Letters of each script."""
    if text.isascii():
        count = sum(map(str.isalpha, text))
        return Counter({"Latin": count}) if count else Counter()
    return Counter(found for character in text if (found := script(character)))


def mixed_word(text: str) -> str | None:
    """The first word with letters of two scripts, such as one Cyrillic letter among Latin ones."""
    for word in text.split():
        if not word.isascii() and len(scripts(word)) > 1:
            return word
    return None
