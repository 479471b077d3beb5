"""A list of texts from whatever holds one column of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nbtextgen.core.errors import DataError
from nbtextgen.data.readers.columns import ColumnName, column_index, record_paths, value_at
from nbtextgen.data.readers.read import table_of
from nbtextgen.data.rows import Rows, is_missing


def read_texts(data: Any, column: ColumnName | None = None, *, option: str = "--source") -> list[Any]:
    """Read one column of texts; a missing value is an empty text.

    Args:
        data: a text; a list, array or series of texts; a frame, an Arrow table, a data set, records or a mapping with
            one column; or pairs, whose sources are read.
        column: which column, by name, number or path, if there are several.
        option: how users name the column.

    Raises:
        DataError: if the data is something else, or has several columns and none is chosen.
    """
    if isinstance(data, str):
        return [data]
    if isinstance(data, Rows):
        return list(data.sources)
    values = _column_of(data, column, option)
    if values is None:
        if not hasattr(data, "__iter__") or hasattr(data, "decode") or getattr(data, "shape", None) == ():
            raise DataError(f"Texts cannot be read from {type(data).__name__}; give a text or a list of texts.")
        values = _inner_column(data.tolist() if hasattr(data, "tolist") else list(data), column, option)
    return ["" if is_missing(value) else value for value in values]


def _column_of(data: Any, column: ColumnName | None, option: str) -> list[Any] | None:
    table = table_of(data)
    if table is None:
        return None
    index = _choose(table.names, column, option, are_numbers=isinstance(data, np.ndarray))
    return table.column(table.paths[index][1])


def _inner_column(values: list[Any], column: ColumnName | None, option: str) -> list[Any]:
    """The texts of rows that are records, lists or arrays; other values are texts already."""
    if values and all(hasattr(row, "keys") for row in values):
        paths = record_paths(values[:1000])
        path = paths[_choose([name for name, _ in paths], column, option)][1]
        return [value_at(row, path) for row in values]
    if values and all(isinstance(row, (list, tuple, np.ndarray)) for row in values):
        width = len(values[0])
        index = _choose([str(number + 1) for number in range(width)], column, option, are_numbers=True)
        return [row[index] if len(row) == width else None for row in values]
    return values


def _choose(names: list[str], column: ColumnName | None, option: str, *, are_numbers: bool = False) -> int:
    if column is not None:
        return column_index(column, () if are_numbers else names, "", 0 if str(column) == "0" else 1, len(names))
    if len(names) != 1:
        listed = ", ".join(names) or "none"
        raise DataError(
            f"The data has {len(names)} columns ({listed}); choose a column, for instance with {option} NAME."
        )
    return 0


def pair_columns(data: Any, targets: Any) -> Any:
    """Two columns, or the names of two parallel files, as data that ``Pairs.of`` reads.

    Raises:
        DataError: if there are not as many targets as sources.
    """
    if isinstance(data, (str, Path)) and isinstance(targets, (str, Path)):
        return Path(data), Path(targets)
    columns = [read_texts(each) for each in (data, targets)]
    sources, answers = columns
    if len(sources) != len(answers):
        raise DataError(f"There are {len(sources):,} sources but {len(answers):,} targets; give one target per source.")
    return list(zip(sources, answers, strict=True))
