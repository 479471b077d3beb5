"""Texts decoded from token ids, with a sign for each unknown word, so that noise can move words that are not kept."""

from __future__ import annotations

from collections.abc import Sequence

from nbtextgen.data.batching import Ids
from nbtextgen.tokenizers.base import MASK, UNK, UNKNOWN, Tokenizer
from nbtextgen.tokenizers.bpe import BPETokenizer
from nbtextgen.tokenizers.truncated import TruncatedTokenizer

FIRST_SIGN = 0x100000
"""The first code point that stands for an unknown word, in the last private-use plane, which no text uses."""
SIGNS = 0x4000
"""Number of signs; further unknown words share the last one."""


class PairDecoder:
    """Decodes the ids of a pair to texts that encode to the same ids.

    An unknown word becomes a private-use character that no vocabulary has, the same one wherever the word stands in its
    pair, so that it moves with the rest and a copy head still finds it. A word of the target that can only be copied
    becomes the sign, or the text, of the source token that it is copied from.
    """

    def __init__(self, source: Tokenizer, target: Tokenizer) -> None:
        self._source = source.inner if isinstance(source, TruncatedTokenizer) else source
        self._target = target

    def decode(self, source: Ids, target: Ids, copies: Ids | None) -> tuple[str, str] | None:
        """Source and target text; ``None`` if the target holds pieces of BPE that can only be copied, which have none."""
        size = self._target.size
        if isinstance(self._target, BPETokenizer) and (target >= size).any():
            return None
        copied_texts: dict[int, str] = {}
        source_texts = [""] * len(source)
        if copies is not None:
            for token_id, copy_id in zip(source.tolist(), copies.tolist(), strict=True):
                if copy_id >= size:
                    text = _sign(self._source, copy_id - size) if token_id == UNK else self._source.token(token_id)
                    copied_texts.setdefault(copy_id, text)
            source_texts = [copied_texts.get(copy_id, "") for copy_id in copies.tolist()]
        texts = {UNK: _sign(self._target, SIGNS - 1)} | copied_texts
        target_texts = [texts.get(token_id, "") for token_id in target.tolist()]
        return _decode(self._source, source, source_texts), _decode(self._target, target, target_texts)


def with_other_signs(pair: tuple[str, str]) -> tuple[str, str]:
    """The pair with signs that no decoded pair has, so that it can be joined to another one."""
    source, target = (
        text
        if text.isascii()
        else "".join(chr(ord(char) + SIGNS) if FIRST_SIGN <= ord(char) < FIRST_SIGN + SIGNS else char for char in text)
        for text in pair
    )
    return source, target


def _sign(tokenizer: Tokenizer, index: int) -> str:
    """The token that stands for the unknown word ``index`` of a pair."""
    return tokenizer.unknown.replace(UNKNOWN, chr(FIRST_SIGN + min(index, SIGNS - 1)))


def _decode(tokenizer: Tokenizer, ids: Ids, texts: Sequence[str]) -> str:
    """The text of ids; those that the vocabulary lacks are written as in ``texts``."""
    is_unknown = (ids == UNK) | (ids >= tokenizer.size)
    if not is_unknown.any():
        return tokenizer.decode(ids.tolist())
    last_sign = _sign(tokenizer, SIGNS - 1)
    pieces = [
        (text or last_sign) if unknown else tokenizer.token(token_id) if token_id > MASK else ""
        for token_id, unknown, text in zip(ids.tolist(), is_unknown, texts, strict=True)
    ]
    if tokenizer.kind == "symbol":
        return " ".join(filter(None, pieces))
    text = "".join(pieces)
    return text[1:] if tokenizer.kind == "word" else text
