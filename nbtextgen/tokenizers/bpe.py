"""Byte-pair encoding trained on the spot (Sennrich et al. 2016), over bytes so that no text is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, cast

from nbtextgen.core.errors import DataError, ModelFileError, OptionError
from nbtextgen.tokenizers.base import SPECIAL, UNK, UNKNOWN, Encoding, Tokenizer, read_texts
from nbtextgen.tokenizers.normalization import Normalizer, Span

if TYPE_CHECKING:
    import tokenizers

BYTES = 256

_PIECE = 4096
"""Characters of a text that merges are learned from together."""
MARKS = "marks"
"""The name of the rule below in a saved tokenizer; tokenizers that were saved without it split marks from letters."""
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?(?:\p{L}[\p{M}\x{200C}\x{200D}]*)+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""Within which pieces are merged: as in GPT-2 (Radford et al. 2019), but a mark belongs to its letter."""


class BPETokenizer(Tokenizer):
    """Pieces of bytes; a word's leading space belongs to its first piece, and one is put before the text.

    The library's own special tokens are not used: ids are shifted by ours, so no text can turn into one.
    """

    kind = "bpe"

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        merges: Sequence[tuple[str, str]],
        normalizer: Normalizer,
        segmentation: object = MARKS,
    ) -> None:
        super().__init__(normalizer)
        self._vocabulary, self._merges, self._segmentation = dict(vocabulary), list(merges), segmentation
        self._net = _built(self._vocabulary, self._merges, segmentation)

    @classmethod
    def train(cls, texts: Iterable[str], normalizer: Normalizer, size: int | None, minimum: int) -> BPETokenizer:
        """Learn merges; ``size`` is at least 5 special types and 256 bytes (default 8,000)."""
        import json

        from tokenizers.pre_tokenizers import ByteLevel
        from tokenizers.trainers import BpeTrainer

        size = 8000 if size is None else size
        if size < BYTES + len(SPECIAL):
            raise OptionError(f"--vocabulary-size must be at least {BYTES + len(SPECIAL)} for bpe (got {size}).")
        lines = [" " + normalizer(text) for text in texts if text]
        if not lines:
            raise DataError("The vocabulary would be empty: there is no text to learn it from.")
        net = _built({}, [], MARKS)
        trainer = BpeTrainer(
            vocab_size=size - len(SPECIAL),
            min_frequency=max(2, minimum),
            show_progress=False,
            initial_alphabet=sorted(ByteLevel.alphabet()),
        )
        # The trainer takes hours for a word of a megabyte; cutting it costs a merge or two at the cuts.
        pieces = (line[start : start + _PIECE] for line in lines for start in range(0, len(line), _PIECE))
        net.train_from_iterator(pieces, trainer)
        learned = json.loads(net.to_str())["model"]
        return cls(learned["vocab"], [tuple(merge) for merge in learned["merges"]], normalizer)

    @classmethod
    def restored(cls, values: Mapping[str, object], normalizer: Normalizer) -> BPETokenizer:
        """A tokenizer from saved values; raises ``ModelFileError`` if they are damaged."""
        vocabulary = read_texts(values.get("vocabulary"))
        ids = {text: number for number, text in enumerate(vocabulary)}
        if len(ids) != len(vocabulary):
            raise ModelFileError("The tokenizer file is damaged: a token is listed twice.")
        merges = list[tuple[str, str]]()
        for pair in cast("Iterable[object]", values.get("merges")):
            first, second = read_texts(pair)
            merges.append((first, second))
        if not all({first, second, first + second} <= ids.keys() for first, second in merges):
            raise ModelFileError("The tokenizer file is damaged: a merge has no entry in the vocabulary.")
        return cls(ids, merges, normalizer, values.get("segmentation"))

    def _state(self) -> dict[str, object]:
        merges = [list(merge) for merge in self._merges]
        return {
            "vocabulary": self._pieces,
            "merges": merges,
            **({"segmentation": MARKS} if self._segmentation == MARKS else {}),
        }

    @property
    def size(self) -> int:
        return len(self._vocabulary) + len(SPECIAL)

    @cached_property
    def _texts(self) -> list[str]:
        """The text of every id; a piece that is not whole characters shows its bytes."""
        texts = list[str]()
        for raw in self._raw_pieces:
            try:
                texts.append(raw.decode())
            except UnicodeDecodeError:
                texts.append("".join(f"\\x{byte:02x}" for byte in raw))
        return texts

    def token(self, number: int, /) -> str:
        return SPECIAL[number] if number < len(SPECIAL) else self._texts[number - len(SPECIAL)]

    def raw(self, number: int, /) -> bytes:
        """The bytes of one id; the special ones have none."""
        return b"" if number < len(SPECIAL) else self._raw_pieces[number - len(SPECIAL)]

    def merge_parts(self) -> dict[int, tuple[int, int]]:
        """For every token that was merged, the ids of the two it was merged from."""
        ids, shift = self._vocabulary, len(SPECIAL)
        return {ids[a + b] + shift: (ids[a] + shift, ids[b] + shift) for a, b in self._merges}

    def encode(self, text: str) -> Encoding:
        if not text:
            return Encoding([], [], [])
        normal, spans = self.normalizer.spans(text)
        encoded = self._net.encode(" " + normal)
        offsets = list[Span]()
        for start, stop in encoded.offsets:
            start, stop = max(0, start - 1), max(1, stop - 1)
            # As for words, the offset leaves out the space that belongs to the token.
            start += stop - start > 1 and normal[start] == " "
            offsets.append((spans[start][0], spans[stop - 1][1]) if spans else (0, len(text)))
        ids = [number + len(SPECIAL) for number in encoded.ids]
        return Encoding(ids, [self.token(number) for number in ids], offsets)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        batch = self._net.encode_batch_fast([" " + self.normalizer(text) if text else "" for text in texts])
        return [[number + len(SPECIAL) for number in encoded.ids] for encoded in batch]

    def decode(self, ids: Iterable[int]) -> str:
        raw, pieces = bytearray(), self._raw_pieces
        for number in ids:
            if number == UNK:
                raw += UNKNOWN.encode()
            elif number >= len(SPECIAL):
                raw += pieces[number - len(SPECIAL)]
        text = raw.decode(errors="replace")
        return text[1:] if text.startswith(" ") else text

    @cached_property
    def _pieces(self) -> list[str]:
        """All pieces in the order of their ids."""
        return sorted(self._vocabulary, key=self._vocabulary.__getitem__)

    @cached_property
    def _raw_pieces(self) -> list[bytes]:
        """The bytes of all pieces, in the order of their ids."""
        alphabet = _alphabet()
        return [bytes(alphabet[character] for character in piece) for piece in self._pieces]


def _built(vocabulary: dict[str, int], merges: list[tuple[str, str]], segmentation: object) -> tokenizers.Tokenizer:
    from tokenizers import Regex
    from tokenizers import Tokenizer as Net
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

    net = Net(BPE(vocab=vocabulary, merges=merges))
    net.pre_tokenizer = ByteLevel(add_prefix_space=False)
    if segmentation == MARKS:
        split = Split(Regex(_WORDS), "isolated")
        net.pre_tokenizer = Sequence([split, ByteLevel(add_prefix_space=False, use_regex=False)])
    return net


@cache
def _alphabet() -> dict[str, int]:
    """The byte of each character of the byte-level alphabet (Radford et al. 2019, sec. 2.2).

    Printable Latin-1 bytes stand for themselves; the others, in order, for the code points from 256 on.
    """
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = [byte for byte in range(BYTES) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(BYTES + rank): byte for rank, byte in enumerate(others)}
