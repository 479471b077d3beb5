"""The rows of a review: read from generated rows, a table file or a data frame."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, cast

from nbtextgen.core.errors import DataError, nearest
from nbtextgen.core.files import checked_path
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.data.rows import is_missing, no_text

MAX_CELL = 1 << 24
"""Most characters of a cell of a table file."""
ACCEPTED: Mapping[str, bool | None] = {
    "": None,
    **dict.fromkeys(("true", "1", "1.0", "yes"), True),
    **dict.fromkeys(("false", "0", "0.0", "no"), False),
}
"""What may stand in the column of accepted outputs, in small letters."""


class ReviewRow(NamedTuple):
    """An output to review.

    Attributes:
        source: the source.
        text: the output.
        confidence: how sure the model is of it, between 0 and 1, or ``None`` if that is unknown.
        accepted: whether the confidence is above the threshold of ``accept``, or ``None`` if none was set.
        candidates: the n-best list, best first.
        notes: what to know about the output, as sentences.
    """

    source: str
    text: str
    confidence: float | None = None
    accepted: bool | None = None
    candidates: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_rows(table: object) -> tuple[list[ReviewRow], Path | None]:
    """Return the rows of a table, and its file if it is one.

    Args:
        table: a ``GeneratedTable``; the name of a table file; a data frame with the columns source and text; or a list of
            generations, generated rows, mappings or (source, text) pairs.

    Raises:
        DataError: if it is none of these; names the row or the column.
    """
    path: object = table if isinstance(table, (str, Path)) else getattr(table, "path", None)
    if isinstance(path, (str, Path)):
        path = checked_path(path)
        return _file_rows(path), path
    rows: object = getattr(table, "rows", table)
    if hasattr(rows, "to_dicts"):  # polars
        rows = cast("Any", rows).to_dicts()
    elif hasattr(rows, "columns") and hasattr(rows, "to_dict"):  # pandas
        rows = cast("Any", rows).to_dict("records")
    if not isinstance(rows, Iterable) or isinstance(rows, Mapping):
        raise DataError(f"Outputs to review are a generated table, its file or rows, not {type(table).__name__}.")
    return [_row(row, f"row {number:,}") for number, row in enumerate(cast("Iterable[object]", rows), 1)], None


def digest(rows: Sequence[ReviewRow]) -> str:
    """Return a text that two tables share only if their sources and outputs are the same, in the same order."""
    content = hashlib.sha256()
    for row in rows:
        for text in row[:2]:
            encoded = text.encode("utf-8", "backslashreplace")  # as table files write half characters
            content.update(len(encoded).to_bytes(8, "little") + encoded)
    return content.hexdigest()[:32]


def _row(row: object, place: str) -> ReviewRow:
    """Return one row of whatever kind."""
    if isinstance(row, Mapping):
        return _cells_row(cast("Mapping[str, object]", row), place)
    values: Any = row  # a generation, a generated row, or a pair
    if not hasattr(values, "source"):
        if not isinstance(values, (tuple, list)):
            raise DataError(
                f"{place} is {type(values).__name__}; give generated rows, or pairs of a source and an output."
            )
        cells = cast("Sequence[object]", values)
        if len(cells) != 2:
            raise DataError(f"{place} has {len(cells)} cells; give a source and an output.")
        return ReviewRow(_text(cells[0], place, "source"), _text(cells[1], place, "output"))
    candidates = tuple(each if isinstance(each, str) else each.text for each in values.candidates)
    return ReviewRow(
        values.source,
        values.text,
        values.confidence,
        getattr(values, "accepted", None),
        candidates,
        tuple(values.notes),
    )


def _cells_row(cells: Mapping[str, object], place: str) -> ReviewRow:
    """Return a row of a table by its columns."""
    for name in ("source", "text"):
        if name not in cells:
            raise DataError(f"{place} has no column {name!r}; the outputs stand in the columns source and text.")
    notes = cells.get("notes")
    return ReviewRow(
        _text(cells["source"], place, "source"),
        _text(cells["text"], place, "output"),
        _confidence(cells.get("confidence"), place),
        _accepted(cells.get("accepted"), place),
        _candidates(cells.get("candidates"), place),
        () if is_missing(notes) or not notes else _notes(notes),
    )


def _confidence(value: object, place: str) -> float | None:
    if is_missing(value) or value == "":
        return None
    try:
        number = float(cast("Any", value))
    except (TypeError, ValueError):
        number = -1.0
    if number != number:
        return None
    if not 0 <= number <= 1:
        raise DataError(f"{place}: the confidence is {value!r}; give a number from 0 to 1 or leave it empty.")
    return number


def _accepted(value: object, place: str) -> bool | None:
    word = "" if is_missing(value) else str(value).strip().lower()
    if word not in ACCEPTED:
        raise DataError(f"{place}: accepted is {value!r}; give true or false, or leave it empty.")
    return ACCEPTED[word]


def _candidates(value: object, place: str) -> tuple[str, ...]:
    if is_missing(value):
        return ()
    values = _listed(value) if isinstance(value, str) else value
    if isinstance(values, Mapping) or not isinstance(values, Iterable):
        raise DataError(f"{place}: the candidates are {type(value).__name__}, not a list of texts.")
    return tuple(map(str, cast("Iterable[object]", values)))


def _notes(value: object) -> tuple[str, ...]:
    return tuple(map(str, cast("list[object]", value))) if isinstance(value, (list, tuple)) else (str(value),)


def _listed(text: str) -> list[object]:
    """Return the list in a cell; empty if there is none."""
    try:
        values: object = json.loads(text)
    except ValueError:
        return []
    return cast("list[object]", values) if isinstance(values, list) else []


def _text(value: object, place: str, side: str) -> str:
    if isinstance(value, str):
        return value
    if is_missing(value):
        return ""
    raise DataError(f"{place}: the {side} {no_text(value)}.")


# Table files ------------------------------------------------------------------------------------------------------


def _file_rows(path: Path) -> list[ReviewRow]:
    kind = path.suffix.lower()
    if kind == ".txt":
        raise DataError(f"{path} holds outputs without sources; generate into a .tsv, .csv, .jsonl or .parquet file.")
    if kind not in (".tsv", ".csv", ".jsonl", ".parquet"):
        endings = (".tsv", ".csv", ".jsonl", ".parquet")
        raise DataError(f"{path} should end in one of {', '.join(endings)}.{nearest(kind, endings)}")
    try:
        rows = _delimited(path, "\t" if kind == ".tsv" else ",") if kind in (".tsv", ".csv") else _records(path, kind)
        return [_cells_row(cells, f"{path.name}, row {number:,}") for number, cells in enumerate(rows, 1)]
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not in UTF-8; save it in that encoding.") from error
    except (ValueError, csv.Error) as error:
        raise DataError(f"{path} is not a table of outputs: {error}.") from error


def _delimited(path: Path, delimiter: str) -> Iterator[Mapping[str, object]]:
    limit = csv.field_size_limit(MAX_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file, delimiter=delimiter)
    finally:
        csv.field_size_limit(limit)


def _records(path: Path, kind: str) -> Iterator[Mapping[str, object]]:
    if kind == ".parquet":
        with optional_import("A Parquet file", "pyarrow", "frames"):
            parquet = import_module("pyarrow.parquet")
        yield from parquet.read_table(path).to_pylist()
        return
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            record: object = json.loads(line)
            if not isinstance(record, dict):
                raise DataError(f"{path.name}, row {number:,} is not an object; the table is JSON Lines.")
            yield cast("Mapping[str, object]", record)
