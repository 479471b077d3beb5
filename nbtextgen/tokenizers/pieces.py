"""Tokenizers of characters, words and symbols: each token is a piece of the text, looked up in a vocabulary."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Self

from nbtextgen.core.errors import DataError, ModelFileError
from nbtextgen.tokenizers.base import SPECIAL, UNK, UNKNOWN, Encoding, Tokenizer, read_texts
from nbtextgen.tokenizers.normalization import Normalizer
from nbtextgen.tokenizers.segmentation import word_pieces


class Vocabulary:
    """Token texts and their ids, the special ids first."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = list(texts)
        self._all_texts = [*SPECIAL, *self.texts]
        self.ids = {text: number for number, text in enumerate(self.texts, len(SPECIAL))}
        if len(self.ids) != len(self.texts):
            raise ModelFileError("The tokenizer file is damaged: a token is listed twice.")

    def __len__(self) -> int:
        return len(self._all_texts)

    def text(self, number: int) -> str:
        """The token of an id; special ids as they are shown."""
        return self._all_texts[number]

    @classmethod
    def counted(cls, tokens: Iterable[str], size: int | None, minimum_frequency: int) -> Vocabulary:
        """The most frequent token types; ties in the order of code points."""
        counts = Counter(tokens)
        ranked = sorted((-count, text) for text, count in counts.items() if count >= minimum_frequency)
        if not ranked:
            raise DataError(
                "The vocabulary would be empty: the text has no token"
                + (f" seen {minimum_frequency} times; lower --minimum-frequency." if counts else "; give some text.")
            )
        return cls([text for _, text in ranked[: None if size is None else max(1, size - len(SPECIAL))]])


class PieceTokenizer(Tokenizer):
    """A tokenizer whose tokens are pieces of the text, looked up in a vocabulary."""

    def __init__(self, vocabulary: Vocabulary, normalizer: Normalizer) -> None:
        super().__init__(normalizer)
        self.vocabulary = vocabulary

    @classmethod
    @abstractmethod
    def pieces(cls, text: str) -> list[tuple[str, int, int]]:
        """The pieces of a normalised text, with start and end."""

    @staticmethod
    @abstractmethod
    def cut(text: str) -> Iterable[str]:
        """The same pieces without their offsets."""

    @classmethod
    def train(cls, texts: Iterable[str], normalizer: Normalizer, size: int | None, minimum: int) -> Self:
        """Count the pieces of all texts."""
        pieces = (piece for text in texts for piece in cls.cut(normalizer(text)))
        return cls(Vocabulary.counted(pieces, size, minimum), normalizer)

    @classmethod
    def restored(cls, values: Mapping[str, object], normalizer: Normalizer) -> Self:
        """A tokenizer from saved values; raises ``ModelFileError`` if they are damaged."""
        return cls(Vocabulary(read_texts(values.get("vocabulary"))), normalizer)

    def _state(self) -> dict[str, object]:
        return {"vocabulary": self.vocabulary.texts}

    @property
    def size(self) -> int:
        return len(self.vocabulary)

    def token(self, number: int, /) -> str:
        return self.vocabulary.text(number)

    def encode(self, text: str) -> Encoding:
        normal, spans = self.normalizer.spans(text)
        pieces = self.pieces(normal)
        ids = [self.vocabulary.ids.get(piece, UNK) for piece, _, _ in pieces]
        offsets = [(spans[start][0], spans[stop - 1][1]) for _, start, stop in pieces]
        return Encoding(ids, [piece for piece, _, _ in pieces], offsets)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        look_up, cut, normalize = self.vocabulary.ids.get, self.cut, self.normalizer
        return [[look_up(piece, UNK) for piece in cut(normalize(text))] for text in texts]

    def _written(self, ids: Iterable[int]) -> Iterable[str]:
        """The tokens that are written out."""
        for number in ids:
            if number == UNK:
                yield self.unknown
            elif number >= len(SPECIAL):
                yield self.vocabulary.text(number)


class CharacterTokenizer(PieceTokenizer):
    """One token per Unicode code point, after normalisation."""

    kind = "char"

    @classmethod
    def pieces(cls, text: str) -> list[tuple[str, int, int]]:
        return [(character, start, start + 1) for start, character in enumerate(text)]

    @staticmethod
    def cut(text: str) -> Iterable[str]:
        return text

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(self._written(ids))


class WordTokenizer(PieceTokenizer):
    """One token per word, punctuation mark, or further white space; joining the tokens gives the text back exactly.

    The text is read as if one space stood before it, so that a word at the start is the same type as later on.
    """

    kind = "word"
    unknown = " " + UNKNOWN
    segmentation: ClassVar[str | None] = "uax29"
    """How words are found, as it is saved."""

    @classmethod
    def restored(cls, values: Mapping[str, object], normalizer: Normalizer) -> WordTokenizer:
        kind = WordTokenizer if values.get("segmentation") == WordTokenizer.segmentation else EarlierWordTokenizer
        return kind(Vocabulary(read_texts(values.get("vocabulary"))), normalizer)

    def _state(self) -> dict[str, object]:
        return {**super()._state(), **({"segmentation": self.segmentation} if self.segmentation else {})}

    @classmethod
    def pieces(cls, text: str) -> list[tuple[str, int, int]]:
        pieces, stop = list[tuple[str, int, int]](), -1
        for piece in cls.cut(text):
            start, stop = stop, stop + len(piece)
            if stop > 0:
                # The offset points at the word itself, not at the space that belongs to the token.
                start += piece[0] == " " and len(piece) > 1
            pieces.append((piece, max(0, start), max(stop, 1)))
        return pieces

    @staticmethod
    def cut(text: str) -> Iterable[str]:
        return word_pieces(" " + text) if text else ()

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(self._written(ids)).removeprefix(" ")


class EarlierWordTokenizer(WordTokenizer):
    """Reads words as models did that were saved before words followed Unicode: combining marks are tokens."""

    segmentation = None
    _PIECE = re.compile(r" ?\w+| ?[^\w\s]|\s")

    @staticmethod
    def cut(text: str) -> Iterable[str]:
        return EarlierWordTokenizer._PIECE.findall(" " + text) if text else ()


_SYMBOL = re.compile("[^ ]+")


class SymbolTokenizer(PieceTokenizer):
    """One token per run of characters other than the space; several spaces in a row count as one."""

    kind = "symbol"

    @classmethod
    def pieces(cls, text: str) -> list[tuple[str, int, int]]:
        return [(match.group(), match.start(), match.end()) for match in _SYMBOL.finditer(text)]

    @staticmethod
    def cut(text: str) -> Iterable[str]:
        return _SYMBOL.findall(text)

    def normalize(self, text: str) -> str:
        return " ".join(self.cut(super().normalize(text)))

    def decode(self, ids: Iterable[int]) -> str:
        return " ".join(self._written(ids))
