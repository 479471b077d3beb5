"""The parts of a data report: findings, and figures of each column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nbtextgen.core.escaping import brief
from nbtextgen.data.rows import Rows, is_missing, place_text

SEVERITIES = ("high", "medium", "low")
"""It stops or spoils training; it costs quality; it is worth a look."""
MAX_EXAMPLES = 3


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with some rows.

    Attributes:
        name: short, such as ``duplicates``.
        what: the description.
        count: number of rows.
        share: fraction of all rows (or of the sample that was checked).
        severity: one of ``SEVERITIES``.
        examples: places and texts of the first rows.
        step: the cleaning step that mends it, with its argument; ``None`` if a person must decide.
    """

    name: str
    what: str
    count: int
    share: float
    severity: str
    examples: tuple[tuple[str, str], ...]
    step: str | None


@dataclass(frozen=True)
class Side:
    """Figures of a column.

    Attributes:
        name: source or target.
        characters: number of distinct characters.
        lengths, words: characters and words per text (smallest, median, 99th percentile, largest).
        distinct: number of distinct texts.
        scripts: fraction of the letters in each writing system.
    """

    name: str
    characters: int
    lengths: tuple[int, int, int, int]
    words: tuple[int, int, int, int]
    distinct: int
    scripts: dict[str, float]


@dataclass(frozen=True)
class TokenFigures:
    """Figures of a column after tokenization.

    Attributes:
        name, unit: source or target, and the unit of the tokens.
        vocabulary: number of token types.
        unknown: fraction of the tokens in held-out rows that the vocabulary lacks.
        lengths: tokens per text (smallest, median, 99th percentile, largest).
        too_long: fraction of the rows with more than ``max_length`` tokens, which training leaves out.
    """

    name: str
    unit: str
    vocabulary: int
    unknown: float
    lengths: tuple[int, int, int, int]
    too_long: float


class Findings:
    """Collects findings over one table."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.total = len(rows.sources)
        self._findings = list[Finding]()

    def add(
        self,
        name: str,
        what: str,
        rows: Sequence[int],
        severity: str,
        step: str | None,
        *,
        of: int | None = None,
        texts: Iterable[str] | None = None,
    ) -> None:
        """Add a finding, unless there are no rows.

        Args:
            name, what, severity, step: as in ``Finding``.
            rows: indices of the rows.
            of: number of rows that were checked, if not all.
            texts: texts of the examples; by default both cells.
        """
        if not rows:
            return
        first = rows[:MAX_EXAMPLES]
        cells = (f"{_cell(self.rows.sources[row])} \u2192 {_cell(self.rows.targets[row])}" for row in first)
        places = [place_text(self.rows.places[row]) for row in first]
        examples = tuple(zip(places, cells if texts is None else texts, strict=False))
        share = len(rows) / max(1, of or self.total)
        self._findings.append(Finding(name, what, len(rows), share, severity, examples, step))

    def ranked(self) -> tuple[Finding, ...]:
        """Most serious first, then most frequent."""
        return tuple(sorted(self._findings, key=lambda finding: (SEVERITIES.index(finding.severity), -finding.count)))


def _cell(value: object) -> str:
    if is_missing(value):
        return "(missing)"
    return brief(str(value))


def quartet(values: Sequence[int]) -> tuple[int, int, int, int]:
    """Smallest, median, 99th percentile, largest."""
    low, median, high, largest = np.percentile(np.asarray(values), [0, 50, 99, 100], method="lower").tolist()
    return low, median, high, largest
