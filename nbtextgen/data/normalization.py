"""Unicode normalisation and lower-casing that remember where every character came from."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal, cast

Span = tuple[int, int]
Form = Literal["NFC", "NFD", "NFKC"]


@dataclass(frozen=True)
class Normalizer:
    """What one side's text goes through before it is cut into tokens.

    Attributes:
        form: ``none``, ``nfc``, ``nfd`` or ``nfkc`` (Unicode Standard Annex 15).
        lowercase: fold to lower case.
    """

    form: str = "none"
    lowercase: bool = False

    def __call__(self, text: str) -> str:
        """The normalised text."""
        text = self._formed(text)
        return self._formed(text.lower()) if self.lowercase else text

    def spans(self, text: str) -> tuple[str, list[Span]]:
        """The normalised text, and for each of its characters the span of the original it came from."""
        if self(text) == text:
            return text, [(at, at + 1) for at in range(len(text))]
        now, spans = self._form_spans(text)
        if self.lowercase:
            now, through = _lower_spans(now)
            spans = [spans[start] for start, _ in through]
            now, through = self._form_spans(now)
            spans = [(spans[start][0], spans[stop - 1][1]) for start, stop in through]
        return now, spans

    def _formed(self, text: str) -> str:
        return text if self.form == "none" else unicodedata.normalize(cast(Form, self.form.upper()), text)

    def _form_spans(self, text: str) -> tuple[str, list[Span]]:
        """Cut the text where normalising the halves is normalising the whole; each piece maps to all of its span."""
        pieces: list[tuple[int, str, str]] = []  # start, original, normalised
        for at, character in enumerate(text):
            alone = self._formed(character)
            if pieces:
                start, before, formed = pieces[-1]
                together = self._formed(before + character)
                if together != formed + alone or unicodedata.combining(character):
                    pieces[-1] = (start, before + character, together)
                    continue
            pieces.append((at, character, alone))
        joined = "".join(formed for _, _, formed in pieces)
        if joined != self._formed(text):  # never seen, but a wrong offset would be worse than a coarse one
            return self._formed(text), [(0, len(text))] * len(self._formed(text))
        spans = [(start, start + len(before)) for start, before, formed in pieces for _ in formed]
        return joined, spans


def _lower_spans(text: str) -> tuple[str, list[Span]]:
    """Lower-case with spans; a character may become two, and a final sigma depends on its neighbours."""
    lowered = text.lower()
    spans = [(at, at + 1) for at, character in enumerate(text) for _ in character.lower()]
    return lowered, spans if len(spans) == len(lowered) else [(0, len(text))] * len(lowered)
