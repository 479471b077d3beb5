"""Files of pairs, always read as text: nothing is taken for a number, a date or a missing value."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nbtextgen.core.errors import DataError, nearest
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.data.raw import RawPairs
from nbtextgen.data.readers.read import columns_of, from_columns
from nbtextgen.data.rows import has_surrogate

SUFFIXES = (".tsv", ".csv", ".txt", ".jsonl", ".json", ".parquet")
HEADER_NAMES = {"source", "target", "src", "tgt", "input", "output", "text", "label", "summary"}
"""A first line with two of these is a header even when no column was asked for by name."""
_MARKS = (  # the longer mark first: that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_GZIP = b"\x1f\x8b"
_LINE_END = re.compile("\r\n|\n|\r")  # what ends a row; U+2028, U+0085, VT and FF may stand inside a text


def is_pairs_file(path: Path) -> bool:
    """Whether the name ends as a file of pairs does."""
    return _suffix(path) in SUFFIXES


def _suffix(path: Path) -> str:
    """The ending that says how to read it, without ``.gz``."""
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


# Bytes to text ----------------------------------------------------------------------------------------------------


def read_bytes(path: Path) -> bytes:
    """The bytes of a file, unpacked when they are gzip whatever the name says.

    Raises:
        DataError: when there is no such file, or the gzip data is cut short or damaged; says how far it can be read.
    """
    if path.is_dir():
        raise DataError(f"{path} is a directory; give a file of pairs.")
    if not path.is_file():
        near = nearest(path.name, [each.name for each in path.parent.glob("*")]) if path.parent.is_dir() else ""
        raise DataError(f"There is no file {path}.{near}")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    return _unpacked(path, raw) if raw.startswith(_GZIP) else raw


def _unpacked(path: Path, raw: bytes) -> bytes:
    """Unpack one or several gzip members."""
    found = bytearray()
    while raw.startswith(_GZIP):
        member = zlib.decompressobj(wbits=31)
        try:
            for start in range(0, len(raw), 1 << 20):  # piece by piece, so that what comes before damage is counted
                found += member.decompress(raw[start : start + (1 << 20)])
        except zlib.error as error:
            raise _broken(path, f"is damaged ({error})", found) from None
        if not member.eof:
            raise _broken(path, "is cut short", found)
        raw = member.unused_data.lstrip(b"\0")  # some writers pad the end with zeros
        if raw and not raw.startswith(_GZIP):
            raise _broken(path, "has something after its end that is not gzip", found)
    return bytes(found)


def _broken(path: Path, how: str, found: bytearray) -> DataError:
    line = found.count(b"\n") + 1
    return DataError(f"{path}, line {line:,}: the gzip data {how} from here on; make or copy the file again.")


def read_text(path: Path) -> str:
    """The text of a file in UTF-8 (with or without byte order mark), UTF-16 or UTF-32 with one; gzip is unpacked.

    Bytes that are not UTF-8 become lone surrogates (Python's ``surrogateescape``): ``line_problem`` finds them.

    Raises:
        DataError: when it cannot be read, or is UTF-16 or UTF-32 without a mark.
    """
    raw = read_bytes(path)
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8")
    head = raw[:4000]
    if encoding == "utf-8" and head.count(0) > len(head) / 4:
        raise DataError(
            f"{path}, line 1 looks like UTF-16 or UTF-32 without a byte order mark; save the file as UTF-8."
        )
    if encoding.startswith("utf-8"):
        return raw.decode(encoding, errors="surrogateescape")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = len(_LINE_END.findall(raw[: error.start].decode(encoding, errors="replace"))) + 1
        raise DataError(f"{path}, line {line:,} is not {encoding.upper()} text; save the file as UTF-8.") from None


def _problem(cells: Sequence[str]) -> str | None:
    """What is wrong with the characters of a row, if anything."""
    if any(not cell.isascii() and has_surrogate(cell) for cell in cells):
        return "is not UTF-8 text; save the file as UTF-8"
    return None


# Text to rows -----------------------------------------------------------------------------------------------------


def read_file(path: Path, source: str | None, target: str | None) -> RawPairs:
    """Read a file by its ending; see ``Pairs.of``."""
    suffix = _suffix(path)
    if suffix == ".parquet" and path.is_file():
        return _read_parquet(path, source, target)
    text = read_text(path)
    if suffix not in SUFFIXES:
        raise DataError(f"{path} ends in '{suffix}'; pairs are read from {', '.join(SUFFIXES)} files (or those .gz).")
    if suffix in (".jsonl", ".json"):
        return _read_json(path, text, source, target)
    if suffix == ".csv":
        rows = list(_csv_rows(path, text))
    else:
        lines = enumerate(_LINE_END.split(text), 1)
        rows = [(number, line.split("\t")) for number, line in lines if line.strip(" ")]
        if suffix == ".txt" and rows and all(len(row) == 1 for _, row in rows):
            rows = [(number, row[0].split(" => ")) for number, row in rows]
            if all(len(row) == 1 for _, row in rows):
                raise DataError(f"{path.name}, line 1 has no separator: write source, a tab or ' => ', and target.")
    return _from_table(path, rows, source, target)


def read_parallel(first: Path, second: Path) -> RawPairs:
    """Rows from two files whose lines belong together."""
    sides = [_LINE_END.split(read_text(path)) for path in (first, second)]
    for side in sides:
        while side and not side[-1]:
            side.pop()
    if len(sides[0]) != len(sides[1]):
        raise DataError(f"{first} has {len(sides[0]):,} lines but {second} has {len(sides[1]):,}; they must match.")
    problems = {at: found for at, cells in enumerate(zip(*sides, strict=True)) if (found := _problem(cells))}
    return RawPairs(sides[0], sides[1], [(f"{first.name}, line", at + 1) for at in range(len(sides[0]))], problems)


@contextmanager
def _any_field_size() -> Iterator[None]:
    """Let the csv module read fields of any length (its limit, 128 KB, is one for the whole process)."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line each begins on."""
    delimiter = _delimiter(text)
    began = 1
    with _any_field_size():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            for row in reader:
                if row and (len(row) > 1 or row[0].strip()):
                    yield began, row
                began = reader.line_num + 1
        except csv.Error as error:
            what = "a quote is opened and never closed" if "unexpected end" in str(error) else str(error)
            raise DataError(f"{path}, line {began:,}: {what}; double the quotes inside a quoted cell.") from None


def _delimiter(text: str) -> str:
    """The character that cuts the first rows most evenly into at least two cells."""
    lines = io.StringIO(text[:200_000], newline="").readlines()[:60]

    def evenness(delimiter: str) -> float:
        try:
            with _any_field_size():
                widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        except csv.Error:
            return 0.0
        if not widths or widths[0] < 2:
            return 0.0
        return sum(width == widths[0] for width in widths) / len(widths)

    return max(",;\t|", key=evenness)  # the first of equals: a comma unless another cuts better


def _from_table(path: Path, rows: list[tuple[int, list[str]]], source: str | None, target: str | None) -> RawPairs:
    """Rows of cells; the first is a header when it names the columns asked for, or looks like names."""
    if not rows:
        raise DataError(f"{path} is empty; write one pair per line.")
    first = rows[0][1]
    width = len(first)
    named = source is not None or target is not None
    header = named or len({name.strip().lower() for name in first} & HEADER_NAMES) >= 2
    names = first if header else [str(at + 1) for at in range(width)]
    if len(set(names)) < width:
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path.name}, line {rows[0][0]:,}: two columns are named '{twice}'; rename one of them.")
    body = rows[1:] if header else rows
    problems: dict[int, str] = {}
    columns: dict[str, list[str | None]] = {name: [] for name in names}
    for at, (_, row) in enumerate(body):
        if len(row) != width:
            columns_said = "column" if len(row) == 1 else "columns"
            problems[at] = f"has {len(row)} {columns_said}, the first line has {width}"
        elif bad := _problem(row):
            problems[at] = bad
        for column, name in enumerate(names):
            columns[name].append(row[column] if column < len(row) else None)
    return from_columns(columns, source, target, [(f"{path.name}, line", number) for number, _ in body], problems)


def _read_json(path: Path, text: str, source: str | None, target: str | None) -> RawPairs:
    """A JSON object per line, or one JSON list of objects."""
    rows: list[dict[str, object]] = []
    places: list[tuple[str, int]] = []
    problems: dict[int, str] = {}
    if text.lstrip().startswith("["):
        found = [(f"{path.name}, record", at, row) for at, row in enumerate(_json_list(path, text), 1)]
    else:
        lines = enumerate(_LINE_END.split(text), 1)
        found = [(f"{path.name}, line", at, _json_line(line)) for at, line in lines if line.strip()]
    if not found:
        raise DataError(f"{path} is empty; write one JSON object per line.")
    for name, number, row in found:
        if isinstance(row, ValueError):
            problems[len(rows)] = f"is not JSON: {row}"
        elif not isinstance(row, dict):
            problems[len(rows)] = "is not a JSON object with a source and a target"
        elif bad := _problem([cell for cell in row.values() if isinstance(cell, str)]):
            problems[len(rows)] = bad
        rows.append(row if isinstance(row, dict) else {})
        places.append((name, number))
    if len(problems) == len(rows):
        raise DataError(f"{places[0][0]} {places[0][1]:,} {problems[0]}.")
    return from_columns(columns_of(rows), source, target, places, problems)


def _json_line(line: str) -> object:
    """The value of a line, or the error that says why there is none."""
    try:
        return json.loads(line)
    except ValueError as error:
        return error
    except RecursionError:
        return ValueError("it is nested too deeply")


def _json_list(path: Path, text: str) -> list[object]:
    found = _json_line(text)
    if isinstance(found, json.JSONDecodeError):
        raise DataError(f"{path.name}, line {found.lineno:,} is not JSON: {found.msg}.")
    if not isinstance(found, list):
        raise DataError(f"{path.name}, line 1 is not JSON: {found!s:.100}.")
    return found


def _read_parquet(path: Path, source: str | None, target: str | None) -> RawPairs:
    with optional_import("A Parquet file", "pyarrow", "frames"):
        import pyarrow
        import pyarrow.parquet
    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        how = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{path} cannot be read as Parquet ({how}); make or copy the file again.") from None
    columns = {name: column.to_pylist() for name, column in zip(table.column_names, table.columns, strict=True)}
    return from_columns(columns, source, target, [(f"{path.name}, row", at + 1) for at in range(table.num_rows)])
