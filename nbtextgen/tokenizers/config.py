"""Settings of tokenization."""

from __future__ import annotations

from dataclasses import dataclass

from nbtextgen.core.options import option

TOKENS = ("char", "word", "symbol", "bpe")
NORMALIZATIONS = ("none", "nfc", "nfd", "nfkc")


@dataclass(frozen=True)
class TokenizerConfig:
    """How source and target become tokens; ``None`` is chosen from the data by ``TextGenerator.fit``."""

    tokens: str | None = option(
        None, "unit of both sides: characters, words, space-separated symbols, or BPE", choices=TOKENS
    )
    source_tokens: str | None = option(None, "unit of the source side, when it differs from --tokens", choices=TOKENS)
    target_tokens: str | None = option(None, "unit of the target side, when it differs from --tokens", choices=TOKENS)
    source_normalization: str | None = option(None, "Unicode form of the source", choices=NORMALIZATIONS)
    target_normalization: str | None = option(None, "Unicode form of the target", choices=NORMALIZATIONS)
    source_lowercase: bool = option(False, "fold the source to lower case")
    target_lowercase: bool = option(False, "fold the target to lower case")
    shared_vocabulary: bool | None = option(None, "one vocabulary for both sides")
    vocabulary_size: int | None = option(
        None, "most token types per vocabulary", minimum=8, maximum=1_000_000, usual=(256, 32768)
    )
    source_limit: int | None = option(
        None, "most tokens of a source that are read, from its beginning; for articles", minimum=1, maximum=1_000_000
    )
    minimum_frequency: int = option(
        1, "token types seen less often become unknown", minimum=1, maximum=1_000_000, usual=(1, 10)
    )
