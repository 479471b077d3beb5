"""Whatever holds two columns of text, read into ``RawPairs``: tables in memory, streams, and names of files."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nbtextgen.core.errors import DataError, nearest
from nbtextgen.data.raw import RawPairs
from nbtextgen.data.rows import Place

GLOB = "*?["


def read(data: Any, source: str | None = None, target: str | None = None) -> RawPairs:
    """Read two columns without checking their cells; see ``Pairs.of`` for what can be read.

    Raises:
        DataError: when the data has no two columns, or a file cannot be read at all; names the place.
    """
    from nbtextgen.data.cleaning.clean import Cleaned
    from nbtextgen.data.pairs import Pairs

    if isinstance(data, Cleaned):
        data = data.pairs
    if isinstance(data, RawPairs):
        return data
    if isinstance(data, Pairs):
        return RawPairs(data.sources, data.targets, data.places)
    if isinstance(data, (str, Path)):
        return _read_name(str(data), source, target)
    if _is_parallel(data):
        from nbtextgen.data.readers.files import read_parallel

        return read_parallel(*map(Path, data))
    if isinstance(data, Mapping):
        return from_columns({str(name): list(column) for name, column in data.items()}, source, target)
    names = getattr(data, "column_names", None) or getattr(data, "columns", None)
    if names is not None and hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return from_columns({str(name): list(data[name]) for name in names}, source, target)
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes)):
        return _from_rows(list(data), source, target)
    raise DataError(
        f"Pairs cannot be read from {type(data).__name__}; give a list of (source, target), a data frame, or a file."
    )


def _is_parallel(data: Any) -> bool:
    """Two paths, or two names of files that are no tables of pairs by themselves, such as ``train.en``."""
    if not isinstance(data, tuple) or len(data) != 2:
        return False
    if all(isinstance(part, Path) for part in data):
        return True
    return all(isinstance(part, str) and os.path.isfile(part) and not _is_file(part) for part in data)


def _read_name(name: str, source: str | None, target: str | None) -> RawPairs:
    """A built-in set, one file, or all files that a pattern such as ``parts/*.tsv.gz`` fits."""
    from nbtextgen.data.readers.files import read_file

    if name.startswith("builtin:"):
        from nbtextgen.data.builtin import from_name

        return read(from_name(name))
    if any(mark in name for mark in GLOB) and not Path(name).exists():
        found = sorted(glob.glob(name))
        if not found:
            raise DataError(f"No file fits {name}; check the pattern and the folder.")
        return joined([read_file(Path(each), source, target) for each in found])
    return read_file(Path(name), source, target)


def _from_rows(rows: list[Any], source: str | None, target: str | None) -> RawPairs:
    if rows and all(isinstance(row, Mapping) for row in rows):
        return from_columns(columns_of(rows), source, target)
    if rows and all(_is_file(row) for row in rows):
        return joined([_read_name(str(row), source, target) for row in rows])
    for number, row in enumerate(rows, 1):
        if isinstance(row, str) or not isinstance(row, Sequence) or len(row) != 2:
            raise DataError(f"row {number:,}: expected (source, target), got {row!r:.60}; give two texts per row.")
    return RawPairs([row[0] for row in rows], [row[1] for row in rows], row_places(len(rows)))


def _is_file(row: Any) -> bool:
    from nbtextgen.data.readers.files import is_pairs_file

    return isinstance(row, Path) or (isinstance(row, str) and is_pairs_file(Path(row)))


def columns_of(rows: Sequence[Mapping[Any, Any]]) -> dict[str, list[Any]]:
    """Columns from records; a record that lacks a column has ``None`` there."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {str(name): [row.get(name) for row in rows] for name in names}


def row_places(count: int) -> list[Place]:
    """Places of rows that came from no file."""
    return [("row", at + 1) for at in range(count)]


def joined(parts: Sequence[RawPairs]) -> RawPairs:
    """Several tables, one after the other."""
    starts, total = [], 0
    for part in parts:
        starts.append(total)
        total += len(part)
    return RawPairs(
        [cell for part in parts for cell in part.sources],
        [cell for part in parts for cell in part.targets],
        [place for part in parts for place in part.places],
        {start + row: text for start, part in zip(starts, parts, strict=True) for row, text in part.problems.items()},
    )


def from_columns(
    columns: Mapping[str, Sequence[Any]],
    source: str | None,
    target: str | None,
    places: Sequence[Place] | None = None,
    problems: Mapping[int, str] | None = None,
) -> RawPairs:
    """The two columns asked for, or the two there are.

    Raises:
        DataError: when there are not two columns, it is not said which two, or a name is not among them.
    """
    names = list(columns)
    if len(names) < 2:
        raise DataError(f"The data has {len(names)} column ({', '.join(names)}); two are needed, source and target.")
    if source is None and target is None and len(names) == 2:
        source, target = names
    if source is None or target is None:
        raise DataError(f"The data has columns {', '.join(names)}; say which with --source NAME --target NAME.")
    for side, name in (("source", source), ("target", target)):
        if name not in columns:
            raise DataError(f"There is no {side} column '{name}' (columns: {', '.join(names)}).{nearest(name, names)}")
    chosen = columns[source], columns[target]
    return RawPairs(*chosen, row_places(len(chosen[0])) if places is None else places, problems or {})
