"""Tables in Arrow's formats: Parquet, Arrow files (Feather is one), and Arrow streams, read batch by batch."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from nbtextgen.core.errors import DataError, MemoryShortError, is_memory_short
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.data.readers.columns import ColumnPath, ReadOptions, value_at
from nbtextgen.data.readers.memory import ROW_BYTES, check_fits
from nbtextgen.data.rows import Row

BATCH = 4096
"""Rows that are read at a time."""
_BUFFER = 1 << 20
"""Bytes of a column that are read at a time: pyarrow reads all of a row group without it."""


def is_arrow_stream(data: object) -> bool:
    """Return ``True`` for an object that gives its rows only by Arrow's stream interface."""
    return hasattr(type(data), "__arrow_c_stream__") and not isinstance(data, Iterable)


def arrow_table(data: object) -> object:
    """The table of an object with Arrow's stream interface, such as a result of a database."""
    with optional_import("A table of Arrow", "pyarrow", "frames"):
        pyarrow = import_module("pyarrow")
    return pyarrow.table(data)


def rows_of_parquet(path: Path, options: ReadOptions) -> Iterator[Row]:
    """Yield the rows of a Parquet file; raises as ``rows_of_file``."""
    with optional_import("A Parquet file", "pyarrow", "frames"):
        pyarrow = import_module("pyarrow")
        parquet = import_module("pyarrow.parquet")
    try:
        with parquet.ParquetFile(path, buffer_size=_BUFFER, page_checksum_verification=True) as file:
            schema = file.schema_arrow
            source, target = _chosen(schema, options)
            names = [schema.names[path[0]] for path in (source, target)]
            if options.in_memory:
                _check_columns(file)
                size = _parquet_bytes(file.metadata, {*names})
                check_fits(path, file.metadata.num_rows * (ROW_BYTES + 50) + size)
            columns = None  # all, if names alone do not tell the columns apart
            if all(schema.names.count(name) == 1 for name in names):
                columns = list({*names})
                source, target = ((name, *rest) for name, (_, *rest) in zip(names, (source, target), strict=True))
            batches = file.iter_batches(BATCH, columns=columns)
            yield from _rows(path, batches, source, target, file.metadata.num_rows if options.in_memory else 0)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise _unreadable(path, "Parquet", error) from None


def rows_of_arrow(path: Path, options: ReadOptions) -> Iterator[Row]:
    """Yield the rows of an Arrow file or stream; raises as ``rows_of_file``."""
    with optional_import("An Arrow or Feather file", "pyarrow", "frames"):
        pyarrow = import_module("pyarrow")
        ipc = import_module("pyarrow.ipc")
    try:
        with pyarrow.memory_map(str(path)) as memory:
            is_file = memory.read(6) == b"ARROW1"
            memory.seek(0)
            reader = ipc.open_file(memory) if is_file else ipc.open_stream(memory)
            source, target = _chosen(reader.schema, options)
            count = reader.num_record_batches if is_file else 0
            batches = map(reader.get_batch, range(count)) if is_file else reader
            if options.in_memory:  # text objects need about twice their bytes
                size = reader.get_batch(0).nbytes * count if count else path.stat().st_size
                check_fits(path, 2 * size)
            rows = sum(reader.get_batch(index).num_rows for index in range(count)) if options.in_memory else 0
            yield from _rows(path, batches, source, target, rows)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise _unreadable(path, "Arrow", error) from None


def _chosen(schema: Any, options: ReadOptions) -> tuple[ColumnPath, ColumnPath]:
    paths = arrow_paths(schema)
    source, target = (paths[index][1] for index in options.choose([name for name, _ in paths]))
    return source, target


def _rows(path: Path, batches: Iterable[Any], source: ColumnPath, target: ColumnPath, count: int) -> Iterator[Row]:
    """Yield the rows of batches; ``count`` rows must fit into memory, as the first of them tell.

    In a file, a column whose texts are often the same takes little space.
    """
    number = 0
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH):
            part = batch.slice(start, BATCH)
            columns = [part.column(column[0]).to_pylist() for column in (source, target)]
            if number == 0 and count:
                size = sum(sys.getsizeof(cell) for column in columns for cell in column)
                check_fits(path, count * (ROW_BYTES + size / part.num_rows))
            for cells in zip(*columns, strict=True):
                number += 1
                source_cell, target_cell = cells
                place = f"{path.name}, row", number
                yield place, value_at(source_cell, source[1:]), value_at(target_cell, target[1:]), None


def _unreadable(path: Path, kind: str, error: Exception) -> DataError | MemoryShortError:
    if isinstance(error, DataError):
        return error
    if is_memory_short(error):
        return MemoryShortError(f"There is not enough memory to read {path}; close other notebooks or programs.")
    how = str(error).splitlines()[0].rstrip(".")
    return DataError(f"{path} cannot be read as {kind} ({how}); make or copy the file again.")


def arrow_paths(schema: Any) -> list[tuple[str, ColumnPath]]:
    """Names and paths of the columns of an Arrow schema, those inside of structures included.

    The first key of a path is the number of the column, since two columns may have one name.
    """

    def paths(fields: Any) -> Iterator[tuple[str, ColumnPath]]:
        for field in fields:
            inner = (
                [field.type.field(index) for index in range(field.type.num_fields)] if _is_struct(field.type) else []
            )
            yield from ((f"{field.name}.{name}", (field.name, *path)) for name, path in paths(inner))
            if not inner:
                yield field.name, (field.name,)

    return [(name, (index, *path[1:])) for index, field in enumerate(schema) for name, path in paths([field])]


def _is_struct(kind: object) -> bool:
    return str(kind).startswith("struct")


def _check_columns(file: Any) -> None:
    """Raise as pyarrow does if the description of a column is damaged: asked for its size, pyarrow would end the process."""
    for group in range(file.num_row_groups):
        next(file.iter_batches(1, row_groups=[group]), None)


def _parquet_bytes(metadata: Any, columns: set[object]) -> int:
    """Unpacked bytes of some columns of a Parquet file."""
    total = 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            total += chunk.total_uncompressed_size if chunk.path_in_schema.split(".")[0] in columns else 0
    return total
