"""One column of texts, for generation: from a file, or from whatever holds texts in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

import numpy as np

from nbtextgen.core.errors import DataError
from nbtextgen.core.names import plain_path
from nbtextgen.core.wording import counted, there_are
from nbtextgen.data.readers.arrow import arrow_table, is_arrow_stream
from nbtextgen.data.readers.columns import (
    SAMPLE,
    ColumnName,
    ReadOptions,
    check_index,
    check_order,
    check_rows,
    record_paths,
    value_at,
)
from nbtextgen.data.readers.files import is_text_file, looks_like_table
from nbtextgen.data.readers.guard import guarded, reading
from nbtextgen.data.readers.read import are_files, files_of, is_indexed, read_rows, table_of
from nbtextgen.data.readers.records import as_record
from nbtextgen.data.readers.text import TextFile
from nbtextgen.data.rows import Rows, is_missing, place_text


def read_texts(data: object, column: ColumnName | None = None, encoding: str | None = None) -> list[object]:
    """Read one column of texts; a missing value is an empty text.

    Args:
        data: a text; a list, array or series of texts; a frame, an Arrow table, a data set, records or a mapping with
            one column; pairs, whose sources are read; or a ``Path``, whose file is read.
        column: which column, by name, number or path, if there are several.
        encoding: of a text file; by default Unicode.

    Raises:
        DataError: if the data is something else, or has several columns and none is chosen.
    """
    if isinstance(data := plain_path(data), Path):
        cells = stream_texts(data, column, encoding)
    else:
        cells = [data] if isinstance(data, str) else _guarded_cells(data, column)
    texts = ["" if is_missing(cell) else cell for cell in cells]
    if len(texts) > 1 and all(isinstance(text, str) and text.endswith("\n") for text in texts[:-1]):
        return [text.rstrip("\r\n") if isinstance(text, str) else text for text in texts]  # of readlines()
    return texts


def stream_texts(data: object, column: ColumnName | None = None, encoding: str | None = None) -> Iterator[object]:
    """Yield the cells of one column, in their order, without holding a file in memory.

    Args:
        data: a file name, of a table or of lines of text, a pattern or a list of such names; or as for ``read_texts``.
        column: its name, number or path; by default the only column, or the source of two.
        encoding: of text files; by default Unicode.

    Raises:
        DataError: if the data cannot be read, or has several columns and none is chosen.
    """
    if isinstance(data := plain_path(data), (str, Path)) or are_files(data):
        options = ReadOptions(column, column, encoding, only_source=True)
        if isinstance(data, str) and data.startswith("builtin:"):
            return _cells_of_rows(data, options)
        return chain.from_iterable(
            _cells_of_file(path, options) for path in files_of(data) or [Path(cast("str | Path", data))]
        )
    return _guarded_cells(data, column)


def _guarded_cells(data: object, column: ColumnName | None) -> Iterator[object]:
    with reading("Texts", data):
        cells = _cells_in_memory(data, column)
    return guarded("Texts", cells, data)


def _cells_of_file(path: Path, options: ReadOptions) -> Iterator[object]:
    if options.source is not None or not is_text_file(path):
        yield from _cells_of_rows(path, options)
        return
    file = TextFile(path, options.encoding)
    for number, line in enumerate(file.plain_lines(), 1):
        if problem := file.problem([line]):
            raise DataError(f"{path.name}, line {number:,} {problem}.")
        yield line


def _cells_of_rows(data: str | Path, options: ReadOptions) -> Iterator[object]:
    for place, cell, _, problem in read_rows(data, options):
        if problem is not None:
            raise DataError(f"{place_text(place)} {problem}.")
        yield cell


def _cells_in_memory(data: Any, column: ColumnName | None) -> Iterable[object]:
    if isinstance(data, Rows):
        return data.sources
    options = ReadOptions(column)
    check_rows(data, options.notes)
    if (table := table_of(data)) is not None:
        index = options.choose_one(table.names, are_numbers=isinstance(data, np.ndarray))
        return table.column(table.paths[index][1])
    if is_arrow_stream(data):
        return _cells_in_memory(arrow_table(data), column)
    if is_indexed(data):
        data = map(data.__getitem__, range(len(data)))
    check_order(data)
    if (
        not hasattr(data, "__iter__")
        or isinstance(data, (bytes, bytearray, type))
        or getattr(data, "shape", None) == ()
    ):
        raise DataError(f"Texts cannot be read from {type(data).__name__}; give a text or a list of texts.")
    cells: Iterator[object] = iter(data.tolist() if hasattr(data, "tolist") else data)
    head = list(islice(cells, 1))
    if head and table_of(head[0]) is not None and not isinstance(head[0], (Mapping, np.ndarray)):
        return chain.from_iterable(_cells_in_memory(part, column) for part in chain(head, cells))
    head += islice(cells, SAMPLE - 1)
    cells = chain(head, cells)
    if head and None not in (records := [as_record(cell) for cell in head]):
        paths = record_paths([record for record in records if record is not None])
        path = paths[options.choose_one([name for name, _ in paths])][1]
        return (value_at(as_record(cell), path) for cell in cells)
    if head and all(isinstance(cell, (list, tuple, np.ndarray)) for cell in head):
        rows = cast("Iterable[Sequence[object]]", cells)
        width = len(cast("Sequence[object]", head[0]))
        index = options.choose_one([str(number + 1) for number in range(width)], are_numbers=True)
        return (row[index] if len(row) == width else None for row in rows)
    return cells


def pair_columns(
    data: object,
    targets: object,
    source: ColumnName | None = None,
    target: ColumnName | None = None,
    encoding: str | None = None,
) -> tuple[Path, Path] | list[tuple[object, object]]:
    """Two columns, or the names of two parallel files, as data that ``Pairs.of`` reads.

    Args:
        data, targets: sources and targets, each a file of lines or as for ``read_texts``.
        source, target: the column of sources in ``data`` and that of targets in ``targets``, if they have several.
        encoding: of text files; by default Unicode.

    Raises:
        DataError: if there are not as many targets as sources, or a table has several columns and none is chosen.
    """
    data, targets = plain_path(data), plain_path(targets)
    check_index(data, targets)
    sides = [(data, source), (targets, target)]
    if all(isinstance(side, (str, Path)) and column is None and _is_text(side, encoding) for side, column in sides):
        return Path(cast("str | Path", data)), Path(cast("str | Path", targets))
    sources, answers = (_column(side, column, encoding) for side, column in sides)
    if len(sources) != len(answers):
        raise DataError(
            f"{there_are(len(sources), 'source')} but {counted(len(answers), 'target')}; give one target per source."
        )
    return list(zip(sources, answers, strict=True))


def _is_text(name: str | Path, encoding: str | None) -> bool:
    """Return ``True`` for the name of a file of lines, also of one that does not exist."""
    paths = [] if str(name).startswith("builtin:") else files_of(name) or [Path(name)]
    return bool(paths) and not any(path.is_file() and looks_like_table(path, encoding) for path in paths)


def _column(data: object, column: ColumnName | None, encoding: str | None) -> list[object]:
    """Return all cells of one column, which must be chosen if there are several."""
    if not isinstance(data, (str, Path)):
        return read_texts(data, column)
    if column is None and _is_text(data, encoding):
        return list(stream_texts(data, None, encoding))
    options = ReadOptions(column, column, encoding, only_source=True, is_chosen=True)
    return list(_cells_of_rows(data, options))
