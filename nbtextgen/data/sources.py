"""Files of pairs, always read as text: nothing is taken for a number, a date or a missing value."""

from __future__ import annotations

import codecs
import csv
import io
import json
from pathlib import Path

from nbtextgen.data.pairs import Pairs, from_columns
from nbtextgen.errors import DataError, MissingPackageError, nearest

SUFFIXES = (".tsv", ".csv", ".txt", ".jsonl", ".json", ".parquet")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read_text(path: Path) -> str:
    """The text of a UTF-8 (with or without byte order mark) or UTF-16 file.

    Raises:
        DataError: when there is no such file, or it is in another encoding; names file and line.
    """
    if path.is_dir():
        raise DataError(f"{path} is a directory; give a file of pairs.")
    if not path.is_file():
        near = nearest(path.name, [each.name for each in path.parent.glob("*")]) if path.parent.is_dir() else ""
        raise DataError(f"There is no file {path}.{near}")
    raw = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, line {line:,} is not {encoding.upper()} text; save the file as UTF-8.") from None


def read_file(path: Path, source: str | None, target: str | None) -> Pairs:
    """Read a file by its ending; see ``Pairs.of``."""
    suffix = path.suffix.lower()
    if suffix == ".parquet" and path.is_file():
        return _read_parquet(path, source, target)
    text = read_text(path)
    if suffix not in SUFFIXES:
        raise DataError(f"{path} ends in '{suffix}'; pairs are read from {', '.join(SUFFIXES)} files.")
    if suffix in (".jsonl", ".json"):
        return _read_jsonl(path, text, source, target)
    if suffix == ".csv":
        rows = _csv_rows(path, text)
    else:
        rows = [(at, line.split("\t")) for at, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1) if line]
        if suffix == ".txt" and all(len(row) == 1 for _, row in rows):
            return Pairs.from_text(text, f"{path.name}, line")
    return _from_table(path, rows, source, target)


def read_parallel(first: Path, second: Path) -> Pairs:
    """Pairs from two files whose lines belong together."""
    sides = [read_text(path).replace("\r\n", "\n").rstrip("\n").split("\n") for path in (first, second)]
    if len(sides[0]) != len(sides[1]):
        raise DataError(f"{first} has {len(sides[0]):,} lines but {second} has {len(sides[1]):,}; they must match.")
    return Pairs(*sides, [(f"{first.name}, line", at + 1) for at in range(len(sides[0]))])


def _csv_rows(path: Path, text: str) -> list[tuple[int, list[str]]]:
    try:
        dialect = csv.Sniffer().sniff(text[:20_000], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    reader = csv.reader(io.StringIO(text, newline=""), dialect, doublequote=True)
    try:
        return [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num:,}: {error}.") from None


def _from_table(path: Path, rows: list[tuple[int, list[str]]], source: str | None, target: str | None) -> Pairs:
    """Pairs from rows of cells; the first is a header when it names the columns asked for, or looks like names."""
    if not rows:
        raise DataError(f"{path} is empty; write one pair per line.")
    width = len(rows[0][1])
    for number, row in rows:
        if len(row) != width:
            raise DataError(f"{path.name}, line {number:,} has {len(row)} columns, the first line has {width}.")
    first = rows[0][1]
    usual = {"source", "target", "src", "tgt", "input", "output", "text", "label", "summary"}
    header = source is not None or target is not None or len({name.strip().lower() for name in first} & usual) >= 2
    names = first if header else [str(at + 1) for at in range(width)]
    body = rows[1:] if header else rows
    columns = {name: [row[at] for _, row in body] for at, name in enumerate(names)}
    return from_columns(columns, source, target, [(f"{path.name}, line", number) for number, _ in body])


def _read_jsonl(path: Path, text: str, source: str | None, target: str | None) -> Pairs:
    rows, places = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise DataError(f"{path.name}, line {number:,} is not JSON: {error}.") from None
            if not isinstance(rows[-1], dict):
                raise DataError(f"{path.name}, line {number:,} is not a JSON object with a source and a target.")
            places.append((f"{path.name}, line", number))
    names = list(dict.fromkeys(name for row in rows for name in row))
    return from_columns({name: [row.get(name) for row in rows] for name in names}, source, target, places)


def _read_parquet(path: Path, source: str | None, target: str | None) -> Pairs:
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingPackageError("Parquet files need pyarrow: pip install nbtextgen[frames].") from None
    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}.") from None
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    places = [(f"{path.name}, row", at + 1) for at in range(table.num_rows)]
    return from_columns(columns, source, target, places)
