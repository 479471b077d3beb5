"""What a data report is made of: findings, and figures of each column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbtextgen.data.rows import Rows, is_missing, place_text

SEVERITIES = ("high", "medium", "low")
"""How much a finding matters: it stops or spoils training; it costs quality; it is worth a look."""
EXAMPLES = 3


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Attributes:
        name: short, such as ``duplicates``.
        what: in words.
        count: rows concerned.
        share: of all rows (or of the sample that was looked at).
        severity: one of ``SEVERITIES``.
        examples: places, each with what is there.
        step: the cleaning step that mends it, with its argument; ``None`` when a person must decide.
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
    """One column in figures: lengths in characters and words (smallest, median, 99th percentile, largest), and letters.

    ``characters`` counts distinct ones; ``scripts`` gives the share of letters of each writing system.
    """

    name: str
    characters: int
    lengths: tuple[int, int, int, int]
    words: tuple[int, int, int, int]
    distinct: int
    scripts: dict[str, float]


@dataclass(frozen=True)
class TokenFigures:
    """What the chosen tokenizer makes of one column.

    Attributes:
        name, unit: the side, and the unit of its tokens.
        vocabulary: token types.
        unknown: share of tokens of rows held out that the vocabulary lacks.
        lengths: tokens of a row (smallest, median, 99th percentile, largest).
        too_long: share of rows with more than ``max_length`` tokens, which training leaves out.
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
        self.found: list[Finding] = []

    def add(
        self,
        name: str,
        what: str,
        rows: Sequence[int],
        severity: str,
        step: str | None,
        *,
        of: int | None = None,
        shown: Iterable[str] | None = None,
    ) -> None:
        """Note a finding, when there are rows for it.

        Args:
            rows: numbers of the rows concerned.
            of: rows looked at, when that was a sample.
            shown: what to show of the first of the rows; by default both cells.
        """
        if not len(rows):
            return
        first = [int(row) for row in rows[:EXAMPLES]]
        texts = [self._shown(row) for row in first] if shown is None else list(shown)[:EXAMPLES]
        places = [place_text(self.rows.places[row]) for row in first]
        share = len(rows) / max(1, of or self.total)
        examples = tuple(zip(places, texts, strict=False))
        self.found.append(Finding(name, what, len(rows), share, severity, examples, step))

    def _shown(self, row: int) -> str:
        source, target = self.rows.sources[row], self.rows.targets[row]
        return f"{_cell(source)} \u2192 {_cell(target)}"

    def ranked(self) -> tuple[Finding, ...]:
        """Most serious first, then most frequent."""
        return tuple(sorted(self.found, key=lambda one: (SEVERITIES.index(one.severity), -one.count)))


def _cell(value: Any) -> str:
    if is_missing(value):
        return "(missing)"
    text = str(value)
    return text if len(text) <= 70 else text[:69] + "\u2026"


def quartet(values: Any) -> tuple[int, int, int, int]:
    """Smallest, median, 99th percentile, largest."""
    found = np.percentile(np.asarray(values), [0, 50, 99, 100], method="lower")
    return (int(found[0]), int(found[1]), int(found[2]), int(found[3]))
