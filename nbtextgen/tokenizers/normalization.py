"""Unicode normalization and lower-casing that keep the offsets of every character in the original text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, cast

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.tokenizers.config import NORMALIZATIONS

Span = tuple[int, int]
Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Normalizer:
    """Normalizes one side's text before it is split into tokens; lone surrogates become U+FFFD.

    Attributes:
        form: ``none``, ``nfc``, ``nfd`` or ``nfkc`` (Unicode Standard Annex 15).
        lowercase: fold to lower case.
    """

    form: str = "none"
    lowercase: bool = False

    def __post_init__(self) -> None:
        if self.form not in NORMALIZATIONS:
            forms = ", ".join(NORMALIZATIONS)
            raise OptionError(
                f"The normalization must be one of {forms} (got {self.form!r}).{nearest(self.form, NORMALIZATIONS)}"
            )

    def __call__(self, text: str) -> str:
        """The normalized text."""
        if not text.isascii():
            text = self._formed(_LONE_SURROGATE.sub("\ufffd", text))
        return self._formed(text.lower()) if self.lowercase else text

    def spans(self, text: str) -> tuple[str, list[Span]]:
        """The normalized text, and for each of its characters the span of the original that it came from.

        The spans are in order, cover the original, and are equal or disjoint; they are the shortest such spans.
        """
        normal = self(text)
        if normal == text:
            return text, [(start, start + 1) for start in range(len(text))]
        origins = [(start, start + 1) for start in range(len(text))]
        traced, origins = self._traced(_LONE_SURROGATE.sub("\ufffd", text), origins)
        if self.lowercase:
            traced, origins = self._traced(*_lowered(traced, origins))
        if traced != normal:  # never seen, but a wrong offset would be worse than a coarse one
            return normal, [(0, len(text))] * len(normal)
        return normal, _disjoint(origins)

    def _formed(self, text: str) -> str:
        return text if self.form == "none" else unicodedata.normalize(cast(Form, self.form.upper()), text)

    def _traced(self, text: str, origins: list[Span]) -> tuple[str, list[Span]]:
        """Normalise step by step (UAX 15: decompose, order, compose), each character with its origin."""
        if self._formed(text) == text:
            return text, origins
        parts = _ordered(_decomposed(text, origins, "NFKD" if self.form == "nfkc" else "NFD"))
        if self.form != "nfd":
            parts = _composed(parts)
        return "".join(character for character, _ in parts), [origin for _, origin in parts]


Parts = list[tuple[str, Span]]
"""Characters and where they came from."""


def _decomposed(text: str, origins: list[Span], form: Form) -> Parts:
    return [
        (part, origin)
        for character, origin in zip(text, origins, strict=True)
        for part in (character if character.isascii() else unicodedata.normalize(form, character))
    ]


def _ordered(parts: Parts) -> Parts:
    """Sort each run of combining marks by class, equal classes in the order they stand (the canonical order)."""
    runs = groupby(parts, key=lambda part: unicodedata.combining(part[0]) > 0)
    return [part for _, run in runs for part in sorted(run, key=lambda part: unicodedata.combining(part[0]))]


def _composed(parts: Parts) -> Parts:
    """Join each character with the last starter before it where nothing between them blocks it."""
    composed: Parts = []
    starter, last = -1, 0  # index of the last starter, class of the last character kept after it
    for character, origin in parts:
        rank = unicodedata.combining(character)
        reachable = starter >= 0 and (last < rank or (last == 0 and starter == len(composed) - 1))
        if reachable and not character.isascii():
            base, before = composed[starter]
            joined = unicodedata.normalize("NFC", base + character)
            if len(joined) == 1:
                composed[starter] = joined, (min(before[0], origin[0]), max(before[1], origin[1]))
                continue
        composed.append((character, origin))
        last = rank
        if rank == 0:
            starter = len(composed) - 1
    return composed


def _lowered(text: str, origins: list[Span]) -> tuple[str, list[Span]]:
    """Lower-case; a character may become two (I with dot), and a final sigma depends on its neighbours only."""
    return text.lower(), [
        origin for character, origin in zip(text, origins, strict=True) for _ in range(len(character.lower()))
    ]


def _disjoint(origins: list[Span]) -> list[Span]:
    """Widen the stretches until they are in order and overlap only where they are equal."""
    blocks: list[tuple[int, int, int]] = []  # start, stop, characters
    for start, stop in origins:
        count = 1
        while blocks and blocks[-1][1] > start:
            before = blocks.pop()
            start, stop, count = min(start, before[0]), max(stop, before[1]), count + before[2]
        blocks.append((start, stop, count))
    return [(start, stop) for start, stop, count in blocks for _ in range(count)]
