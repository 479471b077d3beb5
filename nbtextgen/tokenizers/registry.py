"""All kinds of tokenizers by name: learning one from texts, and reading a saved one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nbtextgen.core.errors import ModelFileError, OptionError, nearest
from nbtextgen.tokenizers.base import Tokenizer
from nbtextgen.tokenizers.bpe import BPETokenizer
from nbtextgen.tokenizers.config import NORMALIZATIONS
from nbtextgen.tokenizers.normalization import Normalizer
from nbtextgen.tokenizers.pieces import CharacterTokenizer, SymbolTokenizer, WordTokenizer
from nbtextgen.tokenizers.truncated import TruncatedTokenizer

KINDS: dict[str, type[Tokenizer]] = {
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
    if kind not in KINDS:
        raise OptionError(f"--tokens must be one of {', '.join(KINDS)} (got {kind!r}).{nearest(kind, KINDS)}")
    return KINDS[kind].train(texts, Normalizer(normalization, lowercase), size, minimum_frequency)  # type: ignore[attr-defined]


def tokenizer_from_dict(values: Mapping[str, Any]) -> Tokenizer:
    """Read ``to_dict`` back; raises ``ModelFileError`` when the values are damaged."""
    kind, form, lowercase = (values.get(name) for name in ("kind", "normalization", "lowercase"))
    if kind not in KINDS or form not in NORMALIZATIONS or not isinstance(lowercase, bool):
        raise ModelFileError("The tokenizer file is damaged: kind, normalization or lowercase is not valid.")
    limit = values.get("limit")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise ModelFileError("The tokenizer file is damaged: its limit is not a positive whole number.")
    try:
        found = KINDS[kind]._restored(values, Normalizer(form, lowercase))
        return found if limit is None else TruncatedTokenizer(found, limit, keep_end=values.get("keep_end") is True)
    except ModelFileError:
        raise
    except Exception as error:  # the libraries behind raise many kinds for damaged values
        raise ModelFileError(f"The tokenizer file is damaged ({type(error).__name__}: {error}).") from error
