"""Files of pairs, always read as text: nothing is taken for a number, a date or a missing value."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from nbtextgen.core.errors import DataError
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.data.readers.columns import Columns, Record, choose_columns, rows_of_lines, rows_of_records
from nbtextgen.data.readers.text import byte_pieces, encoding_problem, read_lines
from nbtextgen.data.rows import Row

SUFFIXES = (".tsv", ".csv", ".txt", ".jsonl", ".json", ".parquet")
LOOKAHEAD = 4096
"""Rows that a stream holds at a time, to see which columns there are."""
LARGEST_ROW = 1 << 26
"""Characters of a CSV row from which a quote must have been left open: the rest of the file would be one cell."""
LARGEST_LIST = 1 << 26
"""Characters of a JSON list that is read in a stream: it can only be parsed whole."""
Line = tuple[int, list[str]]
"""Line number and cells."""


def is_pairs_file(path: Path) -> bool:
    """Return ``True`` if the name ends as that of a file of pairs does."""
    return _suffix(path) in SUFFIXES


def _suffix(path: Path) -> str:
    """The ending that says how to read the file, without ``.gz``."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def rows_of_file(path: Path, asked: Columns, lookahead: int | None) -> Iterator[Row]:
    """Yield the rows of a file, read as its ending says.

    Args:
        path: a file whose name ends with one of ``SUFFIXES``, also followed by ``.gz``.
        asked: names of the columns.
        lookahead: rows that may be looked at before the first is given; ``None``: all of them.

    Raises:
        DataError: if the file is missing, damaged, or has not the columns asked for; names the place.
    """
    suffix = _suffix(path)
    if suffix == ".parquet" and path.is_file():
        return _parquet_rows(path, asked)
    if suffix not in SUFFIXES:
        next(byte_pieces(path), b"")  # a missing file is the first thing to say
        raise DataError(f"{path} ends in '{suffix}'; pairs are read from {', '.join(SUFFIXES)} files (or those .gz).")
    if suffix in (".jsonl", ".json"):
        return rows_of_records(_json_records(path, lookahead), asked, lookahead)
    lines = _csv_lines(path) if suffix == ".csv" else _tab_lines(path)
    first = next(lines, None)
    if first is None:
        raise DataError(f"{path} is empty; write one pair per line.")
    lines = chain([first], lines)
    return rows_of_lines(path.name, _arrow_lines(path, lines, lookahead) if suffix == ".txt" else lines, asked)


def rows_of_parallel_files(source: Path, target: Path) -> Iterator[Row]:
    """Yield rows from two text files whose lines belong together; empty lines at the end do not count."""
    counts = [_line_count(path) for path in (source, target)]
    if counts[0] != counts[1]:
        raise DataError(f"{source} has {counts[0]:,} lines but {target} has {counts[1]:,}; they must match.")
    lines = zip(_plain_lines(source), _plain_lines(target), strict=False)
    for number, cells in enumerate(islice(lines, counts[0]), 1):
        yield (f"{source.name}, line", number), *cells, encoding_problem(cells)


def _plain_lines(path: Path) -> Iterator[str]:
    return (line.rstrip("\r\n") for line in read_lines(path))


def _line_count(path: Path) -> int:
    return max((number for number, line in enumerate(_plain_lines(path), 1) if line), default=0)


# Tables of text ---------------------------------------------------------------------------------------------------


def _tab_lines(path: Path) -> Iterator[Line]:
    return ((number, line.split("\t")) for number, line in enumerate(_plain_lines(path), 1) if line.strip(" "))


def _arrow_lines(path: Path, lines: Iterator[Line], lookahead: int | None) -> Iterator[Line]:
    """Cut the lines of a ``.txt`` file at ``=>`` if none of those looked at has a tab."""
    first = list(islice(lines, lookahead))
    if any(len(cells) > 1 for _, cells in first):
        return chain(first, lines)
    if not any(" => " in cells[0] for _, cells in first):
        raise DataError(f"{path.name}, line 1 has no separator: write source, a tab or ' => ', and target.")
    return ((number, "\t".join(cells).split(" => ")) for number, cells in chain(first, lines))


def _csv_lines(path: Path) -> Iterator[Line]:
    """Yield rows with the line on which each begins."""
    lines = read_lines(path)
    head = list(islice(lines, 60))
    began, size = 1, 0

    def counted() -> Iterator[str]:
        nonlocal size
        for line in chain(head, lines):
            size += len(line)
            if size > LARGEST_ROW:
                raise csv.Error("unexpected end")
            yield line

    reader = csv.reader(counted(), delimiter=_delimiter(head), strict=True)
    while True:
        size = 0
        # The limit, 128 KB by default, is one for the whole process; only this reader is to be without it.
        limit = csv.field_size_limit(sys.maxsize)
        try:
            cells = next(reader, None)
        except csv.Error as error:
            what = "a quote is opened and never closed" if "unexpected end" in str(error) else str(error)
            raise DataError(f"{path}, line {began:,}: {what}; double the quotes inside a quoted cell.") from None
        finally:
            csv.field_size_limit(limit)
        if cells is None:
            return
        if cells and (len(cells) > 1 or cells[0].strip()):
            yield began, cells
        began = reader.line_num + 1


def _delimiter(head: list[str]) -> str:
    """The character that cuts the first lines most evenly into at least two cells."""
    lines = io.StringIO("".join(head)[:200_000], newline="").readlines()

    def evenness(delimiter: str) -> float:
        limit = csv.field_size_limit(sys.maxsize)
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        except csv.Error:
            return 0.0
        finally:
            csv.field_size_limit(limit)
        if not widths or widths[0] < 2:
            return 0.0
        return sum(width == widths[0] for width in widths) / len(widths)

    return max(",;\t|", key=evenness)  # the first of equals: a comma unless another cuts better


# Records ----------------------------------------------------------------------------------------------------------


def _json_records(path: Path, lookahead: int | None) -> Iterator[Record]:
    """Yield a JSON object per line, or those of one JSON list.

    Raises:
        DataError: if there is none, or the first ``lookahead`` of them cannot be read.
    """
    lines = read_lines(path)
    blank = 0
    for start in lines:
        if start.strip():
            break
        blank += 1
    else:
        raise DataError(f"{path} is empty; write one JSON object per line.")
    if start.lstrip().startswith("["):
        name, values = "record", enumerate(_json_list(path, chain([start], lines), blank, lookahead), 1)
    else:
        name = "line"
        numbered = enumerate(chain([start], lines), blank + 1)
        values = ((number, _json_value(line)) for number, line in numbered if line.strip())
    records = (((f"{path.name}, {name}", number), *_checked_record(value)) for number, value in values)
    first = list(islice(records, lookahead))
    if not first:
        raise DataError(f"{path} is empty; write one JSON object per line.")
    if all(problem for _, _, problem in first):
        (name, number), _, problem = first[0]
        raise DataError(f"{name} {number:,} {problem}.")
    yield from chain(first, records)


def _checked_record(value: object) -> tuple[dict[str, object], str | None]:
    if isinstance(value, ValueError):
        return {}, f"is not JSON: {value}"
    if not isinstance(value, dict):
        return {}, "is not a JSON object with a source and a target"
    return value, encoding_problem(cell for cell in value.values() if isinstance(cell, str))


def _json_value(text: str) -> object:
    """The value of a text, or the error that says why there is none."""
    try:
        return json.loads(text.rstrip("\r\n"))
    except ValueError as error:
        return error
    except RecursionError:
        return ValueError("it is nested too deeply")


def _json_list(path: Path, lines: Iterator[str], blank: int, lookahead: int | None) -> list[object]:
    text, size = ["\n" * blank], 0
    for line in lines:
        text.append(line)
        size += len(line)
        if lookahead is not None and size > LARGEST_LIST:
            raise DataError(f"{path} holds a JSON list that is too long to be read in a stream; save it as .jsonl.")
    value = _json_value("".join(text))
    if isinstance(value, json.JSONDecodeError):
        raise DataError(f"{path.name}, line {value.lineno:,} is not JSON: {value.msg}.")
    if not isinstance(value, list):
        raise DataError(f"{path.name}, line 1 is not JSON: {value!s:.100}.")
    return value


def _parquet_rows(path: Path, asked: Columns) -> Iterator[Row]:
    with optional_import("A Parquet file", "pyarrow", "frames"):
        import pyarrow
        import pyarrow.parquet
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = choose_columns(list(dict.fromkeys(file.schema_arrow.names)), asked)
            for batch in file.iter_batches(LOOKAHEAD, columns=list(names)):
                source, target = (batch.column(name).to_pylist() for name in names)
                for cells in zip(source, target, strict=True):
                    number += 1
                    yield (f"{path.name}, row", number), *cells, None
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        if isinstance(error, DataError):
            raise
        how = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{path} cannot be read as Parquet ({how}); make or copy the file again.") from None
