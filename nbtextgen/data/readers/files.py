"""Files of pairs, known by their content and always read as text: no value is a number, a date or missing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from nbtextgen.core.errors import DataError
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.data.readers.columns import ColumnPath, ReadOptions, value_at
from nbtextgen.data.readers.delimited import SEPARATORS, rows_of_table
from nbtextgen.data.readers.memory import ROW_BYTES, check_fits, check_text_fits, free_memory
from nbtextgen.data.readers.records import rows_of_json
from nbtextgen.data.readers.text import PARQUET, TextFile, byte_pieces, is_packed
from nbtextgen.data.rows import Row

SUFFIXES = (".tsv", ".csv", ".txt", ".jsonl", ".json", ".parquet")
BATCH = 4096
"""Rows that are read at a time."""


def is_pairs_file(path: Path) -> bool:
    """Return ``True`` if the name ends as that of a file of pairs does."""
    return _suffix(path) in SUFFIXES


def _suffix(path: Path) -> str:
    """The ending of the name, without ``.gz``."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def rows_of_file(path: Path, options: ReadOptions) -> Iterator[Row]:
    """Yield the rows of a file.

    Raises:
        DataError: if the file is missing, damaged, or has not the columns that are asked for; names the place.
        MemoryShortError: if the rows are to be kept and would not fit into memory.
    """
    head = next(byte_pieces(path), b"")
    if head.startswith(PARQUET) and is_packed(path):
        raise DataError(f"{path} is a Parquet file packed with gzip; unpack it first.")
    if head.startswith(PARQUET) or _suffix(path) == ".parquet":
        return _parquet_rows(path, options)
    if options.in_memory:
        check_text_fits(path, options.encoding)
    file = TextFile(path, options.encoding, free_memory() if options.in_memory else None)
    is_json = _suffix(path) in (".jsonl", ".json") or _holds_json(TextFile(path, options.encoding))
    return rows_of_json(file, options) if is_json else rows_of_table(file, options)


def is_text_file(path: Path) -> bool:
    """Return ``True`` for a file of lines of text that, by its name, is no table."""
    return _suffix(path) not in SUFFIXES or _suffix(path) == ".txt"


def _holds_json(file: TextFile) -> bool:
    """Return ``True`` if the first lines are those of JSON objects or of a list of them."""
    lines = list(islice((line.strip() for line in file.lines() if not line.isspace()), 3))
    if not lines or lines[0][0] not in "[{":
        return False
    with suppress(ValueError, RecursionError):
        return isinstance(json.loads(lines[0]), dict)
    return re.match(r'\[?\s*\{\s*"[^"]*"\s*:', "".join(lines)) is not None


def rows_of_parallel_files(source: Path, target: Path, options: ReadOptions) -> Iterator[Row]:
    """Yield rows from two text files whose lines belong together; empty lines at the end do not count."""
    files = [TextFile(path, options.encoding) for path in (source, target)]
    if options.in_memory:
        for path in (source, target):
            check_text_fits(path, options.encoding)
    counts = [_line_count(file) for file in files]
    if counts[0] != counts[1]:
        raise DataError(f"{source} has {counts[0]:,} lines but {target} has {counts[1]:,}; they must match.")
    if not counts[0]:
        raise DataError(f"{source} and {target} are empty; write one text per line.")
    lines = zip(*(file.plain_lines() for file in files), strict=False)
    for number, cells in enumerate(islice(lines, counts[0]), 1):
        problem = next((problem for file in files if (problem := file.problem(cells))), None)
        yield (f"{source.name}, line", number), *cells, problem


def _line_count(file: TextFile) -> int:
    return max((number for number, line in enumerate(file.plain_lines(), 1) if line), default=0)


def looks_like_table(path: Path, encoding: str | None = None) -> bool:
    """Return ``True`` for a file that holds pairs by itself, and not one side of parallel texts."""
    if _suffix(path) in (".csv", ".json", ".jsonl", ".parquet"):
        return True
    lines = list(islice((line for line in TextFile(path, encoding).lines() if line.strip()), 50))
    return sum(any(mark in line for mark in ("\t", *SEPARATORS)) for line in lines) > len(lines) / 2


def _parquet_rows(path: Path, options: ReadOptions) -> Iterator[Row]:
    with optional_import("A Parquet file", "pyarrow", "frames"):
        pyarrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            paths = arrow_paths(file.schema_arrow)
            source, target = (paths[index][1] for index in options.choose([name for name, _ in paths]))
            if options.in_memory:
                size = _parquet_bytes(file.metadata, {source[0], target[0]})
                check_fits(path, file.metadata.num_rows * (ROW_BYTES + 50) + size)
            for batch in file.iter_batches(BATCH, columns=list({source[0], target[0]})):
                columns = [batch.column(column[0]).to_pylist() for column in (source, target)]
                for cells in zip(*columns, strict=True):
                    number += 1
                    cells = (value_at(cell, column[1:]) for cell, column in zip(cells, (source, target), strict=True))
                    yield (f"{path.name}, row", number), *cells, None
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        if isinstance(error, DataError):
            raise
        how = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{path} cannot be read as Parquet ({how}); make or copy the file again.") from None


def arrow_paths(schema: Any) -> list[tuple[str, ColumnPath]]:
    """Names and paths of the columns of an Arrow schema, those inside of structures included."""

    def paths(fields: Any) -> Iterator[tuple[str, ColumnPath]]:
        for field in fields:
            inner = (
                [field.type.field(index) for index in range(field.type.num_fields)] if _is_struct(field.type) else []
            )
            yield from ((f"{field.name}.{name}", (field.name, *path)) for name, path in paths(inner))
            if not inner:
                yield field.name, (field.name,)

    return list(paths(schema))


def _is_struct(kind: Any) -> bool:
    return str(kind).startswith("struct")


def _parquet_bytes(metadata: Any, columns: set[Any]) -> int:
    """Unpacked bytes of some columns of a Parquet file."""
    total = 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            total += chunk.total_uncompressed_size if chunk.path_in_schema.split(".")[0] in columns else 0
    return total
