"""Names that must differ: those of columns, settings, the keys of a JSON object, options on a line; and names of files."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from nbtextgen.core.errors import DataError

Name = TypeVar("Name", bound=Hashable)


class RepeatedNameError(ValueError):
    """A name stands twice where it may stand once.

    Attributes:
        name: that name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"'{name}' is given twice")
        self.name = name


def first_repeated(names: Iterable[Name]) -> Name | None:
    """Return the first name that an earlier one repeats, or ``None`` if all differ."""
    earlier = set[Name]()
    for name in names:
        if name in earlier:
            return name
        earlier.add(name)
    return None


def without_repeats(items: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object, as its parser's ``object_pairs_hook``; ``json`` alone keeps the last value of a repeated name.

    Raises:
        RepeatedNameError: for a name that is there twice.
    """
    values = dict(items)
    if len(values) < len(items):
        raise RepeatedNameError(str(first_repeated(name for name, _ in items)))
    return values


def plain_path(value: object) -> object:
    """Return a path-like object of any class as a ``Path``, and anything else as it is.

    Raises:
        DataError: if the object gives no name.
    """
    if isinstance(value, (str, Path)) or not isinstance(value, os.PathLike):
        return value
    kind = type(cast("object", value)).__name__
    try:
        return Path(os.fsdecode(cast("os.PathLike[str]", value)))
    except Exception as error:  # of the user's object
        raise DataError(
            f"{kind} gives no name of a file: its method __fspath__ raised {type(error).__name__} or gave no text; give a text or "
            "a Path."
        ) from error
