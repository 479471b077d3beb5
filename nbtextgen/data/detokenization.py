"""Texts from token ids, in which every unknown word is a sign of its own: for changing a text whose words are not kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nbtextgen.tokenizers.base import MASK, UNK, UNKNOWN, Tokenizer
from nbtextgen.tokenizers.bpe import BPETokenizer
from nbtextgen.tokenizers.truncated import TruncatedTokenizer

SIGN, SIGNS = 0x100000, 0x4000
"""The first code point that stands for unknown words (of the last private-use plane, which no text uses), and how many."""

ReadBack = Callable[[np.ndarray, np.ndarray, np.ndarray | None], tuple[str, str] | None]


def read_back(source: Tokenizer, target: Tokenizer) -> ReadBack:
    """What gives the texts of a pair from its ids: sources, targets and, with a copy head, copy ids.

    Encoding such texts gives the same ids: a sign is a word that no vocabulary has, and a word of the target that can
    only be copied has the sign, or the text, of the source token it is copied from. ``None`` is for a pair whose target
    holds pieces of BPE that it can only copy, which have no text of their own.
    """
    inner = source.inner if isinstance(source, TruncatedTokenizer) else source

    def read(sources: np.ndarray, targets: np.ndarray, copies: np.ndarray | None) -> tuple[str, str] | None:
        if isinstance(target, BPETokenizer) and (targets >= target.size).any():
            return None
        signs: dict[int, str] = {}
        if copies is not None:
            for number, copied in zip(sources.tolist(), copies.tolist(), strict=True):
                if copied >= target.size:
                    sign = _sign(inner, copied - target.size) if number == UNK else inner.token(number)
                    signs.setdefault(copied, sign)
        own = [signs.get(copied, "") for copied in copies.tolist()] if copies is not None else [""] * len(sources)
        texts = {UNK: _sign(target, SIGNS - 1)} | signs
        read_target = [texts.get(number, "") for number in targets.tolist()]
        return _joined(inner, sources, own), _joined(target, targets, read_target)

    return read


def apart(text: str) -> str:
    """The text with other signs than any pair has, so that two pairs can be joined."""
    if text.isascii():
        return text
    return "".join(chr(ord(one) + SIGNS) if SIGN <= ord(one) < SIGN + SIGNS else one for one in text)


def _sign(tokenizer: Tokenizer, number: int) -> str:
    """A token that stands for the unknown word ``number`` of a pair."""
    return tokenizer.unknown.replace(UNKNOWN, chr(SIGN + min(number, SIGNS - 1)))


def _joined(tokenizer: Tokenizer, ids: np.ndarray, instead: Sequence[str]) -> str:
    """The text of ids, those that the vocabulary lacks written as told."""
    lacking = (ids == UNK) | (ids >= tokenizer.size)
    if not lacking.any():
        return tokenizer.decode(ids.tolist())
    nameless = _sign(tokenizer, SIGNS - 1)
    pieces = [
        (text or nameless) if odd else tokenizer.token(number) if number > MASK else ""
        for number, odd, text in zip(ids.tolist(), lacking, instead, strict=True)
    ]
    if tokenizer.kind == "symbol":
        return " ".join(piece for piece in pieces if piece)
    text = "".join(pieces)
    return text[1:] if tokenizer.kind == "word" else text
