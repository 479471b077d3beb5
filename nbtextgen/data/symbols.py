"""Symbols separated by spaces, such as the phones of a pronunciation."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nbtextgen.data.tokenizer import PieceTokenizer

_SYMBOL = re.compile("[^ ]+")


class SymbolTokenizer(PieceTokenizer):
    """One token per run of characters other than the space; several spaces in a row count as one."""

    kind = "symbol"

    @staticmethod
    def pieces(text: str) -> list[tuple[str, int, int]]:
        return [(match.group(), match.start(), match.end()) for match in _SYMBOL.finditer(text)]

    @staticmethod
    def cut(text: str) -> Iterable[str]:
        return _SYMBOL.findall(text)

    def normalize(self, text: str) -> str:
        return " ".join(self.cut(super().normalize(text)))

    def decode(self, ids: Iterable[int]) -> str:
        return " ".join(self._written(ids))
