"""Settings of the text side: how each side is cut into tokens."""

from __future__ import annotations

from dataclasses import dataclass

from nbtextgen.options import option

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


@dataclass(frozen=True)
class DataConfig:
    """What happens to the pairs before they become tokens."""

    clean: str | None = option(
        None, "cleaning steps, as nfc,whitespace,dedupe; generation rewrites its input in the same way"
    )
    augment: str | None = option(
        None, "other versions of the pairs in every epoch, as swap:0.1,keyboard:0.05; steps in the documentation"
    )
    synonyms: str | None = option(None, "file for the augmentation 'synonyms': a word and its synonyms between tabs")
    context: int | None = option(
        None, "learn to continue a text: tokens before a place that are read", minimum=1, maximum=100_000
    )
    window: int | None = option(
        None, "learn to continue a text: tokens written after each context; default: four contexts", minimum=1
    )
    store: str | None = option(
        None, "folder for the tokens of files larger than memory; made once, read again when the files are the same"
    )
