"""Properties of a text: its language, its writing systems, and the parts that a translation copies."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache

from nbtextgen.core.optional_imports import optional_import

_NUMBER = re.compile(r"\d+")
# An address is looked for from the start of a run of its letters only: from every letter, a megabyte of them takes hours.
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]+|(?<![\w.+-])[\w.+-]{1,64}@[\w-]+\.[\w.]+", re.IGNORECASE)
_BRACKET = re.compile(r"[(\[{]")

KINDS = {"numbers": _NUMBER, "urls": _URL, "brackets": _BRACKET}
"""What each kind looks like; brackets are compared by how many there are, the others by what they say."""


def carried(kind: str, source: str, target: str) -> bool | None:
    """Whether the parts of this kind are the same on both sides, in any order; ``None`` when neither side has any."""
    pattern = KINDS[kind]
    here, there = pattern.findall(source), pattern.findall(target)
    if not here and not there:
        return None
    if kind == "brackets":
        return len(here) == len(there)
    return sorted(part.rstrip(".,;").lower() for part in here) == sorted(part.rstrip(".,;").lower() for part in there)


SHORTEST, FEWEST = 60, 8
"""Characters and words below which a guess is worth nothing."""
LOOKED_AT = 400
"""Characters that are looked at: more costs time and changes nothing."""
SURE = 0.95
"""Probability below which no language is named."""


def detect(text: str) -> str | None:
    """An ISO 639-1 code (langdetect's), or ``None`` for a text too short to tell.

    Raises:
        MissingPackageError: when langdetect is not installed.
    """
    with optional_import("Language detection", "langdetect", "clean"):
        from langdetect import DetectorFactory, LangDetectException, detect_langs
    if len(text) < SHORTEST or text.count(" ") < FEWEST - 1:
        return None
    before, DetectorFactory.seed = DetectorFactory.seed, 1  # it draws at random: the same text, the same answer
    try:
        best = detect_langs(text[:LOOKED_AT])[0]
        return best.lang.partition("-")[0] if best.prob >= SURE else None
    except LangDetectException:
        return None
    finally:
        DetectorFactory.seed = before


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
