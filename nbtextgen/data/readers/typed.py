"""Pairs that are typed: one per line, in a cell or a text of Python."""

from __future__ import annotations

from nbtextgen.core.errors import DataError
from nbtextgen.data.readers.columns import SAMPLE, ReadOptions
from nbtextgen.data.readers.header import Header, header_names, recognise_header
from nbtextgen.data.rows import Row, place_text

ARROW = " => "
"""Separates source and target where no tab does."""


def typed_rows(text: str, name: str) -> tuple[list[Row], list[str]]:
    """Read lines ``source<TAB>target`` or ``source => target``; blank lines are skipped, and so is a header.

    Args:
        text: the lines.
        name: what a line is called in places and errors.

    Returns:
        the rows, and what was assumed about them.

    Raises:
        DataError: for a line with no separator or more than one tab, or no line at all.
    """
    lines = list[tuple[int, list[str]]]()
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip():
            continue
        parts = line.split("\t" if "\t" in line else ARROW)
        if len(parts) != 2:
            problem = "has no separator" if len(parts) == 1 else f"has {len(parts) - 1} separators"
            raise DataError(f"{name} {number:,} {problem}: write source, a tab or ' => ', and target.")
        lines.append((number, parts))
    if not lines:
        raise DataError("There are no pairs: write one per line, source, a tab or ' => ', and target.")
    notes, source, target, first = list[str](), 0, 1, lines[0][1]
    if len(lines) > 1 and recognise_header(first, [parts for _, parts in lines[1:SAMPLE]]) is Header.YES:
        names = header_names(first)
        notes.append(f"{place_text((name, lines[0][0]))} ({', '.join(names):.80}) is read as a header.")
        source, target = ReadOptions(notes=notes).choose(names)
        lines = lines[1:]
    return [((name, number), parts[source], parts[target], None) for number, parts in lines], notes
