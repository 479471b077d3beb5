"""Rows from whatever holds two columns of text: files and their names, tables in memory, and streams."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from nbtextgen.core.errors import DataError
from nbtextgen.data.builtin import rows_from_name
from nbtextgen.data.readers.columns import Columns, Record, choose_columns, rows_of_records
from nbtextgen.data.readers.files import LOOKAHEAD, is_pairs_file, rows_of_file, rows_of_parallel_files
from nbtextgen.data.rows import NO_PAIRS, Place, Row, Rows, row_error


def read_rows(data: Any, source: str | None, target: str | None, lookahead: int | None = None) -> Iterator[Row]:
    """Yield the rows of two columns, with their places, without checking the cells.

    Args:
        data: see ``Pairs.of``.
        source, target: column names; by default the two columns there are.
        lookahead: rows that are held in memory to see which columns there are; ``None``: all of them. What stands
            beyond is read as the rows before it.

    Raises:
        DataError: if the data has not two columns, or a file cannot be read; names the place.
    """
    asked = (source, target)
    if isinstance(data, (str, Path)):
        return _rows_of_name(str(data), asked, lookahead)
    if _is_parallel(data):
        return rows_of_parallel_files(*map(Path, data))
    if isinstance(data, Mapping):
        return _rows_of_columns(data, asked)
    if isinstance(data, Rows):
        problems = data.problems
        cells = zip(data.places, data.sources, data.targets, strict=True)
        return ((*row, problems.get(index)) for index, row in enumerate(cells))
    names = getattr(data, "column_names", None) or getattr(data, "columns", None)
    if names is not None and hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return _rows_of_frame(data, {str(name): name for name in names}, asked)
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes)):
        return _rows_of_sequence(data, asked, lookahead)
    raise DataError(
        f"Pairs cannot be read from {type(data).__name__}; give a list of (source, target), a data frame, or a file."
    )


def stream_pairs(data: Any, source: str | None = None, target: str | None = None) -> Iterator[tuple[Place, str, str]]:
    """Yield the place, source and target of checked pairs without holding more than a few thousand.

    Args:
        data: as for ``Pairs.of``: names of files that do not fit into the memory, or any iterable of
            (source, target) or of records, such as a ``datasets`` stream.
        source, target: column names, if there are more than two columns.

    Raises:
        DataError: for a row that is not two texts, a damaged file, or data without rows; names the place.
    """
    empty = True
    for row in read_rows(data, source, target, LOOKAHEAD):
        if error := row_error(row):
            raise DataError(error)
        empty = False
        yield row[:3]
    if empty:
        raise DataError(NO_PAIRS)


def files_of(data: Any) -> list[Path]:
    """Return the files that are named by a name, a pattern or a list of names; none if the data is something else."""
    if isinstance(data, (str, Path)):
        return [] if str(data).startswith("builtin:") else _matching_files(str(data))
    if _is_parallel(data):
        return [Path(name) for name in data]
    if isinstance(data, Sequence) and data and all(map(_names_pairs_file, data)):
        return [path for name in data for path in files_of(name)]
    return []


def _matching_files(name: str) -> list[Path]:
    """The file of a name, or all files that a pattern such as ``parts/*.tsv.gz`` fits."""
    is_pattern = any(mark in name for mark in "*?[") and not Path(name).exists()
    return [Path(each) for each in sorted(glob.glob(name))] if is_pattern else [Path(name)]


def _names_pairs_file(value: Any) -> bool:
    return isinstance(value, Path) or (isinstance(value, str) and is_pairs_file(Path(value)))


def _is_parallel(data: Any) -> bool:
    """Two paths, or two names of files that are no tables of pairs by themselves, such as ``train.en``."""
    if not isinstance(data, tuple) or len(data) != 2:
        return False
    if all(isinstance(name, Path) for name in data):
        return True
    return all(isinstance(name, str) and Path(name).is_file() and not _names_pairs_file(name) for name in data)


def _rows_of_name(name: str, asked: Columns, lookahead: int | None) -> Iterator[Row]:
    """Rows of a built-in set, of one file, or of all files that a pattern fits."""
    if name.startswith("builtin:"):
        return _rows_of_pairs(rows_from_name(name))
    files = _matching_files(name)
    if not files:
        raise DataError(f"No file fits {name}; check the pattern and the folder.")
    return (row for path in files for row in rows_of_file(path, asked, lookahead))


def _rows_of_columns(columns: Mapping[Any, Iterable[Any]], asked: Columns) -> Iterator[Row]:
    by_name = {str(name): column for name, column in columns.items()}
    sources, targets = (list(by_name[name]) for name in choose_columns(list(by_name), asked))
    if len(sources) != len(targets):
        raise DataError(f"There are {len(sources):,} sources but {len(targets):,} targets; give one target each.")
    return _rows_of_pairs(zip(sources, targets, strict=True))


def _rows_of_frame(frame: Any, names: Mapping[str, Any], asked: Columns) -> Iterator[Row]:
    """Rows of a pandas or polars frame, or of a ``datasets.Dataset``, which may be larger than memory."""
    source, target = (names[name] for name in choose_columns(list(names), asked))
    slices = [frame]
    if hasattr(frame, "column_names"):
        slices = (frame[start : start + LOOKAHEAD] for start in range(0, len(frame), LOOKAHEAD))
    return _rows_of_pairs(pair for part in slices for pair in zip(part[source], part[target], strict=True))


def _rows_of_sequence(data: Iterable[Any], asked: Columns, lookahead: int | None) -> Iterator[Row]:
    """Rows of (source, target), of records, or of names of files."""
    rows = iter(data)
    first = list(islice(rows, lookahead))
    rows = chain(first, rows)
    if first and all(isinstance(row, Mapping) for row in first):
        return rows_of_records(_records(rows), asked, lookahead)
    if first and all(map(_names_pairs_file, first)):
        return (row for name in rows for row in _rows_of_name(str(name), asked, lookahead))
    return _rows_of_pairs(rows)


def _records(rows: Iterable[Any]) -> Iterator[Record]:
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise DataError(f"row {number:,}: expected a record as the rows before it, got {row!r:.60}.")
        yield ("row", number), row, None


def _rows_of_pairs(pairs: Iterable[Any]) -> Iterator[Row]:
    for number, pair in enumerate(pairs, 1):
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise DataError(f"row {number:,}: expected (source, target), got {pair!r:.60}; give two texts per row.")
        yield ("row", number), pair[0], pair[1], None
