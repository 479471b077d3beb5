"""The character between the columns of a table of text, told from its first lines."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Sequence
from contextlib import suppress

from nbtextgen.data.readers.columns import ReadOptions

DELIMITERS = ",;\t|"
MAX_ABOVE = 10
"""Lines of a title that are looked for above a table."""
_TRIED = 60
"""Lines that are tried."""


class without_size_limit:
    """Lifts the limit on the size of a cell, 128 KB by default, which holds for the whole process, in a block."""

    def __enter__(self) -> None:
        self._limit = csv.field_size_limit(sys.maxsize)

    def __exit__(self, *_: object) -> None:
        csv.field_size_limit(self._limit)


def best_delimiter(name: str, lines: Sequence[str], options: ReadOptions) -> str | None:
    """Return the character between the columns of a file, or ``None``; note if another one would fit as well."""
    best, *others = _best_delimiters(lines) or [None]
    if others and len(lines) > 2:
        options.notes.append(
            f"{name} is cut into columns at every '{best}', though '{others[0]}' would cut it as evenly; if that is right, "
            f"write sep={others[0]} as its first line."
        )
    return best


def delimiter_below(lines: Sequence[str]) -> str | None:
    """The character between the columns of a table that stands under a few lines of a title; ``None`` if there is none."""
    for start in range(1, min(MAX_ABOVE + 1, len(lines) - 1)):
        rest = lines[start:]
        best = _best_delimiters(rest)
        if best and sum(best[0] in line for line in rest) > 0.9 * len(rest):
            return best[0]
    return None


def _best_delimiters(lines: Sequence[str]) -> list[str]:
    """The characters that cut the first lines most evenly into at least two cells, all equally good; none if none does.

    With the right one, quotes begin and end cells. Of equals, one that is not followed by spaces, as in a sentence, is
    better, one that is not between digits only, as in 1,5, is too, and then one that makes two columns.
    """

    def score(delimiter: str) -> tuple[bool, float, bool, bool, bool]:
        rows, is_clean = list[list[str]](), True
        with without_size_limit():
            try:
                rows.extend(row for row in csv.reader(lines[:_TRIED], delimiter=delimiter, strict=True) if row)
            except csv.Error as error:
                is_clean = "unexpected end" in str(error)  # the lines may end in the middle of a cell
        width = len(rows[0]) if rows else 0
        if width < 2:
            return False, 0.0, False, False, False
        is_spaced = sum(row[-1].startswith(" ") for row in rows) > len(rows) / 2
        is_decimal = delimiter == "," and all(re.search(r",(?<!\d,)|,(?!\d)", line) is None for line in lines[:_TRIED])
        return is_clean, sum(len(row) == width for row in rows) / len(rows), not is_spaced, not is_decimal, width == 2

    scores = {delimiter: score(delimiter) for delimiter in DELIMITERS}
    best = max(scores.values())
    return [delimiter for delimiter in DELIMITERS if scores[delimiter] == best] if best[1] > 0 else []


def has_spaced_quotes(name: str, lines: Sequence[str], delimiter: str, options: ReadOptions) -> bool:
    """Return ``True`` if a space, and in some lines a quote, follows every delimiter; note spaces that are read as text."""
    lines = lines[:_TRIED]
    outside = ["".join(line.split('"')[::2]) for line in lines]
    if not all(line.count(delimiter) == line.count(f"{delimiter} ") > 0 for line in outside):
        return False
    if any(f'{delimiter} "' in line for line in lines):
        with without_size_limit(), suppress(csv.Error):
            reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
            return len({len(row) for row in reader}) == 1
    elif len(lines) > 2:
        options.notes.append(
            f"{name} has a space after every '{delimiter}', which is read as a part of the texts; the cleaning step 'whitespace' "
            "takes it off."
        )
    return False
