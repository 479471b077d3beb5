"""What all tokenizers share: special ids, encodings with character offsets, saving, and training by kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from nbtextgen.tokenizers.normalization import Normalizer, Span

PAD, UNK, BOS, EOS, MASK = range(5)
SPECIAL = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")
"""How the special ids are shown; text that reads like one of these is ordinary text and never gets its id."""
UNKNOWN = "\ufffd"
"""How an unknown token is written out."""


@dataclass(frozen=True)
class Encoding:
    """A tokenised text.

    Attributes:
        ids: token ids, without begin and end marks.
        tokens: the text of each token, as it stands after normalisation; also for unknown ones.
        offsets: for each token, start and end in the original text, in characters.
    """

    ids: list[int]
    tokens: list[str]
    offsets: list[Span]


class Tokenizer(ABC):
    """Cuts text into tokens and joins them again; ``decode(encode(x).ids) == normalize(x)`` when all are known."""

    kind: ClassVar[str]
    unknown: ClassVar[str] = UNKNOWN
    """How ``decode`` writes an unknown token."""

    def __init__(self, normalizer: Normalizer) -> None:
        self.normalizer = normalizer

    @property
    @abstractmethod
    def size(self) -> int:
        """Token types, the five special ones included."""

    @abstractmethod
    def encode(self, text: str) -> Encoding:
        """Tokenise one text, with offsets into it."""

    @abstractmethod
    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of many texts; the fast way when offsets are not needed."""

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """Text of token ids; special ids are left out, unknown ones become U+FFFD."""

    @abstractmethod
    def token(self, number: int, /) -> str:
        """The text of one id."""

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """What ``from_dict`` needs beside kind and normalisation."""

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The text of each id."""
        return [self.token(number) for number in ids]

    def normalize(self, text: str) -> str:
        """The text as this tokenizer sees it."""
        return self.normalizer(text)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        shape = {"kind": self.kind, "normalization": self.normalizer.form, "lowercase": self.normalizer.lowercase}
        return {**shape, **self._state()}

    @classmethod
    @abstractmethod
    def _restored(cls, values: Mapping[str, Any], normalizer: Normalizer) -> Tokenizer:
        """A tokenizer from saved values."""
