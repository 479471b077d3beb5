"""Which two columns of a table are source and target."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any, cast

from nbtextgen.core.errors import DataError, OptionError, nearest
from nbtextgen.core.wording import counted

ColumnName = str | int
"""A column by name or by number."""
SAMPLE = 1000
"""First rows of a table from which its columns, its header and its form are told."""
ROLES = frozenset(
    tuple(names.split())
    for names in (
        "source target",
        "src tgt",
        "src trg",
        "input output",
        "input label",
        "question answer",
        "prompt completion",
        "instruction response",
        "text summary",
        "text label",
        "article summary",
        "article highlight",
        "document summary",
        "original translation",
        "original translated",
        "incorrect correct",
        "incorrect corrected",
        "original corrected",
        "noisy clean",
    )
)
"""Names of columns, without a plural's s, that say which is the source and which the target."""


_CODES = (
    "ar bg bn ca cs cy da de el en eo es et eu fa fi fr ga gl he hi hr hu hy id is it ja ka ko la lt lv mk mn ms nb nl "
    "nn no pl pt ro ru sk sl sq sr sv sw ta te th tl tr uk ur vi zh eng fra fre deu ger spa ita por nld rus cmn zho jpn "
    "kor ara hin tur pol swe dan fin ell heb lat ces hun ron ukr vie"
)
LANGUAGE_CODES = frozenset(_CODES.split())
"""Codes of languages by ISO 639."""
MAX_NAMED = 50
"""Columns whose names are read for what they say."""
INDEX_NAMES = ("", "Unnamed: 0", "__index_level_0__", "Index")
"""Names that pandas gives to its index in a file or a tuple."""


@dataclass(frozen=True)
class ReadOptions:
    """How data is read.

    Attributes:
        source, target: columns by name, by number (the first is 1; or 0 if either is 0), or by path, as
            ``translation.en``; ``None``: the two columns there are.
        encoding: of text files; ``None``: Unicode.
        in_memory: whether all rows will be kept, so that they must fit.
        only_source: whether one column is read, as source and target.
        is_chosen: whether that column must be chosen if there are several, also if there are two.
        notes: what the reader assumed, one sentence each; readers add to it.
    """

    source: ColumnName | None = None
    target: ColumnName | None = None
    encoding: str | None = None
    in_memory: bool = False
    only_source: bool = False
    is_chosen: bool = False
    notes: list[str] = field(default_factory=list[str], compare=False)

    def __post_init__(self) -> None:
        for name, column in (("source", self.source), ("target", self.target)):
            if isinstance(column, bool):  # which would count as a number
                raise OptionError(f"--{name} must be the name or the number of a column (got {column}).")

    @property
    def names(self) -> list[str]:
        """The columns that are asked for by name."""
        return [str(column) for column in (self.source, self.target) if column is not None and not is_number(column)]

    def choose(
        self, names: Sequence[str], *, are_numbers: bool = False, subject: str = "The data", cells: Sequence[str] = ()
    ) -> tuple[int, int]:
        """Return the indices of the source and target columns.

        Args:
            names: of all columns.
            are_numbers: whether the columns have no names but their numbers, counted from 1.
            subject: what has the columns, for errors.
            cells: the first row of columns without names, by which a reader knows them, for errors.

        Raises:
            DataError: if there are not two columns, it is not clear which two, or a column is not among them.
        """
        if self.only_source:
            is_first = len(names) == 2 and not self.is_chosen
            index = self.choose_one(names, are_numbers=are_numbers, is_first=is_first, cells=cells)
            return index, index
        listed = _listed(names)
        if not names:
            raise DataError(f"{subject} has no columns; two are needed, source and target.")
        if len(names) < 2:
            shown = _numbered(cells) if are_numbers and cells else listed
            way_out = (
                "; put tabs between columns, or write sep=X as the first line for another character X" if cells else ""
            )
            raise DataError(f"{subject} has {len(names)} column ({shown}); two are needed, source and target{way_out}.")
        first = 0 if "0" in (str(self.source), str(self.target)) else 1
        indices = [
            None if column is None else column_index(column, () if are_numbers else names, side, first, len(names))
            for side, column in (("source", self.source), ("target", self.target))
        ]
        if indices == [None, None]:
            indices = self._usual_columns(names)
        elif len(names) == 2 and None in indices:
            indices = [
                1 - (other or 0) if index is None else index
                for index, other in zip(indices, indices[::-1], strict=True)
            ]
        source, target = indices
        if source is None or target is None:
            if are_numbers and cells:
                raise DataError(
                    f"{subject} has columns {_numbered(cells)}; say which by number, with --source=1 --target=2, or by name if "
                    "this row is a header."
                )
            raise DataError(f"{subject} has columns {listed}; say which with --source=NAME --target=NAME.")
        if source == target:
            self.notes.append(f"Source and target are the same column, '{names[source]}'.")
        return source, target

    def _usual_columns(self, names: Sequence[str]) -> list[int | None]:
        """The columns if none is asked for: those named so, or the two there are, an index left out."""
        if (roles := column_roles(names)) is not None:
            if roles != (0, 1):
                source, target = (names[index] for index in roles)
                self.notes.append(f"Columns are taken by name: source is '{source}', target '{target}'.")
            return list(roles)
        if len(names) == 3 and names[0] in INDEX_NAMES:
            self.notes.append(f"The first column ('{names[0]}') is read as an index and left out.")
            return [1, 2]
        if len(names) == 2 and names[0] == names[1]:
            raise DataError(_twice(names[0]))
        return [0, 1] if len(names) == 2 else [None, None]

    def choose_one(
        self, names: Sequence[str], *, are_numbers: bool = False, is_first: bool = False, cells: Sequence[str] = ()
    ) -> int:
        """Return the index of the source column alone.

        Args:
            names, are_numbers, cells: as for ``choose``.
            is_first: take the source of two columns, or the first, if none is asked for.
        """
        if self.source is not None:
            first = 0 if str(self.source) == "0" else 1
            return column_index(self.source, () if are_numbers else names, "", first, len(names))
        if len(names) != 1 and not is_first and are_numbers and cells:
            raise DataError(
                f"The data has columns {_numbered(cells)}; choose a column by number, with --source=1, or by name if this row "
                "is a header."
            )
        if len(names) != 1 and not is_first:
            raise DataError(f"The data has columns {_listed(names) or '(none)'}; choose a column with --source=NAME.")
        return (column_roles(names) or (0, 1))[0] if len(names) > 1 else 0


TO_LIST = ("to_pylist", "tolist", "to_list")
"""Methods of arrays, series and columns that give plain Python objects, of which the first that is there is called."""


def check_index(source: object, target: object) -> None:
    """Raise ``DataError`` if two columns of pandas have the same rows by their index, but in another order."""
    ours, theirs = (cast("Any", getattr(side, "index", None)) for side in (source, target))
    if not (hasattr(ours, "sort_values") and hasattr(theirs, "sort_values")) or ours.equals(theirs):
        return
    with suppress(TypeError):  # labels of several kinds
        if len(ours) == len(theirs) and ours.sort_values().equals(theirs.sort_values()):
            raise DataError(
                "The targets stand in another order than the sources, as the index of their rows says; sort both by it, or give "
                "reset_index(drop=True) of both if they belong together as they stand."
            )


def check_rows(data: object, notes: list[str]) -> None:
    """Raise ``DataError`` for an open file; note a set of rows, whose order changes with every start of Python."""
    if hasattr(data, "readline"):
        raise DataError(f"An open file ({type(data).__name__}) cannot be read twice; give its name.")
    if isinstance(data, (set, frozenset)):
        notes.append(
            "A set of rows has another order after every start of Python; for the same training, give sorted(...)."
        )


def check_order(column: object) -> None:
    """Raise ``DataError`` for a set of texts, whose order changes with every start of Python."""
    kind = type(column).__name__
    if isinstance(column, (set, frozenset)):
        raise DataError(f"A {kind} of texts keeps no order; give a list.")


def check_column(column: object) -> None:
    """Raise ``DataError`` for a column that is a set or a mapping."""
    check_order(column)
    kind = type(column).__name__
    if isinstance(column, Mapping):
        raise DataError(
            f"A column is a {kind}, whose keys would be read as texts; give a list for every column, as "
            "DataFrame.to_dict('list') does, or the frame."
        )


def column_of(value: object) -> Sequence[object]:
    """The cells of a list, series or array of three texts or more, which is no pair; none of anything else."""
    method = next((name for name in TO_LIST if hasattr(value, name)), None)
    cells: object = getattr(value, method)() if method else value
    if isinstance(cells, deque):
        cells = list(cast("deque[object]", cells))
    if not isinstance(cells, (list, tuple)):
        return []
    cells = cast("Sequence[object]", cells)
    return cells if len(cells) > 2 and all(isinstance(cell, str) for cell in cells) else []


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")


def _numbered(cells: Sequence[str]) -> str:
    """Columns without names by their numbers and first cells."""
    return _listed([f"{number} ({cell:.30})" for number, cell in enumerate(cells, 1)])


def is_number(column: ColumnName) -> bool:
    """Return ``True`` for a column that is given by its number."""
    return isinstance(column, int) or (str(column).isascii() and str(column).isdigit())


def column_index(column: ColumnName, names: Sequence[str], side: str, first: int, count: int) -> int:
    """Return the index of a column.

    Args:
        column: its name, the last part of its path if no other column ends so, or its number.
        names: names or paths of all columns, if they have any.
        side: "source" or "target", for the error.
        first: the number of the first column.
        count: how many columns there are.
    """
    name = str(column)
    matches = [index for index, each in enumerate(names) if each == name]
    matches = matches or [index for index, each in enumerate(names) if name and each.endswith(f".{name}")]
    plain = _plain(name)
    matches = matches or [index for index, each in enumerate(names) if plain and _plain(each) == plain]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise DataError(_twice(names[matches[0]]) if names[matches[0]] == names[matches[1]] else _which(name, names))
    if is_number(column) and 0 <= int(column) - first < count:
        return int(column) - first
    kind = f"{side} column".strip()
    if is_number(column):
        raise DataError(f"There is no {kind} {name}: the data has {counted(count, 'column')}.")
    parts = [part.strip() for part in name.split(",")]
    if isinstance(column, (list, tuple)) or (
        len(parts) > 1 and all(is_number(each) or each in names for each in parts)
    ):
        raise DataError(
            f"The {kind} is one column, not {name}; join several into one first, with a space between their texts."
        )
    listed = ", ".join(names or map(str, range(1, count + 1)))
    raise DataError(f"There is no {kind} '{name}' (columns: {listed}).{nearest(name, names)}")


def _plain(name: str) -> str:
    """A name in one Unicode form, without the spaces around it, seen or not."""
    return unicodedata.normalize("NFC", name).strip("\u200b\ufeff" + string.whitespace + "\xa0")


def column_roles(names: Sequence[str]) -> tuple[int, int] | None:
    """The columns whose names say that they are source and target; ``None`` if no two do, or several.

    What two names have in common is left out, and codes of languages: ``target_text`` and ``source_text`` are target and
    source, and so are ``target_fr`` and ``source_en``.
    """
    words = [[word.removesuffix("s") for word in re.findall(r"[^\W_]+", name.lower())] for name in names[:MAX_NAMED]]
    for are_whole in (True, False):
        pairs = list[tuple[int, int]]()
        for source, target in permutations(range(len(words)), 2):
            ours, theirs = words[source], words[target]
            if not are_whole:
                shared = ({*ours} & {*theirs}) | LANGUAGE_CODES
                ours, theirs = ([word for word in each if word not in shared] for each in (ours, theirs))
            if len(ours) == len(theirs) == 1 and (ours[0], theirs[0]) in ROLES:
                pairs.append((source, target))
        if pairs:
            return pairs[0] if len(pairs) == 1 else None
    return None


def _twice(name: str) -> str:
    return f"Two columns are named '{name}'; rename one of them, or give the columns by number."


def _which(name: str, names: Sequence[str]) -> str:
    paths = [each for each in names if each.endswith(f".{name}")]
    if not paths:
        return f"Several columns look like '{name}', with spaces or marks that are not seen; give one by its number."
    return f"Several columns end in '{name}' ({', '.join(paths)}); give the whole name."


# Nested columns ---------------------------------------------------------------------------------------------------

ColumnPath = tuple[Any, ...]
"""The key of a column, and the keys inside its values, if these are mappings."""
Fields = Mapping[Any, Any]
"""The cells of a record by the keys of its columns, texts or numbers."""


def column_paths(samples: Iterable[tuple[object, str, Iterable[object]]]) -> list[tuple[str, ColumnPath]]:
    """Return names and paths of all columns; the values of a nested column, as ``translation.en``, are columns.

    Args:
        samples: the key of each column, its name, and some of its values.
    """
    paths = list[tuple[str, ColumnPath]]()
    for key, name, values in samples:
        present = [value for value in values if value is not None]
        if present and all(isinstance(value, Mapping) for value in present):
            mappings = cast("list[Fields]", present)
            inner_keys = dict.fromkeys(inner for value in mappings for inner in value)
            inner = ((each, str(each), [value.get(each) for value in mappings]) for each in inner_keys)
            paths += [(f"{name}.{inner_name}", (key, *path)) for inner_name, path in column_paths(inner)]
        else:
            paths.append((name, (key,)))
    return paths


def record_paths(records: Sequence[Fields]) -> list[tuple[str, ColumnPath]]:
    """Return names and paths of all columns of some records."""
    keys = dict.fromkeys(key for record in records for key in record)
    return column_paths((key, str(key), [record.get(key) for record in records]) for key in keys)


def value_at(value: object, path: ColumnPath) -> object:
    """Follow a path of keys into a value; ``None`` if there is nothing."""
    for key in path:
        value = cast("Fields", value).get(key) if isinstance(value, Mapping) else None
    return value
