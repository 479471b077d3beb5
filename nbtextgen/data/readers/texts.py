"""One column of texts, for generation: from a file, or from whatever holds texts in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from nbtextgen.core.errors import DataError
from nbtextgen.data.readers.columns import SAMPLE, ColumnName, ReadOptions, record_paths, value_at
from nbtextgen.data.readers.files import is_text_file
from nbtextgen.data.readers.read import read_rows, table_of
from nbtextgen.data.readers.text import TextFile
from nbtextgen.data.rows import Rows, is_missing, place_text


def read_texts(data: Any, column: ColumnName | None = None) -> list[Any]:
    """Read one column of texts; a missing value is an empty text.

    Args:
        data: a text; a list, array or series of texts; a frame, an Arrow table, a data set, records or a mapping with
            one column; or pairs, whose sources are read.
        column: which column, by name, number or path, if there are several.

    Raises:
        DataError: if the data is something else, or has several columns and none is chosen.
    """
    cells = [data] if isinstance(data, str) else _cells_in_memory(data, column)
    return ["" if is_missing(cell) else cell for cell in cells]


def stream_texts(data: Any, column: ColumnName | None = None) -> Iterator[object]:
    """Yield the cells of one column, in their order, without holding a file in memory.

    Args:
        data: a file name, of a table or of lines of text, or as for ``read_texts``.
        column: its name, number or path; by default the only column, or the source of two.

    Raises:
        DataError: if the data cannot be read, or has several columns and none is chosen.
    """
    return _cells_of_file(Path(data), column) if isinstance(data, (str, Path)) else iter(_cells_in_memory(data, column))


def _cells_of_file(path: Path, column: ColumnName | None) -> Iterator[object]:
    if column is None and is_text_file(path):
        file = TextFile(path)
        for number, line in enumerate(file.plain_lines(), 1):
            if problem := file.problem([line]):
                raise DataError(f"{path.name}, line {number:,} {problem}.")
            yield line
        return
    for place, cell, _, problem in read_rows(path, ReadOptions(column, column, only_source=True)):
        if problem is not None:
            raise DataError(f"{place_text(place)} {problem}.")
        yield cell


def _cells_in_memory(data: Any, column: ColumnName | None) -> Iterable[Any]:
    if isinstance(data, Rows):
        return data.sources
    options = ReadOptions(column)
    if (table := table_of(data)) is not None:
        index = options.choose_one(table.names, are_numbers=isinstance(data, np.ndarray))
        return table.column(table.paths[index][1])
    if not hasattr(data, "__iter__") or hasattr(data, "decode") or getattr(data, "shape", None) == ():
        raise DataError(f"Texts cannot be read from {type(data).__name__}; give a text or a list of texts.")
    cells: Iterator[Any] = iter(data.tolist() if hasattr(data, "tolist") else data)
    head = list(islice(cells, SAMPLE))
    cells = chain(head, cells)
    if head and all(hasattr(cell, "keys") for cell in head):
        paths = record_paths(head)
        path = paths[options.choose_one([name for name, _ in paths])][1]
        return (value_at(cell, path) for cell in cells)
    if head and all(isinstance(cell, (list, tuple, np.ndarray)) for cell in head):
        width = len(head[0])
        index = options.choose_one([str(number + 1) for number in range(width)], are_numbers=True)
        return (cell[index] if len(cell) == width else None for cell in cells)
    return cells


def pair_columns(data: Any, targets: Any) -> Any:
    """Two columns, or the names of two parallel files, as data that ``Pairs.of`` reads.

    Raises:
        DataError: if there are not as many targets as sources.
    """
    if isinstance(data, (str, Path)) and isinstance(targets, (str, Path)):
        return Path(data), Path(targets)
    columns = [
        list(stream_texts(each)) if isinstance(each, (str, Path)) else read_texts(each) for each in (data, targets)
    ]
    sources, answers = columns
    if len(sources) != len(answers):
        raise DataError(f"There are {len(sources):,} sources but {len(answers):,} targets; give one target per source.")
    return list(zip(sources, answers, strict=True))
