"""What may not belong to a table: titles, remarks and empty rows above it, and marks of other programs in its cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from nbtextgen.core.errors import DataError
from nbtextgen.data.readers.columns import ReadOptions
from nbtextgen.data.readers.delimiters import MAX_ABOVE
from nbtextgen.data.readers.header import Header, recognise_header

MOST = 0.8
"""Fraction of the rows that are a table, and of the cells that tell a habit of their writer from a text."""
Line = tuple[int, list[str]]
"""Line number and cells."""


def check_above(head: list[Line], options: ReadOptions, place: str, unit: str) -> list[Line]:
    """Return the first rows of a table without rows of empty cells above its header.

    Args:
        head: the first rows, at least one.
        options: says which columns are asked for, and receives notes.
        place: the name of the file and what its rows are numbered by.
        unit: what they are numbered by.

    Raises:
        DataError: if a title stands above the table; names the line in which the table begins.
    """
    rows = [cells for _, cells in head]
    start = _start(rows)
    if start == 0:
        _note_comment(head, options, place)
        return head
    is_headed = recognise_header(rows[start], rows[start + 1 :]) is Header.YES
    if not any(cell.strip() for cells in rows[:start] for cell in cells):
        return head[start:] if is_headed else head
    width = len(rows[start])
    is_chosen = bool(options.source or options.target) or width == 2
    if is_chosen and not is_headed and all(len(cells) == width for cells in rows[:start]):
        return head  # rows with an empty cell
    title = " ".join(cell.strip() for cell in rows[0] if cell.strip())
    shown = f" ({title:.60})" if title else ""
    raise DataError(
        f"{place} {head[0][0]:,}{shown} stands above the table, which seems to begin in {unit} {head[start][0]:,}; "
        "delete what stands above it."
    )


def _start(rows: Sequence[Sequence[str]]) -> int:
    """The index of the first row that is as wide as most, and has texts in two columns; 0 if there is no table below."""
    widths = Counter(map(len, rows))
    width, count = widths.most_common(1)[0]
    if width < 2 or count < max(2, MOST * (len(rows) - MAX_ABOVE)):
        return 0
    starts = (
        index
        for index, cells in enumerate(rows[: MAX_ABOVE + 1])
        if len(cells) == width and sum(bool(cell.strip()) for cell in cells) > 1
    )
    start = next(starts, 0)
    return start if widths[width] >= MOST * (len(rows) - start) and len(rows) - start > 1 else 0


def _note_comment(head: Sequence[Line], options: ReadOptions, place: str) -> None:
    """Note a first row that looks like a comment, and is not the header."""
    line, cells = head[0]
    marks = [mark for mark in ("#", "//", "%", "--", ";") if cells[0].startswith((f"{mark} ", mark * 2))]
    others = head[1:]
    if not marks or len(others) < 2 or any(row[0].startswith(marks[0]) for _, row in others if row):
        return
    if recognise_header(cells, [row for _, row in others]) is Header.NO:
        options.notes.append(
            f"{place} {line:,} ({', '.join(cells):.80}) is read as a pair but looks like a comment; if it is one, delete it."
        )


_FORMULA = re.compile('="[^"]*"')
_IN_SINGLE_QUOTES = re.compile("'.*'", re.DOTALL)


def cell_notes(name: str, rows: Sequence[Sequence[str]], earlier: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for every mark of another program in the cells, which are read as they are written.

    Args:
        name: of the file.
        rows: some of its rows.
        earlier: what was noted before.
    """
    cells = [cell for row in rows for cell in row if cell.strip()]
    if any('\\"' in cell for cell in cells):
        yield (
            f'{name} has quotes after backslashes (\\"), which are read as they are written; if the backslashes are '
            "no part of the texts, write the file again with doubled quotes."
        )
    if "\\N" in cells:
        yield f"{name} has cells \\N, as databases write what is missing, which are read as texts; leave such rows out."
    if sum(bool(_FORMULA.fullmatch(cell)) for cell in cells) > MOST / 2 * len(cells):
        yield f'{name} has formulas (="..."), which are read as they are written; save the values of the cells instead.'
    if sum(bool(_IN_SINGLE_QUOTES.fullmatch(cell)) for cell in cells) > MOST * len(cells):
        yield (
            f"{name} has single quotes around its cells, which are read as parts of the texts; write the file again with double quotes."
        )
    spaced = [
        any(cell.startswith(" ") for cell in row[1:]) or any(cell.endswith(" ") for cell in row[:-1]) for row in rows
    ]
    if len(rows) > 2 and sum(spaced) > MOST * len(rows) and not any("has a space after" in note for note in earlier):
        yield f"{name} has spaces around its cells, which are read as parts of the texts; the cleaning step 'whitespace' takes them off."
