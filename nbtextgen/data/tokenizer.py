"""What all tokenizers share: special ids, encodings with character offsets, saving, and training by kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from nbtextgen.data.config import NORMALIZATIONS
from nbtextgen.data.normalization import Normalizer, Span
from nbtextgen.errors import DataError, ModelFileError, OptionError, nearest

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

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Tokenizer:
        """Read ``to_dict`` back; raises ``ModelFileError`` when the values are damaged."""
        kind, form, lowercase = (values.get(name) for name in ("kind", "normalization", "lowercase"))
        if kind not in _kinds() or form not in NORMALIZATIONS or not isinstance(lowercase, bool):
            raise ModelFileError("The tokenizer file is damaged: kind, normalization or lowercase is not valid.")
        limit = values.get("limit")
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            raise ModelFileError("The tokenizer file is damaged: its limit is not a positive whole number.")
        try:
            found = _kinds()[kind]._restored(values, Normalizer(form, lowercase))
            return found if limit is None else truncated(found, limit, keep_end=values.get("keep_end") is True)
        except ModelFileError:
            raise
        except Exception as error:  # the libraries behind raise many kinds for damaged values
            raise ModelFileError(f"The tokenizer file is damaged ({type(error).__name__}: {error}).") from error

    @classmethod
    @abstractmethod
    def _restored(cls, values: Mapping[str, Any], normalizer: Normalizer) -> Tokenizer:
        """A tokenizer from saved values."""


class Vocabulary:
    """Token texts and their ids, the special ids first."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = list(texts)
        self.ids = {text: number for number, text in enumerate(self.texts, len(SPECIAL))}
        if len(self.ids) != len(self.texts):
            raise ModelFileError("The tokenizer file is damaged: a token is listed twice.")

    def __len__(self) -> int:
        return len(self.texts) + len(SPECIAL)

    def text(self, number: int) -> str:
        """The token of an id; special ids as they are shown."""
        return SPECIAL[number] if number < len(SPECIAL) else self.texts[number - len(SPECIAL)]

    @classmethod
    def counted(cls, tokens: Iterable[str], size: int | None, minimum_frequency: int) -> Vocabulary:
        """The most frequent token types, ties in order of code points so that the result is repeatable."""
        counts = Counter(tokens)
        ranked = sorted((-count, text) for text, count in counts.items() if count >= minimum_frequency)
        if not ranked:
            raise DataError(
                "The vocabulary would be empty: the text has no token"
                + (f" seen {minimum_frequency} times; lower --minimum-frequency." if counts else "; give some text.")
            )
        return cls([text for _, text in ranked[: None if size is None else max(1, size - len(SPECIAL))]])

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> Vocabulary:
        """From a saved list; raises ``ModelFileError`` when it is not one."""
        texts = values.get("vocabulary")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ModelFileError("The tokenizer file is damaged: its vocabulary is not a list of texts.")
        return cls(texts)


class PieceTokenizer(Tokenizer):
    """A tokenizer whose tokens are pieces of the text, looked up in a vocabulary."""

    def __init__(self, vocabulary: Vocabulary, normalizer: Normalizer) -> None:
        super().__init__(normalizer)
        self.vocabulary = vocabulary

    @staticmethod
    @abstractmethod
    def pieces(text: str) -> list[tuple[str, int, int]]:
        """The pieces of a normalised text, with start and end."""

    @staticmethod
    @abstractmethod
    def cut(text: str) -> Iterable[str]:
        """The same pieces without their places."""

    @classmethod
    def train(cls, texts: Iterable[str], normalizer: Normalizer, size: int | None, minimum: int) -> PieceTokenizer:
        """Count the pieces of all texts."""
        found = (piece for text in texts for piece in cls.cut(normalizer(text)))
        return cls(Vocabulary.counted(found, size, minimum), normalizer)

    @classmethod
    def _restored(cls, values: Mapping[str, Any], normalizer: Normalizer) -> Tokenizer:
        return cls(Vocabulary.restored(values), normalizer)

    def _state(self) -> dict[str, Any]:
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


def truncated(tokenizer: Tokenizer, limit: int, *, keep_end: bool = False) -> Tokenizer:
    """The tokenizer, made to keep only the first (or last) tokens of a text."""
    from nbtextgen.data.truncated import TruncatedTokenizer

    return TruncatedTokenizer(tokenizer, limit, keep_end=keep_end)


def _kinds() -> dict[str, type[Tokenizer]]:
    from nbtextgen.data.bpe import BPETokenizer
    from nbtextgen.data.characters import CharacterTokenizer
    from nbtextgen.data.symbols import SymbolTokenizer
    from nbtextgen.data.words import WordTokenizer

    return {kind.kind: kind for kind in (CharacterTokenizer, WordTokenizer, SymbolTokenizer, BPETokenizer)}


def train_tokenizer(
    texts: Iterable[str],
    kind: str,
    *,
    normalization: str = "none",
    lowercase: bool = False,
    size: int | None = None,
    minimum_frequency: int = 1,
) -> Tokenizer:
    """Learn a vocabulary from texts.

    Args:
        texts: one side of the training pairs.
        kind: ``char``, ``word``, ``symbol`` (separated by spaces) or ``bpe``.
        normalization: ``none``, ``nfc``, ``nfd`` or ``nfkc``.
        lowercase: fold to lower case.
        size: most token types, the five special ones included.
        minimum_frequency: types seen less often become unknown.

    Raises:
        DataError: when the texts hold no token at all.
        OptionError: for an unknown kind, or a size too small for it.
    """
    kinds = _kinds()
    if kind not in kinds:
        raise OptionError(f"--tokens must be one of {', '.join(kinds)} (got {kind!r}).{nearest(kind, kinds)}")
    return kinds[kind].train(texts, Normalizer(normalization, lowercase), size, minimum_frequency)  # type: ignore[attr-defined]
