"""Settings of what happens to the pairs before tokenization."""

from __future__ import annotations

from dataclasses import dataclass

from nbtextgen.core.options import option


@dataclass(frozen=True)
class DataConfig:
    """What happens to the pairs before they become tokens."""

    clean: str | None = option(
        None, "cleaning steps, as nfc,whitespace,dedupe; generation rewrites its input in the same way"
    )
    augment: str | None = option(
        None,
        "other versions of the pairs in every epoch, as swap:0.1,keyboard:0.05; steps in the documentation; none turns it off; default: "
        "concat:0.5 for 200 to 1,500 pairs of characters or symbols",
    )
    synonyms: str | None = option(None, "file for the augmentation 'synonyms': a word and its synonyms between tabs")
    context: int | None = option(
        None, "learn to continue a text: tokens before a place that are read", minimum=1, maximum=100_000
    )
    window: int | None = option(
        None, "learn to continue a text: tokens written after each context; default: four contexts", minimum=1
    )
    keep_rows: bool = option(
        False, "keep the training rows as text in the run's folder, so that training_rows works when it is loaded again"
    )
    store: str | None = option(
        None, "folder for the tokens of files larger than memory; made once, read again when the files are the same"
    )
