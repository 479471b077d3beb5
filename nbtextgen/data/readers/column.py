"""One column of texts, for generation: a file of lines, a column of a table, or what holds texts in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, cast

from nbtextgen.core.errors import DataError
from nbtextgen.data.readers.columns import choose_columns
from nbtextgen.data.readers.files import LOOKAHEAD
from nbtextgen.data.readers.read import read_rows
from nbtextgen.data.readers.text import encoding_problem, read_lines
from nbtextgen.data.rows import Rows, place_text

TABLES = (".tsv", ".csv", ".jsonl", ".json", ".parquet")


def stream_column(data: Any, column: str | int | None = None) -> Iterator[object]:
    """Yield the cells of one column, in their order, without holding a file in memory.

    Args:
        data: a file name, a data frame, a mapping of columns, pairs, a series or a list of texts.
        column: its name or number; by default the only column, or the source of two.

    Raises:
        DataError: if the data cannot be read, or has several columns and none is chosen.
    """
    if isinstance(data, (str, Path)):
        return _column_of_file(Path(data), column)
    return _column_in_memory(data, column)


def _column_of_file(path: Path, column: str | int | None) -> Iterator[object]:
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if column is None and suffix not in TABLES:
        for number, line in enumerate(read_lines(path), 1):
            text = line.rstrip("\r\n")
            if problem := encoding_problem([text]):
                raise DataError(f"{path.name}, line {number:,} {problem}.")
            yield text
        return
    name = None if column is None else str(column)
    for place, cell, _, problem in read_rows(path, name, name, LOOKAHEAD):
        if problem is not None:
            raise DataError(f"{place_text(place)} {problem}.")
        yield cell


def _column_in_memory(data: Any, column: str | int | None) -> Iterator[object]:
    if isinstance(data, Rows):
        return iter(data.sources)
    names = list(data) if isinstance(data, Mapping) else _names(data)
    if names is not None:
        return iter(data[_choose([str(name) for name in names], names, column)])
    if not isinstance(data, Iterable) or isinstance(data, bytes):
        raise DataError(f"Texts cannot be read from {type(data).__name__}; give a file name or a list of texts.")
    cells = iter(cast("Iterable[object]", data))
    first = next(cells, None)
    cells = cells if first is None else chain([first], cells)
    if isinstance(first, Mapping):
        key = _choose([str(name) for name in first], list(first), column)
        return (cast("Mapping[Any, object]", cell).get(key) for cell in cells)
    return cells


def _names(data: Any) -> list[Any] | None:
    names = getattr(data, "column_names", None)
    names = getattr(data, "columns", None) if names is None else names
    return None if names is None else list(names)


def _choose(shown: list[str], names: list[Any], column: str | int | None) -> Any:
    if column is None and len(names) == 1:
        return names[0]
    if column is None:
        raise DataError(f"The data has the columns {', '.join(shown)}; choose one with --source.")
    return names[shown.index(choose_columns(shown * 2, (str(column), str(column)))[0])]
