"""Which two columns of a table are source and target, and the rows that they give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from nbtextgen.core.errors import DataError, nearest
from nbtextgen.data.readers.text import encoding_problem
from nbtextgen.data.rows import Place, Row

HEADER_NAMES = frozenset({"source", "target", "src", "tgt", "input", "output", "text", "label", "summary"})
"""A first line with two of these is a header even if no column was asked for by name."""
Columns = tuple[str | None, str | None]
"""The names of the source and target columns that were asked for; ``None`` for the two columns there are."""
Record = tuple[Place, Mapping[Any, Any], str | None]
"""The place of a record, its values by column, and why it could not be read, if it could not."""


def choose_columns(names: Sequence[str], asked: Columns) -> tuple[str, str]:
    """Return the names of the two columns asked for, or of the two there are.

    Raises:
        DataError: if there are not two columns, it is not said which two, or a name is not among them.
    """
    source, target = asked
    if len(names) < 2:
        raise DataError(f"The data has {len(names)} column ({', '.join(names)}); two are needed, source and target.")
    if source is None and target is None and len(names) == 2:
        source, target = names
    if source is None or target is None:
        raise DataError(f"The data has columns {', '.join(names)}; say which with --source=NAME --target=NAME.")
    for side, name in (("source", source), ("target", target)):
        if name not in names:
            raise DataError(f"There is no {side} column '{name}' (columns: {', '.join(names)}).{nearest(name, names)}")
    return source, target


def rows_of_lines(file_name: str, lines: Iterator[tuple[int, list[str]]], asked: Columns) -> Iterator[Row]:
    """Yield the rows of a table whose cells are text.

    The first line is a header if columns are asked for by name, or if it has two of ``HEADER_NAMES``.

    Args:
        file_name: for the places.
        lines: line numbers and cells; at least one.
        asked: names of the columns.
    """
    line, first = next(lines)
    header = asked != (None, None) or len({name.strip().lower() for name in first} & HEADER_NAMES) >= 2
    width = len(first)
    names = first if header else [str(column + 1) for column in range(width)]
    if len(set(names)) < width:
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{file_name}, line {line:,}: two columns are named '{twice}'; rename one of them.")
    source, target = map(names.index, choose_columns(names, asked))
    place = f"{file_name}, line"
    for number, cells in lines if header else chain([(line, first)], lines):
        if len(cells) == width:
            yield (place, number), cells[source], cells[target], encoding_problem(cells)
            continue
        problem = f"has {len(cells)} {'column' if len(cells) == 1 else 'columns'}, the first line has {width}"
        padded = [*cells, *[None] * width]
        yield (place, number), padded[source], padded[target], problem


def rows_of_records(records: Iterable[Record], asked: Columns, lookahead: int | None) -> Iterator[Row]:
    """Yield the rows of records; one that lacks a column has ``None`` there.

    Args:
        records: each with its values by column.
        asked: names of the columns.
        lookahead: records whose columns are known before the first row is given; ``None``: all of them.
    """
    records = iter(records)
    first = list(islice(records, lookahead))
    names = {str(name): name for _, record, _ in first for name in record}
    source, target = (names[name] for name in choose_columns(list(names), asked))
    known = set(names.values())
    for place, record, problem in chain(first, records):
        if asked == (None, None) and not record.keys() <= known:
            choose_columns([*names, *(str(name) for name in record if name not in known)], asked)
        yield place, record.get(source), record.get(target), problem
