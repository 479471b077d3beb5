"""Sources on their way to a search: checked texts, and their token ids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import DataError
from nbtextgen.data.cleaning.clean import rewriter
from nbtextgen.data.rows import is_missing, no_text
from nbtextgen.decoding.borders import Borders
from nbtextgen.decoding.config import TokenRules
from nbtextgen.inference.terms import RequiredTerms


def validate_sources(texts: Iterable[object], clean: str | None, *, allow_empty: bool = False) -> list[str]:
    """Check sources, and apply the cleaning steps that the model was trained with.

    With ``allow_empty``, ``None`` and the not-a-number values of tables are empty sources.

    Raises:
        DataError: for a source that is empty or not text; the message names its position.
    """
    rewrite = rewriter(clean) if clean else None
    objects, sources = list(texts), list[str]()
    for number, text in enumerate(objects, 1):
        where = f"Source {number:,} of {len(objects):,}" if len(objects) > 1 else "The source"
        if allow_empty and is_missing(text):
            text = ""
        if not isinstance(text, str):
            raise DataError(f"{where} {no_text(text)}.")
        if rewrite is not None and text.strip():
            text = rewrite(text)
        if not allow_empty and not text.strip():
            raise DataError(f"{where} is empty; give some text to start from.")
        sources.append(text)
    return sources


@dataclass(frozen=True)
class EncodedSources:
    """Sources as a search reads them.

    Attributes:
        texts: the sources.
        ids: their token ids, ``(sources, source_length)``, padded with zeros.
        copy_ids: for a copy head, the target-side id of every source token, shaped like ``ids``.
        words: the words of each source outside the vocabulary, for which ids beyond it stand.
        limits: most output tokens of each source.
        rules: token rules of all outputs.
        required: what each output must contain.
        borders: of the tokens, if what is required must be words of their own.
    """

    texts: list[str]
    ids: NDArray[np.int64]
    copy_ids: NDArray[np.int64] | None
    words: list[list[str]]
    limits: list[int]
    rules: TokenRules
    required: list[RequiredTerms]
    borders: Borders | None = None
