"""Names that must differ: those of columns, settings, the keys of a JSON object, options on a line."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, TypeVar

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
