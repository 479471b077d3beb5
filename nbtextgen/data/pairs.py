"""``Pairs``: two columns of text, each row knowing where it came from."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from nbtextgen.errors import DataError, nearest

Place = str | tuple[str, int]


class Pairs(Sequence[tuple[str, str]]):
    """An immutable, ordered collection of (source, target) texts."""

    def __init__(self, sources: Sequence[Any], targets: Sequence[Any], places: Sequence[Place] | None = None) -> None:
        """Check and keep the pairs.

        Args:
            sources, targets: one text each per pair.
            places: where each pair came from: a text, or a file name and a line; by default ``row 1``, ``row 2``, ...

        Raises:
            DataError: for a side that is empty or not text; names the row.
        """
        if len(sources) != len(targets):
            raise DataError(f"There are {len(sources):,} sources but {len(targets):,} targets; give one target each.")
        self._places = places if places is not None else [("row", at + 1) for at in range(len(sources))]
        self.sources = [self._text(text, "source", at) for at, text in enumerate(sources)]
        self.targets = [self._text(text, "target", at) for at, text in enumerate(targets)]
        if not self.sources:
            raise DataError("There are no pairs: the data is empty; give at least two rows of source and target.")

    def _text(self, value: Any, side: str, at: int) -> str:
        if isinstance(value, str):
            if value.strip():
                return value
            problem = "is empty"
        elif value is None or (isinstance(value, numbers.Real) and math.isnan(float(value))):
            problem = "is missing (NaN)"
        else:
            problem = f"is {type(value).__name__} ({value!r}), not text; convert the column with .astype(str)"
        way = "" if ";" in problem else "; drop such rows or fill them in"
        raise DataError(f"{self.place(at)}: {side} {problem}{way}.")

    def place(self, at: int) -> str:
        """Where a pair came from, for instance ``pairs.csv, row 1,204``."""
        place = self._places[at]
        if isinstance(place, str):
            return place
        name, number = place
        return f"{name} {number:,}"

    def __len__(self) -> int:
        return len(self.sources)

    @overload
    def __getitem__(self, at: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, at: slice) -> Pairs: ...
    def __getitem__(self, at: int | slice) -> tuple[str, str] | Pairs:
        if isinstance(at, slice):
            return self.take(range(*at.indices(len(self))))
        return self.sources[at], self.targets[at]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return zip(self.sources, self.targets, strict=True)

    def __repr__(self) -> str:
        shown = "\n".join(f"  {source} -> {target}" for source, target in self[:5])
        return f"Pairs({len(self):,})\n{shown}" + ("\n  ..." if len(self) > 5 else "")

    def take(self, rows: Iterable[int]) -> Pairs:
        """Some of the pairs, in the order given; they keep their places."""
        chosen = list(rows)
        places = [self._places[row] for row in chosen]
        taken = Pairs.__new__(Pairs)
        taken.sources = [self.sources[row] for row in chosen]
        taken.targets = [self.targets[row] for row in chosen]
        taken._places = places
        return taken

    def split(self, valid_fraction: float, seed: int, limit: int | None = None) -> tuple[Pairs, Pairs]:
        """Hold out a share; pairs with the same source always stay on one side.

        Args:
            valid_fraction: share of the distinct sources held out.
            seed: the same seed gives the same split.
            limit: most pairs held out, about.

        Returns:
            training and validation pairs, each in the original order.
        """
        groups: dict[str, list[int]] = {}
        for row, source in enumerate(self.sources):
            groups.setdefault(source, []).append(row)
        members = list(groups.values())
        wanted = min(valid_fraction * len(self), limit or len(self))
        held: set[int] = set()
        for number in np.random.default_rng(seed).permutation(len(members)):
            if len(held) + len(members[number]) / 2 > wanted:
                break
            held.update(members[number])
        train = [row for row in range(len(self)) if row not in held]
        return self.take(train), self.take(sorted(held))

    @classmethod
    def from_text(cls, text: str, name: str = "line") -> Pairs:
        """Pairs from lines ``source<TAB>target`` or ``source => target``; blank lines are skipped.

        Raises:
            DataError: for a line with no separator or more than one tab; names the line.
        """
        sources, targets, places = [], [], []
        for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
            if not line.strip():
                continue
            separator = "\t" if "\t" in line else " => "
            parts = line.split(separator)
            if len(parts) != 2:
                problem = "has no separator" if len(parts) == 1 else f"has {len(parts) - 1} separators"
                raise DataError(f"{name} {number:,} {problem}: write source, a tab or ' => ', and target.")
            sources.append(parts[0])
            targets.append(parts[1])
            places.append((name, number))
        if not sources:
            raise DataError("There are no pairs: write one per line, source, a tab or ' => ', and target.")
        return cls(sources, targets, places)

    @classmethod
    def of(cls, data: Any, *, source: str | None = None, target: str | None = None) -> Pairs:
        """Pairs from whatever holds two columns of text.

        Args:
            data: pairs; a list of (source, target) or of dicts; a dict of columns; a pandas or polars frame; a
                ``datasets.Dataset``; the name of a .tsv, .csv, .txt, .jsonl or .parquet file; a tuple of two paths to
                parallel text files; or ``builtin:dates``.
            source, target: column names; by default the two columns there are.

        Raises:
            DataError: when the data cannot be read so; names the place and the way out.
        """
        from nbtextgen.data import sources

        if isinstance(data, Pairs):
            return data
        if isinstance(data, str) and data.startswith("builtin:"):
            from nbtextgen.data.builtin import from_name

            return from_name(data)
        if isinstance(data, (str, Path)):
            return sources.read_file(Path(data), source, target)
        if isinstance(data, tuple) and len(data) == 2 and all(isinstance(part, Path) for part in data):
            return sources.read_parallel(*data)
        if isinstance(data, Mapping):
            return from_columns({str(name): list(column) for name, column in data.items()}, source, target)
        if hasattr(data, "columns") or hasattr(data, "column_names"):
            names = [str(name) for name in (data.column_names if hasattr(data, "column_names") else data.columns)]
            raw = data.column_names if hasattr(data, "column_names") else data.columns
            return from_columns({name: list(data[key]) for name, key in zip(names, raw, strict=True)}, source, target)
        if isinstance(data, Iterable) and not isinstance(data, (str, bytes)):
            return _from_rows(list(data), source, target)
        raise DataError(
            f"Pairs cannot be read from {type(data).__name__}; give a list of (source, target), a data frame, or a file."
        )


def _from_rows(rows: list[Any], source: str | None, target: str | None) -> Pairs:
    if rows and all(isinstance(row, Mapping) for row in rows):
        names = list(dict.fromkeys(str(name) for row in rows for name in row))
        return from_columns({name: [row.get(name) for row in rows] for name in names}, source, target)
    for number, row in enumerate(rows, 1):
        if isinstance(row, str) or not isinstance(row, Sequence) or len(row) != 2:
            raise DataError(f"row {number:,}: expected (source, target), got {row!r:.60}; give two texts per row.")
    return Pairs([row[0] for row in rows], [row[1] for row in rows])


def from_columns(
    columns: Mapping[str, Sequence[Any]], source: str | None, target: str | None, places: Sequence[Place] | None = None
) -> Pairs:
    """Pairs from named columns; see ``Pairs.of``."""
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
    return Pairs(columns[source], columns[target], places)
