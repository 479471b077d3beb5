"""Pairs read one by one, from files larger than memory, lists of them, or any stream of rows."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from glob import glob
from pathlib import Path
from typing import Any

from nbtextgen.core.errors import DataError
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.data.readers.files import HEADER_NAMES, is_pairs_file
from nbtextgen.data.rows import cell_problem

Row = tuple[str, str, str]
"""Place, source, target."""
ROWS_AT_ONCE = 4096


def files_of(data: Any) -> list[Path]:
    """The files that are named by a name, a pattern or a list of names; empty when the data is something else."""
    if isinstance(data, (str, Path)):
        name = str(data)
        if Path(name).exists():
            return [Path(name)]
        return sorted(map(Path, glob(name))) if any(mark in name for mark in "*?[") else [Path(name)]
    if isinstance(data, (list, tuple)) and data and all(isinstance(one, (str, Path)) for one in data):
        return [path for one in data for path in files_of(one)]
    return []


def stream_pairs(data: Any, source: str | None = None, target: str | None = None) -> Iterator[Row]:
    """Yield checked pairs without holding more than a few thousand.

    Args:
        data: names of .tsv, .txt, .jsonl or .parquet files (also .gz), or an iterable of (source, target) or of records,
            such as a ``datasets`` stream.
        source, target: column names, where there are more than two columns.

    Raises:
        DataError: for a row that is not two texts, a damaged file, or a form that cannot be streamed; names the place.
    """
    found = files_of(data)
    rows = (
        (row for path in found for row in _stream_file(path, source, target))
        if found
        else _stream_rows(data, source, target)
    )
    for place, one, other in rows:
        for side, cell in (("source", one), ("target", other)):
            problem = cell_problem(cell)
            if problem:
                raise DataError(f"{place}: {side} {problem}.")
        yield place, one, other


def _stream_rows(data: Iterable[Any], source: str | None, target: str | None) -> Iterator[tuple[str, Any, Any]]:
    for number, row in enumerate(data, 1):
        place = f"row {number:,}"
        if isinstance(row, Mapping):
            yield place, *_cells(place, row, source, target)
        elif isinstance(row, (list, tuple)) and len(row) == 2:
            yield place, row[0], row[1]
        else:
            raise DataError(f"{place}: expected (source, target), got {row!r:.60}; give two texts per row.")


def _cells(place: str, row: Mapping[str, Any], source: str | None, target: str | None) -> tuple[Any, Any]:
    if source is None and target is None and len(row) == 2:
        first, second = row.values()
        return first, second
    if source is None or target is None or source not in row or target not in row:
        raise DataError(f"{place} has columns {', '.join(map(str, row))}; say which with --source NAME --target NAME.")
    return row[source], row[target]


def _stream_file(path: Path, source: str | None, target: str | None) -> Iterator[tuple[str, Any, Any]]:
    if not path.is_file() or not is_pairs_file(path):
        from nbtextgen.data.readers.files import read_bytes

        if not path.is_file():
            read_bytes(path)  # says what is wrong
        raise DataError(f"{path} is not a file of pairs; give .tsv, .txt, .jsonl or .parquet files.")
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix == ".parquet":
        return _stream_parquet(path, source, target)
    if suffix == ".jsonl":
        return _stream_json(path, source, target)
    if suffix in (".tsv", ".txt"):
        return _stream_lines(path, source, target)
    raise DataError(f"{path} cannot be read in a stream; save it as .tsv, .jsonl or .parquet.")


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Place and text of every line; bytes that are not UTF-8, and a gzip file that is cut short, are named."""
    number = 0
    try:
        with path.open("rb") as plain, ExitStack() as stack:
            packed = plain.peek(2)[:2] == b"\x1f\x8b"
            file = stack.enter_context(gzip.GzipFile(fileobj=plain)) if packed else plain
            for number, raw in enumerate(file, 1):
                try:
                    text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError:
                    raise DataError(
                        f"{path.name}, line {number:,} is not UTF-8 text; save the file as UTF-8."
                    ) from None
                text = text.rstrip("\r\n")
                if text.strip(" "):
                    yield f"{path.name}, line {number:,}", text
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path.name}, line {number + 1:,}: the file cannot be read from here on ({error}).") from None


def _stream_lines(path: Path, source: str | None, target: str | None) -> Iterator[tuple[str, Any, Any]]:
    picked: tuple[int, int] | None = None
    width = 0
    for place, line in _lines(path):
        cells = line.split("\t")
        if picked is None:
            width = len(cells)
            header = source is not None or len({cell.strip().lower() for cell in cells} & HEADER_NAMES) >= 2
            if header and (width > 2 or source is not None):
                if source not in cells or target not in cells:
                    raise DataError(
                        f"{place} has columns {', '.join(cells)}; say which with --source NAME --target NAME."
                    )
                picked = cells.index(str(source)), cells.index(str(target))
            elif width == 2:
                picked = (0, 1)
            else:
                raise DataError(f"{place} has {width} columns; two are needed, or --source NAME --target NAME.")
            if header:
                continue
        if len(cells) != width:
            raise DataError(f"{place} has {len(cells)} columns, the first line has {width}.")
        yield place, cells[picked[0]], cells[picked[1]]


def _stream_json(path: Path, source: str | None, target: str | None) -> Iterator[tuple[str, Any, Any]]:
    for place, line in _lines(path):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{place} is not JSON: {error}.") from None
        if not isinstance(row, dict):
            raise DataError(f"{place} is not a JSON object with a source and a target.")
        yield place, *_cells(place, row, source, target)


def _stream_parquet(path: Path, source: str | None, target: str | None) -> Iterator[tuple[str, Any, Any]]:
    with optional_import("A Parquet file", "pyarrow", "frames"):
        import pyarrow
        import pyarrow.parquet as parquet
    number = 0
    try:
        for batch in parquet.ParquetFile(path).iter_batches(ROWS_AT_ONCE):
            for row in batch.to_pylist():
                number += 1
                place = f"{path.name}, row {number:,}"
                yield place, *_cells(place, row, source, target)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path.name}, row {number + 1:,}: the file cannot be read from here on ({error}).") from None
