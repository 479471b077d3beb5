"""Byte-pair encoding trained on the spot (Sennrich et al. 2016), over bytes so that no text is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nbtextgen.core.errors import DataError, ModelFileError, OptionError
from nbtextgen.tokenizers.base import SPECIAL, UNK, UNKNOWN, Encoding, Tokenizer
from nbtextgen.tokenizers.normalization import Normalizer

if TYPE_CHECKING:
    import tokenizers

BYTES = 256

_PIECE = 4096
"""Characters of a text that merges are learned from together."""


class BPETokenizer(Tokenizer):
    """Pieces of bytes; a word's leading space belongs to its first piece, and one is put before the text.

    The library's own special tokens are not used: ids are shifted by ours, so no text can turn into one.
    """

    kind = "bpe"

    def __init__(
        self, vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]], normalizer: Normalizer
    ) -> None:
        super().__init__(normalizer)
        self._vocabulary, self._merges = dict(vocabulary), [tuple(merge) for merge in merges]
        self._net = _built(self._vocabulary, self._merges)

    @classmethod
    def train(cls, texts: Iterable[str], normalizer: Normalizer, size: int | None, minimum: int) -> BPETokenizer:
        """Learn merges; ``size`` is at least 5 special types and 256 bytes (default 8,000)."""
        import json

        from tokenizers import Tokenizer as Net
        from tokenizers.models import BPE
        from tokenizers.pre_tokenizers import ByteLevel
        from tokenizers.trainers import BpeTrainer

        size = 8000 if size is None else size
        if size < BYTES + len(SPECIAL):
            raise OptionError(f"--vocabulary-size must be at least {BYTES + len(SPECIAL)} for bpe (got {size}).")
        lines = [" " + normalizer(text) for text in texts if text]
        if not lines:
            raise DataError("The vocabulary would be empty: there is no text to learn it from.")
        net = Net(BPE())
        net.pre_tokenizer = ByteLevel(add_prefix_space=False)
        trainer = BpeTrainer(
            vocab_size=size - len(SPECIAL),
            min_frequency=max(2, minimum),
            show_progress=False,
            initial_alphabet=sorted(ByteLevel.alphabet()),
        )
        # The trainer takes hours over a word of a megabyte; cut up, it costs a merge or two at the cuts.
        pieces = (line[at : at + _PIECE] for line in lines for at in range(0, len(line), _PIECE))
        net.train_from_iterator(pieces, trainer)
        learned = json.loads(net.to_str())["model"]
        return cls(learned["vocab"], [tuple(merge) for merge in learned["merges"]], normalizer)

    @classmethod
    def _restored(cls, values: Mapping[str, Any], normalizer: Normalizer) -> Tokenizer:
        vocabulary, merges = values.get("vocabulary"), values.get("merges")
        if (
            not isinstance(vocabulary, list)
            or not isinstance(merges, list)
            or not all(isinstance(text, str) for text in vocabulary)
            or not all(isinstance(pair, list) and len(pair) == 2 for pair in merges)
            or not all(isinstance(text, str) for pair in merges for text in pair)
            or len(set(vocabulary)) != len(vocabulary)
        ):
            raise ModelFileError("The tokenizer file is damaged: its vocabulary or merges are not lists of texts.")
        ids = {text: number for number, text in enumerate(vocabulary)}
        if not all({first, second, first + second} <= ids.keys() for first, second in merges):
            raise ModelFileError("The tokenizer file is damaged: a merge has no entry in the vocabulary.")
        return cls(ids, [(first, second) for first, second in merges], normalizer)

    def _state(self) -> dict[str, Any]:
        ordered = sorted(self._vocabulary, key=self._vocabulary.__getitem__)
        return {"vocabulary": ordered, "merges": [list(merge) for merge in self._merges]}

    @property
    def size(self) -> int:
        return len(self._vocabulary) + len(SPECIAL)

    @cached_property
    def _texts(self) -> list[str]:
        """The text of every id; a piece that is not whole characters shows its bytes."""
        from tokenizers.pre_tokenizers import ByteLevel  # noqa: F401  (the alphabet below is this one)

        found = [""] * len(self._vocabulary)
        table = _bytes_of_characters()
        for piece, number in self._vocabulary.items():
            raw = bytes(table[character] for character in piece)
            try:
                found[number] = raw.decode()
            except UnicodeDecodeError:
                found[number] = "".join(f"\\x{byte:02x}" for byte in raw)
        return found

    def token(self, number: int, /) -> str:
        return SPECIAL[number] if number < len(SPECIAL) else self._texts[number - len(SPECIAL)]

    def merge_parts(self) -> dict[int, tuple[int, int]]:
        """For every token that was merged, the ids of the two it was merged from."""
        ids, shift = self._vocabulary, len(SPECIAL)
        return {ids[a + b] + shift: (ids[a] + shift, ids[b] + shift) for a, b in self._merges}

    def encode(self, text: str) -> Encoding:
        if not text:
            return Encoding([], [], [])
        normal, spans = self.normalizer.spans(text)
        found = self._net.encode(" " + normal)
        offsets = []
        for start, stop in found.offsets:
            start, stop = max(0, start - 1), max(1, stop - 1)
            # As for words, the offset leaves out the space that belongs to the token.
            start += stop - start > 1 and normal[start] == " "
            offsets.append((spans[start][0], spans[stop - 1][1]) if spans else (0, len(text)))
        ids = [number + len(SPECIAL) for number in found.ids]
        return Encoding(ids, [self.token(number) for number in ids], offsets)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self._net.encode_batch_fast([" " + self.normalizer(text) if text else "" for text in texts])
        return [[number + len(SPECIAL) for number in one.ids] for one in encoded]

    def decode(self, ids: Iterable[int]) -> str:
        table, raw = _bytes_of_characters(), bytearray()
        pieces = self._pieces
        for number in ids:
            if number == UNK:
                raw += UNKNOWN.encode()
            elif number >= len(SPECIAL):
                raw += bytes(table[character] for character in pieces[number - len(SPECIAL)])
        text = raw.decode(errors="replace")
        return text[1:] if text.startswith(" ") else text

    @cached_property
    def _pieces(self) -> list[str]:
        return sorted(self._vocabulary, key=self._vocabulary.__getitem__)


def _built(vocabulary: dict[str, int], merges: list[tuple[str, ...]]) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer as Net
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel

    net = Net(BPE(vocab=vocabulary, merges=merges))  # type: ignore[arg-type]
    net.pre_tokenizer = ByteLevel(add_prefix_space=False)
    return net


def _bytes_of_characters() -> dict[str, int]:
    """The byte that each letter of the byte-level alphabet stands for (Radford et al. 2019, sec. 2.2).

    Printable Latin-1 bytes stand for themselves; the others, in order, take the code points from 256 on.
    """
    if not _TABLE:
        spare = BYTES
        for byte in range(BYTES):
            printable = 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte <= 255
            _TABLE[chr(byte if printable else spare)] = byte
            spare += not printable
    return _TABLE


_TABLE: dict[str, int] = {}
