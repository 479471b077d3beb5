"""Tokenizers by kind: training one, and reading a saved one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nbtextgen.core.errors import ModelFileError, OptionError, nearest
from nbtextgen.tokenizers.base import Tokenizer
from nbtextgen.tokenizers.bpe import BPETokenizer
from nbtextgen.tokenizers.config import NORMALIZATIONS
from nbtextgen.tokenizers.normalization import Normalizer
from nbtextgen.tokenizers.pieces import CharacterTokenizer, PieceTokenizer, SymbolTokenizer, WordTokenizer
from nbtextgen.tokenizers.truncated import TruncatedTokenizer

KINDS: dict[str, type[PieceTokenizer | BPETokenizer]] = {
    kind.kind: kind for kind in (CharacterTokenizer, WordTokenizer, SymbolTokenizer, BPETokenizer)
}


def train_tokenizer(
    texts: Iterable[str],
    kind: str,
    *,
    normalization: str = "none",
    lowercase: bool = False,
    size: int | None = None,
    minimum_frequency: int = 1,
) -> Tokenizer:
    """Learn a vocabulary from one side of the training pairs.

    Args:
        texts: that side.
        kind: ``char``, ``word``, ``symbol`` (separated by spaces) or ``bpe``.
        normalization, lowercase: see ``Normalizer``.
        size: most token types, the five special ones included.
        minimum_frequency: rarer types become unknown.

    Raises:
        DataError: if the texts have no token.
        OptionError: for an unknown kind, or a size too small for it.
    """
    if kind not in KINDS:
        raise OptionError(f"--tokens must be one of {', '.join(KINDS)} (got {kind!r}).{nearest(kind, KINDS)}")
    return KINDS[kind].train(texts, Normalizer(normalization, lowercase), size, minimum_frequency)


def tokenizer_from_dict(values: Mapping[str, object]) -> Tokenizer:
    """Read ``to_dict`` back; raises ``ModelFileError`` if the values are damaged."""
    kind, form, lowercase = (values.get(name) for name in ("kind", "normalization", "lowercase"))
    if kind not in KINDS or form not in NORMALIZATIONS or not isinstance(lowercase, bool):
        raise ModelFileError("The tokenizer file is damaged: kind, normalization or lowercase is not valid.")
    limit = values.get("limit")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise ModelFileError("The tokenizer file is damaged: its limit is not a positive whole number.")
    try:
        tokenizer = KINDS[str(kind)].restored(values, Normalizer(str(form), lowercase))
    except ModelFileError:
        raise
    except Exception as error:  # for damaged values the libraries raise many kinds of errors
        raise ModelFileError(f"The tokenizer file is damaged ({type(error).__name__}: {error}).") from error
    return tokenizer if limit is None else TruncatedTokenizer(tokenizer, limit, keep_end=values.get("keep_end") is True)
