"""Rows from records: JSON files, and any iterable of mappings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any, cast

from nbtextgen.core.errors import DataError
from nbtextgen.core.files import JsonObject
from nbtextgen.core.names import RepeatedNameError, first_repeated, without_repeats
from nbtextgen.core.wording import counted
from nbtextgen.data.readers.columns import SAMPLE, Fields, ReadOptions, column_roles, record_paths, value_at
from nbtextgen.data.readers.header import note_header
from nbtextgen.data.readers.text import LARGEST_ROW, TextFile
from nbtextgen.data.rows import Place, Row, place_text

Record = tuple[Place, Fields, str | None]
"""The place of a record, its values by column, and why it could not be read (``None`` if it could)."""
_WHITE_SPACE = " \t\r\n"


def as_record(row: object) -> Fields | None:
    """Return the fields of a row by name: of a mapping, a named tuple, a data class, a row of a database or of a frame.

    Returns:
        ``None`` if its cells have no names.
    """
    if isinstance(row, Mapping):
        return cast("Fields", row)
    if isinstance(row, tuple):
        names: object = getattr(cast("object", row), "_fields", None)
        return None if names is None else _named(cast("Sequence[str]", names), cast("Sequence[object]", row))
    if is_dataclass(row) and not isinstance(row, type):
        return {each.name: getattr(row, each.name) for each in fields(row)}
    values: Any = row  # sqlite3.Row, pandas.Series
    keys = list(values.keys()) if hasattr(row, "keys") and not hasattr(row, "columns") else []
    if not keys or not all(isinstance(key, str) for key in keys):
        return None
    return _named(keys, [values[key] for key in keys])


def _named(names: Sequence[str], cells: Sequence[object]) -> Fields:
    record = dict(zip(names, cells, strict=True))
    if len(record) < len(names):  # as a query that joins two tables may give
        raise DataError(f"Two columns are named '{first_repeated(names)}'; rename one of them, as with AS in SQL.")
    return record


def rows_of_records(records: Iterable[Record], options: ReadOptions) -> Iterator[Row]:
    """Yield the rows of records; one that lacks a column has ``None`` there."""
    records = iter(records)
    head = list(islice(records, SAMPLE))
    paths = record_paths([record for _, record, _ in head])
    keys = {path[0] for _, path in paths}
    names = [name for name, _ in paths]
    source, target = (paths[index][1] for index in options.choose(names))
    is_open = options.source is None and options.target is None
    if len(source) == len(target) == 1:
        source_key, target_key = source[0], target[0]
        for place, record, problem in chain(head, records):
            if is_open and not record.keys() <= keys:
                options.choose([*names, *(str(key) for key in record if key not in keys)])
            yield place, record.get(source_key), record.get(target_key), problem
    else:
        for place, record, problem in chain(head, records):
            yield place, value_at(record, source), value_at(record, target), problem


def rows_of_json(file: TextFile, options: ReadOptions) -> Iterator[Row]:
    """Yield the rows of a file with a JSON object in every line, a list of objects, or one object of columns.

    Raises:
        DataError: if there is none, or the first of them cannot be read; names the line.
    """
    lines = enumerate(file.lines(), 1)
    head = list(islice(((number, line) for number, line in lines if not line.isspace()), 2))
    if not head:
        raise DataError(f"{file.path} is empty; write one JSON object per line.")
    for number, line in head:
        try:
            _CHECKING.decode(line)
        except RepeatedNameError as error:
            raise _two_columns(f"{file.path.name}, line {number:,}", error) from None
        except (ValueError, RecursionError):
            pass  # it may go on in the next line
    lines = chain(head, lines)
    if head[0][1].lstrip().startswith("[") and not _are_lists([line for _, line in head]):
        records = _list_records(file, lines, options)
    elif (content := _single_object(file, [line for _, line in head])) is not None:
        is_mapping = all(isinstance(value, str) for value in content.values()) and not options.names
        if is_mapping and column_roles(list(content)) is None:
            raise DataError(f"{file.path} holds one JSON object of texts; give a list of objects, one for each pair.")
        place = f"{file.path.name}, record"
        records = (
            ((place, number), record, None) for number, record in enumerate(_content_records(file.path, content), 1)
        )
    else:
        records = _line_records(file, lines, options)
    first = list(islice(records, SAMPLE))
    if not first:
        raise DataError(f"{file.path} is empty; write one JSON object per line.")
    if all(problem for _, _, problem in first):
        place, _, problem = first[0]
        raise DataError(f"{place_text(place)} {problem}.")
    rows = rows_of_records(chain(first, records), options)
    yield from note_header(rows, options) if all(isinstance(key, int) for key in first[0][1]) else rows


def _whole_number(digits: str) -> int | Decimal:
    """Return a whole number; Python makes no ``int`` of more than 4,300 digits."""
    return int(digits) if len(digits) < 4000 else Decimal(digits)


_CHECKING = json.JSONDecoder(object_pairs_hook=without_repeats, parse_int=_whole_number)
"""Reads JSON, and checks that no name of an object is repeated."""


def _two_columns(place: str, error: RepeatedNameError) -> DataError:
    return DataError(f"{place}: two columns are named '{error.name}'; rename one of them.")


def _are_lists(lines: Sequence[str]) -> bool:
    """Return ``True`` if every line is a JSON list."""
    try:
        return len(lines) > 1 and all(isinstance(json.loads(line), list) for line in lines)
    except (ValueError, RecursionError):
        return False


def _line_records(file: TextFile, lines: Iterator[tuple[int, str]], options: ReadOptions) -> Iterator[Record]:
    """Yield the object of every line."""
    place = f"{file.path.name}, line"
    for number, line in lines:
        try:
            value = _CHECKING.decode(line)
        except RepeatedNameError as error:
            yield (place, number), {}, f"has two columns named '{error.name}'; rename one of them"
            continue
        except (ValueError, RecursionError) as error:
            if not line.isspace():
                yield (place, number), {}, _json_problem(error)
            continue
        yield (place, number), *_checked(file, value, options)


def _json_problem(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "is not JSON: it is nested too deeply"
    advice = "; write one object per line, without commas between them" if "Extra data" in str(error) else ""
    return f"is not JSON: {error}{advice}"


def _list_records(file: TextFile, lines: Iterator[tuple[int, str]], options: ReadOptions) -> Iterator[Record]:
    """Yield the objects of a list; a list of any length is read piece by piece."""
    first_line, text = next(lines)
    position, count, size = text.index("[") + 1, 0, 1 << 16
    place, mark = f"{file.path.name}, record", "["
    while True:
        position = len(text) - len(text[position:].lstrip(_WHITE_SPACE)) if position < len(text) else position
        problem, error_at = "it ends inside a list", position
        if position < len(text):
            if mark == "item" and text[position] == ",":
                mark, position = ",", position + 1
                continue
            if text[position] == "]" and mark != ",":
                rest = text[position + 1 :] + _take(lines, 1 << 16)
                if rest.strip():
                    line = first_line + text.count("\n", 0, position)
                    raise DataError(f"{file.path.name}, line {line:,} is not JSON: there is more after the list.")
                return
            if mark == "item":
                problem, more = "Expecting ',' delimiter", ""
            else:
                try:
                    value, position = _CHECKING.raw_decode(text, position)
                    mark, count, size = "item", count + 1, 1 << 16
                    yield (place, count), *_checked(file, value, options)
                    continue
                except RepeatedNameError as error:
                    raise _two_columns(f"{place} {count + 1:,}", error) from None
                except json.JSONDecodeError as error:
                    problem, error_at = error.msg, error.pos
                except RecursionError:
                    raise DataError(f"{place} {count + 1:,} is not JSON: it is nested too deeply.") from None
                more = _take(lines, size)
        else:
            more = _take(lines, size)
        if not more or size > LARGEST_ROW:
            line = first_line + text.count("\n", 0, error_at)
            raise DataError(f"{file.path.name}, line {line:,} is not JSON: {problem}.")
        first_line += text.count("\n", 0, position)
        text, position, size = text[position:] + more, 0, 2 * size


def _take(lines: Iterator[tuple[int, str]], size: int) -> str:
    """Some of the next lines, of about ``size`` characters."""
    taken = list[str]()
    for _, line in lines:
        taken.append(line)
        size -= len(line)
        if size <= 0:
            break
    return "".join(taken)


def _checked(file: TextFile, value: object, options: ReadOptions) -> tuple[Fields, str | None]:
    """The fields of an object, a list, or, where only sources are read, a text or null; and why they could not be read."""
    if options.only_source and (value is None or isinstance(value, str)):
        value = [value]
    if isinstance(value, list):
        value = dict(enumerate(cast("list[object]", value), 1))
    if not isinstance(value, dict):
        example = '{"source": "a"}' if options.only_source else '{"source": "a", "target": "b"}'
        return {}, f"is not a JSON object such as {example}"
    record = cast("Fields", value)
    return record, file.problem(record.values()) if file.has_surrogates else None


def _single_object(file: TextFile, head: list[str]) -> JsonObject | None:
    """The object that a file holds, in one line or several; ``None`` if it holds an object per line."""
    try:
        value = json.loads(head[0])
        items = list(cast("JsonObject", value).values()) if len(head) == 1 and isinstance(value, dict) else []
        is_whole = any(isinstance(item, (list, dict)) for item in items) or (
            bool(items) and all(isinstance(item, str) for item in items) and file.path.suffix.lower() == ".json"
        )
    except ValueError:
        text = _take(enumerate(TextFile(file.path, file.encoding).lines()), LARGEST_ROW)
        try:
            value, is_whole = _CHECKING.decode(text), True
        except RepeatedNameError as error:
            raise _two_columns(file.path.name, error) from None
        except (ValueError, RecursionError):
            return None
    except RecursionError:
        return None
    return cast("JsonObject", value) if is_whole and isinstance(value, dict) else None


def _split_records(path: Path, names: list[object], rows: list[list[object]]) -> list[Fields]:
    """The records of a list of names and lists of cells."""
    names = [".".join(map(str, cast("list[object]", name))) if isinstance(name, list) else name for name in names]
    twice = first_repeated(map(str, names))
    if twice is not None:
        raise DataError(f"{path.name}: two columns are named '{twice}'; rename one of them.")
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise DataError(
                f"{path.name}, record {number:,} has {counted(len(row), 'cell')}, but {counted(len(names), 'column')} "
                "are named."
            )
    return [dict(zip(names, row, strict=True)) for row in rows]


def _content_records(path: Path, content: JsonObject) -> list[Fields]:
    """The records in an object that holds a list of them, or columns, as ``DataFrame.to_json`` writes them."""
    columns, data = content.get("columns"), content.get("data")
    if isinstance(columns, list) and isinstance(data, list):
        return _split_records(path, cast("list[object]", columns), cast("list[list[object]]", data))
    values = list(content.values())
    lists = [cast("list[object]", value) for value in values if isinstance(value, list)]
    lists = [items for items in lists if items and isinstance(items[0], dict)]
    if len(lists) == 1:
        return cast("list[Fields]", lists[0])
    if lists and len(lists) == len(values):
        raise DataError(
            f"{path} holds several lists ({', '.join(content)}); write the one with the pairs into its own file."
        )
    if len(values) > 1 and all(isinstance(value, list) for value in values):
        return [dict(zip(content, row, strict=True)) for row in zip_longest(*values)]
    if len(values) > 1 and all(isinstance(value, dict) and value.keys() == values[0].keys() for value in values):
        if column_roles(list(values[0])) is not None or (
            all(key.isdigit() for key in content) and not all(key.isdigit() for key in values[0])
        ):
            return values  # an object for every row
        return [{name: column[index] for name, column in content.items()} for index in values[0]]
    return [content]
