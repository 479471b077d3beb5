"""The language a text reads like, by langdetect where it is installed."""

from __future__ import annotations

from nbtextgen.errors import MissingPackageError

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
    try:
        from langdetect import DetectorFactory, LangDetectException, detect_langs
    except ImportError:
        raise MissingPackageError(
            "Finding the language of a text needs langdetect, which is not installed; run: pip install 'nbtextgen[clean]'."
        ) from None
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
