"""Files of pairs, known by their content and always read as text: no value is a number, a date or missing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from nbtextgen.core.errors import DataError
from nbtextgen.core.wording import counted
from nbtextgen.data.readers.anki import AnkiHeader
from nbtextgen.data.readers.arrow import rows_of_arrow, rows_of_parquet
from nbtextgen.data.readers.columns import ReadOptions
from nbtextgen.data.readers.delimited import SEPARATORS, rows_of_cells, rows_of_table
from nbtextgen.data.readers.excel import ExcelFile
from nbtextgen.data.readers.memory import check_text_fits, free_memory
from nbtextgen.data.readers.packing import content_kind, inner_name
from nbtextgen.data.readers.records import rows_of_json
from nbtextgen.data.readers.text import TextFile
from nbtextgen.data.rows import Row

SUFFIXES = (".tsv", ".csv", ".txt", ".jsonl", ".json", ".parquet", ".feather", ".arrow", ".xlsx", ".zip")


def is_pairs_file(path: Path) -> bool:
    """Return ``True`` if the name ends as that of a file of pairs does."""
    return _suffix(path) in SUFFIXES


def _suffix(path: Path) -> str:
    """The ending of the name, or of what is packed in the file."""
    return Path(inner_name(path)).suffix


def rows_of_file(path: Path, options: ReadOptions) -> Iterator[Row]:
    """Yield the rows of a file.

    Raises:
        DataError: if the file is missing, damaged, or has not the columns that are asked for; names the place.
        MemoryShortError: if the rows are to be kept and would not fit into memory.
    """
    kind = content_kind(path)
    if kind == "arrow":
        return rows_of_arrow(path, options)
    if kind == "parquet" or _suffix(path) == ".parquet":
        return rows_of_parquet(path, options)
    if kind == "excel":
        return rows_of_cells(file := ExcelFile(path, options), file.lines(), options)
    if options.in_memory:
        check_text_fits(path, options.encoding)
    file = TextFile(path, options.encoding, free_memory() if options.in_memory else None)
    is_json = _suffix(path) in (".jsonl", ".json") or _holds_json(TextFile(path, options.encoding))
    return rows_of_json(file, options) if is_json else rows_of_table(file, options)


def is_text_file(path: Path, encoding: str | None = None) -> bool:
    """Return ``True`` for a file of lines of text that is no table, by its name and by its content."""
    return (_suffix(path) not in SUFFIXES or _suffix(path) == ".txt") and not looks_like_table(path, encoding)


def is_table_file(path: Path, encoding: str | None = None) -> bool:
    """Return ``True`` for a table of text by its name, and for JSON by its content; raises as ``content_kind``."""
    if content_kind(path) != "text":
        return False
    return _suffix(path) in (".tsv", ".csv", ".json", ".jsonl") or _holds_json(TextFile(path, encoding))


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
        raise DataError(f"{source} has {counted(counts[0], 'line')} but {target} has {counts[1]:,}; they must match.")
    if not counts[0]:
        raise DataError(f"{source} and {target} are empty; write one text per line.")
    lines = zip(*(file.plain_lines() for file in files), strict=False)
    for number, cells in enumerate(islice(lines, counts[0]), 1):
        problems = [
            (file, problem) for file, cell in zip(files, cells, strict=True) if (problem := file.problem([cell]))
        ]
        file, problem = problems[0] if problems else (files[0], None)
        yield (f"{file.path.name}, line", number), *cells, problem


def _line_count(file: TextFile) -> int:
    return max((number for number, line in enumerate(file.plain_lines(), 1) if line), default=0)


def looks_like_table(path: Path, encoding: str | None = None) -> bool:
    """Return ``True`` for a file that holds pairs by itself, and not one side of parallel texts."""
    if _suffix(path) in (".csv", ".json", ".jsonl", ".parquet") or content_kind(path) != "text":
        return True
    if _holds_json(TextFile(path, encoding)):
        return True
    lines = list(islice((line for line in TextFile(path, encoding).lines() if line.strip()), 50))
    if AnkiHeader.of(lines[:1]) is not None:
        return True
    return sum(any(mark in line for mark in ("\t", *SEPARATORS)) for line in lines) > len(lines) / 2
