"""The data report: what is wrong with two columns, how much it matters, and which cleaning step mends it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbtextgen.data.pairs import Pairs
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


@dataclass(frozen=True, eq=False)
class DataReport:
    """Everything found; shows itself in a notebook and prints as text.

    Attributes:
        rows: rows looked at.
        findings: most serious first, then most frequent.
        sides: figures of source and target.
        ratio: target length over source length, in characters (1st percentile, median, 99th).
        tokens: what the tokenizers will do.
    """

    rows: int
    findings: tuple[Finding, ...]
    sides: tuple[Side, ...]
    ratio: tuple[float, float, float]
    tokens: tuple[TokenFigures, ...]

    def __getitem__(self, name: str) -> Finding:
        """The finding of a name; raises ``KeyError`` when nothing of the kind was found."""
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(finding.name == name for finding in self.findings)

    @property
    def steps(self) -> str:
        """The cleaning steps that mend what was found, ready for ``clean``."""
        return ",".join(dict.fromkeys(finding.step for finding in self.findings if finding.step))

    def __repr__(self) -> str:
        from nbtextgen.data.report.views import report_text

        return report_text(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        from nbtextgen.data.report.views import report_html

        return {"text/plain": repr(self), "text/html": report_html(self)}


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


def report(
    rows: Rows,
    *,
    valid: Pairs | None = None,
    tokens: str | None = None,
    source_tokens: str | None = None,
    target_tokens: str | None = None,
    vocabulary_size: int | None = None,
    max_length: int = 2000,
    similarity: float = 90.0,
) -> DataReport:
    """Look for what is wrong with two columns of text.

    Args:
        rows: pairs, or raw pairs with cells that are missing or no text.
        valid: held-out pairs, to look for overlap with.
        tokens, source_tokens, target_tokens, vocabulary_size, max_length: as for ``TextGenerator``; what is left open
            is chosen from the data in the same way.
        similarity: percent from which two texts count as near-duplicates.
    """
    from nbtextgen.data.report import checks
    from nbtextgen.data.report.token_figures import token_figures

    findings = Findings(rows)
    usable = checks.unusable(findings)
    texts = checks.Texts.of(rows, usable)
    sides: tuple[Side, ...] = ()
    ratio, figures = (0.0, 0.0, 0.0), ()
    if len(texts):
        ratio = checks.lengths(findings, texts)
        checks.duplicates(findings, texts, similarity)
        checks.characters(findings, texts)
        checks.writing_systems(findings, texts)
        checks.carrying(findings, texts)
        checks.languages(findings, texts)
        if valid is not None:
            checks.overlap(findings, texts, valid)
        sides = tuple(_side(name, column) for name, column in (("source", texts.sources), ("target", texts.targets)))
        units = (source_tokens or tokens, target_tokens or tokens)
        figures = token_figures(findings, texts, units, vocabulary_size, max_length)
    return DataReport(len(rows.sources), findings.ranked(), sides, ratio, figures)


def quartet(values: Any) -> tuple[int, int, int, int]:
    """Smallest, median, 99th percentile, largest."""
    found = np.percentile(np.asarray(values), [0, 50, 99, 100], method="lower")
    return (int(found[0]), int(found[1]), int(found[2]), int(found[3]))


def _side(name: str, texts: Sequence[str]) -> Side:
    from nbtextgen.data.report.checks import character_counts
    from nbtextgen.data.text_properties import script

    counts = character_counts(texts)
    letters: dict[str, int] = {}
    for character, count in counts.items():
        found = script(character)
        if found:
            letters[found] = letters.get(found, 0) + count
    total = max(1, sum(letters.values()))
    shares = {found: count / total for found, count in sorted(letters.items(), key=lambda item: -item[1])}
    words = [text.count(" ") + 1 for text in texts]
    return Side(name, len(counts), quartet([len(text) for text in texts]), quartet(words), len(set(texts)), shares)
