"""Vocabularies that grow: a tokenizer with more token types, in which every old type keeps its id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from nbtextgen.core.errors import OptionError
from nbtextgen.tokenizers.base import Tokenizer
from nbtextgen.tokenizers.bpe import BPETokenizer
from nbtextgen.tokenizers.pieces import PieceTokenizer, Vocabulary
from nbtextgen.tokenizers.truncated import TruncatedTokenizer


def grown_tokenizer(
    tokenizer: Tokenizer, texts: Iterable[str], *, minimum_frequency: int = 1, most: int | None = None
) -> Tokenizer:
    """The tokenizer with the token types of more texts behind its own; itself if the texts have no new type.

    BPE keeps its merges and its vocabulary: every byte is a token of it, so no text is unknown.

    Args:
        tokenizer: what is extended; it stays as it is.
        texts: where new types come from, the most frequent first.
        minimum_frequency: rarer types stay unknown.
        most: most new types.
    """
    if isinstance(tokenizer, TruncatedTokenizer):
        inner = grown_tokenizer(tokenizer.inner, texts, minimum_frequency=minimum_frequency, most=most)
        return truncated_like(tokenizer, inner)
    if isinstance(tokenizer, BPETokenizer):
        return tokenizer
    if not isinstance(tokenizer, PieceTokenizer):
        raise OptionError(f"The vocabulary of a {tokenizer.kind} tokenizer cannot grow.")
    counts = Counter(piece for text in texts for piece in tokenizer.cut(tokenizer.normalizer(text)))
    ranked = sorted(
        (-count, piece)
        for piece, count in counts.items()
        if count >= minimum_frequency and piece not in tokenizer.vocabulary.ids
    )
    if not ranked:
        return tokenizer
    new = [piece for _, piece in ranked[:most]]
    return type(tokenizer)(Vocabulary([*tokenizer.vocabulary.texts, *new]), tokenizer.normalizer)


def truncated_like(tokenizer: Tokenizer, inner: Tokenizer) -> Tokenizer:
    """``inner``, cut as ``tokenizer`` is if that is truncated."""
    if not isinstance(tokenizer, TruncatedTokenizer):
        return inner
    return (
        tokenizer
        if inner is tokenizer.inner
        else TruncatedTokenizer(inner, tokenizer.limit, keep_end=tokenizer.keep_end)
    )
