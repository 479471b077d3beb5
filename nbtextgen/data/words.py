"""Words and punctuation marks, with the space before a word kept as part of it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nbtextgen.data.tokenizer import UNKNOWN, PieceTokenizer

_PIECE = re.compile(r" ?\w+| ?[^\w\s]|\s")


class WordTokenizer(PieceTokenizer):
    """One token per word, punctuation mark, or further white space; joining the tokens gives the text back exactly.

    The text is read as if one space stood before it, so that a word at the start is the same type as later on.
    """

    kind = "word"
    unknown = " " + UNKNOWN

    @staticmethod
    def pieces(text: str) -> list[tuple[str, int, int]]:
        if not text:
            return []
        found = []
        for match in _PIECE.finditer(" " + text):
            start, stop = match.start() - 1, match.end() - 1
            if stop > 0:
                # The offset points at the word itself, not at the space that belongs to the token.
                start += match.group()[0] == " " and stop - start > 1
            found.append((match.group(), max(0, start), max(stop, 1)))
        return found

    @staticmethod
    def cut(text: str) -> Iterable[str]:
        return _PIECE.findall(" " + text) if text else ()

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(self._written(ids))[1:]
