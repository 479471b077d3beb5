"""Every character is a token."""

from __future__ import annotations

from collections.abc import Iterable

from nbtextgen.data.tokenizer import PieceTokenizer


class CharacterTokenizer(PieceTokenizer):
    """One token per Unicode code point, after normalisation."""

    kind = "char"

    @staticmethod
    def pieces(text: str) -> list[tuple[str, int, int]]:
        return [(character, at, at + 1) for at, character in enumerate(text)]

    @staticmethod
    def cut(text: str) -> Iterable[str]:
        return text

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(self._written(ids))
