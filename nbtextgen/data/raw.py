"""``RawPairs``: two columns as they came, before anything is checked; what the report and cleaning work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from nbtextgen.errors import DataError

if TYPE_CHECKING:
    from nbtextgen.data.cleaning import Cleaned
    from nbtextgen.data.pairs import Pairs
    from nbtextgen.data.report import Report

Place = str | tuple[str, int]
"""Where a row came from: a text, or a name and a number that reads ``pairs.csv, line 1,204``."""


class Rows(Protocol):
    """What ``Pairs`` and ``RawPairs`` share: two columns, a place for every row, and the rows that could not be read."""

    @property
    def sources(self) -> Sequence[Any]: ...
    @property
    def targets(self) -> Sequence[Any]: ...
    @property
    def places(self) -> Sequence[Place]: ...
    @property
    def problems(self) -> Mapping[int, str]: ...


@dataclass(frozen=True)
class RawPairs:
    """Two columns of a table; a cell may be missing, empty, or no text at all.

    Attributes:
        sources, targets: the cells, a row each.
        places: where each row came from.
        problems: rows that the reader could not make sense of, by number: a phrase that follows the place.
    """

    sources: Sequence[Any]
    targets: Sequence[Any]
    places: Sequence[Place]
    problems: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.sources)

    def place(self, at: int) -> str:
        """Where a row came from, for instance ``pairs.csv, line 1,204``."""
        return place_text(self.places[at])

    def pairs(self) -> Pairs:
        """The rows as checked pairs; raises ``DataError`` for the first one that is not two texts."""
        from nbtextgen.data.pairs import Pairs

        if self.problems:
            row = min(self.problems)
            raise DataError(f"{self.place(row)} {self.problems[row]}.")
        return Pairs(self.sources, self.targets, self.places)

    def report(self, **settings: Any) -> Report:
        """What is wrong with the rows; see ``Pairs.report``."""
        from nbtextgen.data.report import report

        return report(self, **settings)

    def clean(self, steps: str | Sequence[str], *, valid: Pairs | None = None) -> Cleaned:
        """Normalise and drop rows by named steps; see ``Pairs.clean``."""
        from nbtextgen.data.cleaning import clean

        return clean(self, steps, valid=valid)

    @classmethod
    def of(cls, data: Any, *, source: str | None = None, target: str | None = None) -> RawPairs:
        """Read what ``Pairs.of`` reads, keeping rows that it would refuse."""
        from nbtextgen.data.reading import read

        return read(data, source, target)


def place_text(place: Place) -> str:
    """A place in words."""
    return place if isinstance(place, str) else f"{place[0]} {place[1]:,}"


def is_missing(value: Any) -> bool:
    """Whether a cell is ``None`` or one of the not-a-number values that tables use for "nothing here"."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value  # NumPy's float64 is a float too; its float32 is below


def cell_problem(value: Any) -> str | None:
    """What keeps a cell from being learned from, as a phrase that follows "source" or "target"; ``None`` if nothing."""
    if isinstance(value, str):
        if not value.strip():
            return "is empty; drop such rows or fill them in"
        if not value.isascii() and has_surrogate(value):
            return "holds half a character (a lone surrogate); clean it with the step 'control'"
        return None
    if is_missing(value) or (hasattr(value, "dtype") and value != value):
        return "is missing (NaN); drop such rows or fill them in"
    return f"is {type(value).__name__} ({value!r:.60}), not text; convert the column with .astype(str)"


def has_surrogate(text: str) -> bool:
    """Whether the text holds half a UTF-16 pair, which no file can store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
