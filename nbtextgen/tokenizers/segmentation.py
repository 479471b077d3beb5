"""Words and characters by Unicode's own rules (Unicode Standard Annex 29)."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from nbtextgen.tokenizers.normalization import Span

if TYPE_CHECKING:
    import regex

# Most texts of European languages have only these characters; for them ``re`` finds the same pieces three times faster.
_LETTERS = "A-Za-zªµºÀ-ÖØ-öø-ʯΑ-ΡΣ-ωЀ-џ"  # noqa: RUF001
_SIMPLE = re.compile(rf"[{_LETTERS} \t\n!-~\xa0¡¿«»„“”–—…€£§°]*")  # noqa: RUF001
_SIMPLE_WORD = rf"\w+(?:[.,:;'](?:(?<=[{_LETTERS}][.:'])(?=[{_LETTERS}])|(?<=[0-9][.,;'])(?=[0-9]))\w+)*"
_SIMPLE_PIECE = re.compile(rf" ?{_SIMPLE_WORD}| ?[^\w\s]|\s")
_PIECE = r"(?w) ?(?:['’]|\S\S*?(?:\b|(?=\s)))|\s"  # noqa: RUF001
# An apostrophe before a word is a piece of its own, which regex leaves with a vowel after it.
_WORD = r"(?w)(?:[\p{L}\p{M}][\p{L}\p{M}'’]*[-\u2010\u2011](?=\p{L}))*(?:['’]|\S\S*?(?:\b|(?=\s)))"  # noqa: RUF001
_OTHER_UNSPACED = r"\p{Bopomofo}\p{Hiragana}\p{Katakana}\p{Tibetan}\p{Javanese}\p{Balinese}"
UNSPACED = rf"[\p{{Han}}\p{{lb=SA}}{_OTHER_UNSPACED}]"
"""A character of a script that separates no words, for ``compiled``: Chinese, Japanese, Thai, Lao, Khmer, Burmese, Tibetan, ..."""


@cache
def compiled(pattern: str) -> regex.Pattern[str]:
    """A pattern with Unicode's properties."""
    import regex  # when first used: it is slow to import, and few texts need it

    return regex.compile(pattern)


def word_pieces(text: str) -> list[str]:
    """Split a text into words, punctuation marks and white space; the space before a word or mark belongs to it.

    Joined, the pieces are the text. Scripts without spaces are split into characters, as UAX 29 has it.
    """
    if (text.isascii() and text.isprintable()) or _SIMPLE.fullmatch(text):
        return _SIMPLE_PIECE.findall(text)
    return compiled(_PIECE).findall(text)


def characters(text: str) -> list[str]:
    """Split a text into what a reader calls characters: a letter with its marks, an emoji with its modifiers."""
    return list(text) if text.isascii() else compiled(r"\X").findall(text)


def character_spans(text: str) -> list[Span]:
    """Start and end of every character."""
    return spans(characters(text))


def word_spans(text: str) -> list[Span]:
    """Start and end of every word and punctuation mark; parts of a word with a hyphen belong together."""
    return [match.span() for match in compiled(_WORD).finditer(text)]


def spans(pieces: list[str]) -> list[Span]:
    """Start and end of every piece in the text that they form together."""
    offsets, start = list[Span](), 0
    for piece in pieces:
        offsets.append((start, start + len(piece)))
        start += len(piece)
    return offsets
