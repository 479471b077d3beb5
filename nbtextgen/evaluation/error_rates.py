"""Exact match, error rates, and the list of wrong outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nbtextgen.core.errors import DataError
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.core.options import whole_number
from nbtextgen.core.wording import counted, there_are
from nbtextgen.evaluation.references import (
    SHARE,
    Measurement,
    References,
    acceptable,
    all_texts,
    averaged,
    check_lengths,
)
from nbtextgen.evaluation.scripts import token_splitter
from nbtextgen.tokenizers.segmentation import characters

if TYPE_CHECKING:
    import pandas


class Errors(list[dict[str, object]]):
    """Rows of source, reference, output, edits and rate, worst first."""

    def frame(self) -> pandas.DataFrame:
        """The rows as a pandas ``DataFrame``.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        return pandas.DataFrame(list(self), columns=["source", "reference", "output", "edits", "rate"])


def errors(sources: Sequence[str], references: References, outputs: Sequence[str], limit: int = 50) -> Errors:
    """The worst outputs first, by wrong characters per character of the nearest acceptable text.

    Args:
        sources: what each output was generated from.
        references: the right text of each output, or a list of acceptable ones.
        outputs: what was generated; right ones are not listed.
        limit: most rows.

    Raises:
        DataError: if the lists have different lengths, or a reference is an empty list.
    """
    limit = whole_number("limit", limit)
    check_lengths(references, outputs)
    if len(sources) != len(outputs):
        raise DataError(f"{there_are(len(sources), 'source')} but {counted(len(outputs), 'output')}; they must match.")
    rows = list[tuple[float, str, str, str, int]]()
    for source, reference, output in zip(sources, references, outputs, strict=True):
        closest, edits, length = nearest_reference(reference, output, characters)
        if edits:
            rows.append((-edits / max(1, length), source, closest, output, edits))
    return Errors(
        {"source": source, "reference": reference, "output": output, "edits": edits, "rate": -rate}
        for rate, source, reference, output, edits in sorted(rows, key=lambda row: row[:2])[:limit]
    )


def exact(references: References, outputs: Sequence[str]) -> Measurement:
    """Share of the outputs that are acceptable."""
    pairs = zip(references, outputs, strict=True)
    return averaged(((float(output in acceptable(reference)), 1.0) for reference, output in pairs), SHARE)


def wrong(references: References, outputs: Sequence[str]) -> Measurement:
    """Share of the outputs that are not acceptable."""
    pairs = zip(references, outputs, strict=True)
    return averaged(((float(output not in acceptable(reference)), 1.0) for reference, output in pairs), SHARE)


def token_errors(references: References, outputs: Sequence[str]) -> Measurement:
    """Wrong tokens per token of the nearest reference; characters where no spaces separate words."""
    split, unit = token_splitter(all_texts(references))
    return _error_rate(references, outputs, split, unit)


def character_errors(references: References, outputs: Sequence[str]) -> Measurement:
    """Wrong characters per character of the nearest reference."""
    return _error_rate(references, outputs, characters, "characters")


def _error_rate(
    references: References, outputs: Sequence[str], split: Callable[[str], list[str]], unit: str
) -> Measurement:
    rows = (nearest_reference(*row, split)[1:] for row in zip(references, outputs, strict=True))
    return averaged(rows, f"edits per 100 {unit}")


def nearest_reference(
    reference: str | list[str], output: str, split: Callable[[str], list[str]]
) -> tuple[str, int, int]:
    """The acceptable text with the fewest edits (Levenshtein 1966), those edits, and its length in units."""
    with optional_import("This metric", "rapidfuzz"):
        from rapidfuzz.distance import Levenshtein
    units = split(output)
    edits, text = min((Levenshtein.distance(split(text), units), text) for text in acceptable(reference))
    return text, edits, len(split(text))
