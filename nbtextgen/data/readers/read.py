"""Rows from whatever holds two columns of text: files and their names, tables in memory, and streams."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import numpy as np

from nbtextgen.core.errors import DataError
from nbtextgen.core.names import plain_path
from nbtextgen.core.wording import as_given, counted, there_are
from nbtextgen.data.builtin import rows_from_name
from nbtextgen.data.readers.arrow import BATCH, arrow_table, is_arrow_stream
from nbtextgen.data.readers.columns import (
    SAMPLE,
    TO_LIST,
    ColumnName,
    ColumnPath,
    Fields,
    ReadOptions,
    check_column,
    check_index,
    check_rows,
    column_of,
    column_paths,
    value_at,
)
from nbtextgen.data.readers.files import is_pairs_file, looks_like_table, rows_of_file, rows_of_parallel_files
from nbtextgen.data.readers.guard import guarded, reading
from nbtextgen.data.readers.guard import is_instance as _is
from nbtextgen.data.readers.header import note_header
from nbtextgen.data.readers.packing import check_file
from nbtextgen.data.readers.records import as_record, rows_of_records
from nbtextgen.data.rows import NO_PAIRS, Place, Row, Rows, row_error


def read_rows(data: Any, options: ReadOptions) -> Iterator[Row]:
    """Yield the rows of two columns, with their places, without checking the cells.

    Args:
        data: see ``Pairs.of``.
        options: which columns, and how files are read.

    Raises:
        DataError: if the data has not two columns, or a file cannot be read; names the place.
    """
    if isinstance(data := plain_path(data), (str, Path)):
        return _rows_of_name(str(data), options)
    with reading("Pairs", data):
        rows = _rows_in_memory(data, options)
    return guarded("Pairs", rows, data)


def _rows_in_memory(data: Any, options: ReadOptions) -> Iterator[Row]:
    if paths := parallel_files(data, options):
        return note_header(rows_of_parallel_files(*paths, options), options)
    if isinstance(data, Rows):
        problems = data.problems
        options.notes.extend(data.notes)
        cells = zip(data.places, data.sources, data.targets, strict=True)
        return ((*row, problems.get(index)) for index, row in enumerate(cells))
    if (table := table_of(data)) is not None:
        indices = options.choose(table.names, are_numbers=_is_matrix(data))
        source, target = (table.paths[index][1] for index in indices)
        rows = _rows_of_pairs(table.pairs(source, target))
        return note_header(rows, options) if all(name.isdigit() for name in table.names) else rows
    if hasattr(data, "to_batches"):  # a data set of Arrow
        data = data.to_batches()
    if is_arrow_stream(data):
        return _rows_in_memory(arrow_table(data), options)
    if is_indexed(data):
        data = map(data.__getitem__, range(len(data)))
    if getattr(data, "shape", None) != () and isinstance(data, Iterable) and not isinstance(data, bytes):
        return _rows_of_sequence(cast("Iterable[object]", data), options)
    raise DataError(
        f"Pairs cannot be read from {type(data).__name__}; give a list of (source, target), a data frame, or a file."
    )


def stream_pairs(
    data: object,
    source: ColumnName | None = None,
    target: ColumnName | None = None,
    encoding: str | None = None,
    notes: list[str] | None = None,
) -> Iterator[tuple[Place, str, str]]:
    """Yield the place, source and target of checked pairs without holding more than a few thousand.

    Args:
        data: as for ``Pairs.of``: names of files that do not fit into the memory, or any iterable of
            (source, target) or of records, such as a ``datasets`` stream.
        source, target: columns by name or number, if there are more than two.
        encoding: of text files.
        notes: receives what the reader assumed.

    Raises:
        DataError: for a row that is not two texts, a damaged file, or data without rows; names the place.
    """
    empty = True
    for row in read_rows(data, ReadOptions(source, target, encoding, notes=[] if notes is None else notes)):
        if error := row_error(row):
            raise DataError(error)
        empty = False
        yield cast("tuple[Place, str, str]", row[:3])
    if empty:
        raise DataError(NO_PAIRS)


# Files ------------------------------------------------------------------------------------------------------------


def files_of(data: object) -> list[Path]:
    """Return the files that are named by a name, a pattern or a list of names; none if the data is something else."""
    if isinstance(data := plain_path(data), (str, Path)):
        name = str(data)
        return [] if name.startswith("builtin:") else _matching_files(name)
    if isinstance(data, (list, tuple)):
        names = cast("Sequence[object]", data)
        if names and all(map(_names_file, names)):
            return [path for name in names for path in files_of(name)]
    return []


def _matching_files(name: str) -> list[Path]:
    """The file of a name, or all files that a pattern such as ``parts/*.tsv.gz`` fits."""
    if name.startswith("file://"):
        name = unquote(urlsplit(name).path)
    name = os.path.expanduser(name if _is_file(name) else os.path.expandvars(name))
    is_pattern = any(mark in name for mark in "*?[") and not _is_file(name)
    return [Path(each) for each in sorted(glob.glob(name))] if is_pattern else [Path(name)]


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a name that is too long, or holds NUL
        return False


def _names_file(value: object) -> bool:
    if isinstance(value, Path):
        return True
    return isinstance(value, str) and "\n" not in value and (is_pairs_file(Path(value)) or _is_file(value))


def are_files(data: object) -> bool:
    """Return ``True`` for a list of paths or of names of files that exist; other lists of text are texts."""
    names = iter(cast("Sequence[object]", data)) if isinstance(data, (list, tuple)) else iter(())
    are_names = (isinstance(name, Path) or (isinstance(name, str) and _is_file(name)) for name in names)
    return next(are_names, False) and all(are_names)


def _names_files(values: object) -> bool:
    return isinstance(values, (list, tuple)) and all(map(_names_file, cast("Sequence[object]", values)))


def parallel_files(data: Any, options: ReadOptions) -> tuple[Path, Path] | None:
    """The two files if the data is two names of text files whose lines belong together, such as ``train.en``."""
    named: dict[object, object] = dict(cast("Fields", data)) if _is(data, Mapping) else {}
    if len(named) == 2 and _names_files(list(named.values())):
        data = [list(named.values())[index] for index in options.choose(list(map(str, named)))]
    elif getattr(data, "shape", None) == (2,):
        data = data.tolist()
    if not isinstance(data, (list, tuple)):
        return None
    names = cast("Sequence[object]", data)
    if len(names) != 2 or not any(map(_names_file, names)) or not all(isinstance(name, (str, Path)) for name in names):
        return None
    source, target = (Path(name) for name in cast("Sequence[str | Path]", names))
    for path in (source, target):
        if not any(mark in str(path) for mark in "*?["):
            check_file(path)
        elif not path.exists():
            return None
    return None if any(looks_like_table(path, options.encoding) for path in (source, target)) else (source, target)


def _rows_of_name(name: str, options: ReadOptions) -> Iterator[Row]:
    """Rows of a built-in set, of one file, or of all files that a pattern fits."""
    if name.startswith("builtin:"):
        return _rows_of_pairs(rows_from_name(name))
    if not name.strip():
        raise DataError("The name of the file is empty.")
    if ("\n" in name or "\t" in name) and not _is_file(name):
        raise DataError(
            f"{' '.join(name.split()):.40} is a text, not the name of a file; Pairs.from_text reads pairs in a text."
        )
    if "://" in name and not name.startswith("file://"):
        raise DataError(f"{name:.200} is an address; download the file, or read it with pandas and give the frame.")
    files = _matching_files(name)
    if not files:
        raise DataError(f"No file fits {name}; check the pattern and the folder.")
    return (row for path in files for row in rows_of_file(path, options))


# Tables in memory -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """A table in memory: a mapping of columns, a frame, an array, an Arrow table or a data set.

    Attributes:
        data: the table.
        paths: names and paths of the columns; the first key of a path is the number of the column.
        keys: keys of the columns in ``data``.
    """

    data: Any
    paths: list[tuple[str, ColumnPath]]
    keys: Sequence[object]

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [name for name, _ in self.paths]

    def column(self, path: ColumnPath) -> list[object]:
        """All values of a column."""
        return [value for part in self._parts() for value in self._values(part, path)]

    def pairs(self, source: ColumnPath, target: ColumnPath) -> Iterator[tuple[object, object]]:
        """Yield the values of two columns."""
        if _is(self.data, Mapping):
            check_index(*(self.data[self.keys[path[0]]] for path in (source, target)))
        for part in self._parts():
            sources, targets = self._values(part, source), self._values(part, target)
            if len(sources) != len(targets):
                raise DataError(
                    f"{there_are(len(sources), 'source')} but {counted(len(targets), 'target')}; give one target each."
                )
            yield from zip(sources, targets, strict=True)

    def _parts(self) -> Iterable[object]:
        """The table, or slices of it if it may be larger than memory."""
        if hasattr(self.data, "column_names") and hasattr(self.data, "__len__"):
            return (self.data[start : start + BATCH] for start in range(0, len(self.data), BATCH))
        return [self.data]

    def _values(self, part: object, path: ColumnPath) -> list[object]:
        column = _column(part, path[0], self.keys[path[0]])
        return column if len(path) == 1 else [value_at(value, path[1:]) for value in column]


def _column(table: Any, index: int, key: object) -> list[object]:
    """The values of a column as plain Python objects."""
    if hasattr(table, "iloc"):
        column = table.iloc[:, index]
    elif hasattr(table, "schema") and hasattr(table, "column"):
        column = table.column(index)
    else:
        column = table[:, index] if _is_matrix(table) else table[key]
    for method in TO_LIST:
        if hasattr(column, method):
            return getattr(column, method)()
    check_column(column)
    if isinstance(column, (str, bytes)) or not hasattr(column, "__iter__"):
        raise DataError(
            f"The column '{key}' is {column!r:.40}, not a list of texts; give a list for every column, or for a mapping of sources to targets list(data.items())."
        )
    return list(column)


def _is_matrix(data: Any) -> bool:
    return _is(data, np.ndarray) and data.dtype.names is None


def is_indexed(data: object) -> bool:
    """Return ``True`` for a data set of PyTorch: rows by number, without an iterator."""
    return not isinstance(data, (Iterable, type)) and all(hasattr(data, name) for name in ("__getitem__", "__len__"))


def _is_lazy(data: object) -> bool:
    """Return ``True`` for a frame whose rows are not computed yet."""
    return hasattr(type(data), "collect") and hasattr(type(data), "columns")


def table_of(data: Any) -> Table | None:
    """The table that some data is; ``None`` if it is none.

    Raises:
        DataError: for several tables in one, such as a ``DatasetDict``.
    """
    if _is(data, type):
        return None
    if _is(data, Mapping):
        is_split = [hasattr(value, "column_names") or hasattr(value, "columns") for value in data.values()]
        splits = [str(name) for name, split in zip(data, is_split, strict=True) if split]
        if splits:
            raise DataError(
                f"The data has several splits ({', '.join(splits)}); choose a split, as data['{splits[0]}']."
            )
        keys = list(data)
        if len(keys) > 2 and all(isinstance(value, str) for value in data.values()):
            raise DataError("The data is a mapping of texts to texts; give its pairs, as list(data.items()).")
    elif _is(data, np.ndarray):
        names: tuple[str, ...] | None = data.dtype.names
        if data.ndim != 2 and names is None:
            return None
        keys = list(range(1, data.shape[1] + 1)) if names is None else list(names)
    elif _is_lazy(data):
        raise DataError(f"A {type(data).__name__} holds no rows yet; give the result of its method collect().")
    else:
        keys = getattr(data, "column_names", None)
        keys = getattr(data, "columns", None) if keys is None else keys
        if keys is None or callable(keys) or not hasattr(data, "__getitem__") or not hasattr(data, "__len__"):
            return None
        keys = list(keys)
    first = data
    if _is(data, np.ndarray) or hasattr(data, "column_names"):
        first = first[:100]
    elif hasattr(data, "head"):
        first = first.head(100)
    samples = [(index, str(key), _sample(first, index, key)) for index, key in enumerate(keys)]
    return Table(data, column_paths(samples), keys)


def _sample(table: Any, index: int, key: object) -> list[object]:
    """Some values of a column, to tell whether they are mappings; none of one that a data set's transform leaves out."""
    with suppress(KeyError):
        if not isinstance(table, Mapping):
            return _column(table, index, key)[:100]
        column = cast("Fields", table)[key]
        if isinstance(column, (list, tuple)):
            return list(cast("Sequence[object]", column)[:100])
    return []


# Sequences --------------------------------------------------------------------------------------------------------


def _rows_of_sequence(data: Iterable[Any], options: ReadOptions) -> Iterator[Row]:
    """Rows of (source, target), of records, or of names of files."""
    check_rows(data, options.notes)
    if hasattr(data, "to_pylist"):  # an array of Arrow
        data = cast("Iterable[object]", cast("Any", data).to_pylist())
    rows = iter(data)
    first = list(islice(rows, 1))
    if (
        first
        and not isinstance(first[0], Mapping)
        and any(hasattr(first[0], name) for name in ("columns", "column_names"))
    ):
        parts = (read_rows(part, options) for part in chain(first, rows))
        return ((("row", number), *row[1:]) for number, row in enumerate(chain.from_iterable(parts), 1))
    first += islice(rows, SAMPLE - 1)
    rows = chain(first, rows)
    if first and all(map(_names_file, first)):
        return (row for name in rows for row in _rows_of_name(str(name), options))
    is_numbered = (options.source, options.target) != (None, None)
    columns = list(map(column_of, first)) if len(first) == 2 and not is_numbered else []
    if len(columns) == 2 and columns[0] and len(columns[0]) == len(columns[1]):
        check_index(*first)
        options.notes.append(f"The data is read as two columns of {len(columns[0]):,} texts each.")
        return note_header(_rows_of_pairs(zip(*columns, strict=True)), options)
    if first and all(as_record(row) is not None for row in first):
        return rows_of_records(_records(rows), options)
    if first and all(map(_names_files, first)):
        return (row for names in rows for row in read_rows(names, options))
    if is_numbered and first and isinstance(first[0], (list, tuple, np.ndarray)):
        width = len(cast("Sequence[object]", first[0]))
        indices = options.choose([str(number + 1) for number in range(width)], are_numbers=True)
        return note_header(_rows_of_pairs(_cells_of(rows, width, indices)), options)
    return note_header(_rows_of_pairs(rows), options)


def _cells_of(rows: Iterable[Any], width: int, indices: tuple[int, int]) -> Iterator[Any]:
    """Two cells of every row that has the right width; other rows as they are."""
    for row in rows:
        yield [row[index] for index in indices] if len(row) == width else row


def _records(rows: Iterable[Any]) -> Iterator[tuple[Place, Fields, None]]:
    for number, row in enumerate(rows, 1):
        if (record := as_record(row)) is None:
            raise DataError(f"row {number:,}: expected a record as the rows before it, got {as_given(row)}.")
        yield ("row", number), record, None


def _rows_of_pairs(pairs: Iterable[Any]) -> Iterator[Row]:
    for number, pair in enumerate(pairs, 1):
        if type(pair) is not tuple and not isinstance(pair, str) and hasattr(pair, "tolist"):
            pair = pair.tolist()
        if isinstance(pair, str) and re.fullmatch(r"[^\s]+\.\w{1,5}(\.gz)?", pair):
            check_file(Path(pair))  # a misspelt name is no row
        if isinstance(pair, (str, bytes)) or not isinstance(pair, Sequence) or len(cast("Sequence[object]", pair)) != 2:
            raise DataError(
                f"row {number:,}: expected (source, target), got {as_given(cast('object', pair))}; give two texts per row."
            )
        source, target = cast("Sequence[object]", pair)
        yield ("row", number), source, target, None
