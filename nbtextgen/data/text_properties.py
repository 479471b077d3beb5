"""Properties of a text: its language, its writing systems, and the parts that a translation copies."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache
from importlib import import_module

from nbtextgen.core.optional_imports import optional_import

_NUMBER = re.compile(r"\d+")
# An address must start where a run of its letters starts: tried from every letter, a megabyte of them takes hours.
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]+|(?<![\w.+-])[\w.+-]{1,64}@[\w-]+\.[\w.]+", re.IGNORECASE)
_BRACKET = re.compile(r"[(\[{]")

COPIED_PARTS = {"numbers": _NUMBER, "urls": _URL, "brackets": _BRACKET}
"""Patterns of the parts that a translation copies; brackets are compared by count, the others by text."""


def parts_match(kind: str, source: str, target: str) -> bool | None:
    """Whether both sides have the same parts of a kind, in any order; ``None`` if neither side has any."""
    in_source, in_target = (COPIED_PARTS[kind].findall(text) for text in (source, target))
    if not in_source and not in_target:
        return None
    if kind == "brackets":
        return len(in_source) == len(in_target)
    return Counter(part.rstrip(".,;").lower() for part in in_source) == Counter(
        part.rstrip(".,;").lower() for part in in_target
    )


MIN_DETECTED_LENGTH, MIN_DETECTED_WORDS = 60, 8
"""Characters and words below which the language of a text cannot be told."""
DETECTED_LENGTH = 400
"""Characters from which the language is detected: more cost time and change nothing."""
MIN_PROBABILITY = 0.95
"""Probability below which no language is named."""


def detect_language(text: str) -> str | None:
    """The ISO 639-1 code of a text's language, or ``None`` for a text that is too short or uncertain.

    Raises:
        MissingPackageError: if langdetect is not installed.
    """
    with optional_import("Language detection", "langdetect", "clean"):
        langdetect = import_module("langdetect")
    if len(text) < MIN_DETECTED_LENGTH or text.count(" ") < MIN_DETECTED_WORDS - 1:
        return None
    factory = langdetect.DetectorFactory
    old_seed, factory.seed = factory.seed, 1  # langdetect draws at random
    try:
        best = langdetect.detect_langs(text[:DETECTED_LENGTH])[0]
    except langdetect.LangDetectException:
        return None
    finally:
        factory.seed = old_seed
    return str(best.lang).partition("-")[0] if best.prob >= MIN_PROBABILITY else None


_HAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"})
"""Written side by side in Japanese and Korean, so they count as one script."""
_NO_SCRIPT = frozenset(
    {"MODIFIER", "MATHEMATICAL", "FULLWIDTH", "HALFWIDTH", "DOUBLE", "SCRIPT", "BLACK", "FEMININE", "MASCULINE"}
    | {"MICRO", "OHM", "KELVIN", "ANGSTROM", "TURNED", "LETTER", ""}
)
"""First words of the Unicode names of letters that belong to all scripts."""


@cache
def script(character: str) -> str | None:
    """The script of a letter, such as ``Latin``; ``None`` for other characters and letters of all scripts."""
    if not unicodedata.category(character).startswith("L"):
        return None
    first = unicodedata.name(character, "").partition(" ")[0].split("-")[0]
    if first in _NO_SCRIPT:
        return None
    return "Han" if first in _HAN else first.capitalize()


def scripts(text: str) -> Counter[str]:
    """Number of letters of each script."""
    if text.isascii():
        count = sum(map(str.isalpha, text))
        return Counter({"Latin": count}) if count else Counter()
    return Counter(filter(None, map(script, text)))


def mixed_word(text: str) -> str | None:
    """The first word with letters of two scripts, such as one Cyrillic letter among Latin ones."""
    for word in text.split():
        if not word.isascii() and len(scripts(word)) > 1:
            return word
    return None
