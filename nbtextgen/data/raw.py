"""``RawPairs``: two columns as they came, before anything is checked; what the report and cleaning work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nbtextgen.core.errors import DataError
from nbtextgen.data.rows import Place, place_text

if TYPE_CHECKING:
    from nbtextgen.data.cleaning.clean import Cleaned
    from nbtextgen.data.pairs import Pairs
    from nbtextgen.data.report.report import DataReport


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

    def report(self, **settings: Any) -> DataReport:
        """What is wrong with the rows; see ``Pairs.report``."""
        from nbtextgen.data.report.report import report

        return report(self, **settings)

    def clean(self, steps: str | Sequence[str], *, valid: Pairs | None = None) -> Cleaned:
        """Normalise and drop rows by named steps; see ``Pairs.clean``."""
        from nbtextgen.data.cleaning.clean import clean

        return clean(self, steps, valid=valid)

    @classmethod
    def of(cls, data: Any, *, source: str | None = None, target: str | None = None) -> RawPairs:
        """Read what ``Pairs.of`` reads, keeping rows that it would refuse."""
        from nbtextgen.data.readers.read import read

        return read(data, source, target)
