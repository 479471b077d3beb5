"""``Tokenizer``: the interface of all tokenizers, with special ids and encodings with character offsets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

from nbtextgen.core.errors import ModelFileError
from nbtextgen.tokenizers.normalization import Normalizer, Span

PAD, UNK, BOS, EOS, MASK = range(5)
SPECIAL = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")
"""How the special ids are shown; text that reads like one of these is ordinary text and never gets its id."""
UNKNOWN = "\ufffd"
"""How an unknown token is written out."""


def read_texts(values: object) -> list[str]:
    """A list of texts from a saved tokenizer; raises ``ModelFileError`` for anything else."""
    if not isinstance(values, list) or not all(isinstance(text, str) for text in cast("list[object]", values)):
        raise ModelFileError("The tokenizer file is damaged: its vocabulary or merges are not lists of texts.")
    return cast("list[str]", values)


@dataclass(frozen=True)
class Encoding:
    """A tokenized text.

    Attributes:
        ids: token ids, without begin and end marks.
        tokens: the normalized text of each token, unknown ones included.
        offsets: start and end of each token in the original text, in characters.
    """

    ids: list[int]
    tokens: list[str]
    offsets: list[Span]


class Tokenizer(ABC):
    """Splits text into tokens and joins them; ``decode(encode(x).ids) == normalize(x)`` if all tokens are known."""

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
        """Tokenize one text, with offsets into it."""

    @abstractmethod
    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of many texts; faster than ``encode``, without offsets."""

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """Text of token ids; special ids are left out, unknown ones become U+FFFD."""

    @abstractmethod
    def token(self, number: int, /) -> str:
        """The text of one id."""

    @abstractmethod
    def _state(self) -> dict[str, object]:
        """Values that a saved tokenizer has beside its kind and normalization."""

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The text of each id."""
        return [self.token(number) for number in ids]

    def normalize(self, text: str) -> str:
        """The text as this tokenizer sees it."""
        return self.normalizer(text)

    def to_dict(self) -> dict[str, object]:
        """Plain values for a JSON file."""
        shape = {"kind": self.kind, "normalization": self.normalizer.form, "lowercase": self.normalizer.lowercase}
        return {**shape, **self._state()}
