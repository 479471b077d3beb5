"""The data report: what is wrong with two columns, how much it matters, and which cleaning step mends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nbtextgen.core.escaping import visible
from nbtextgen.data.report import checks, views
from nbtextgen.data.report.findings import Finding, Findings, Side, TokenFigures, quartet
from nbtextgen.data.report.token_figures import token_figures
from nbtextgen.data.rows import Rows
from nbtextgen.data.text_properties import script


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
        lines = [f"{self.rows:,} rows; {views.finding_count(self.findings)}", *views.side_lines(self.sides, self.ratio)]
        lines += [*views.token_lines(self.tokens), *views.finding_lines(self.findings)]
        return "\n".join([*lines, f"All of it: --clean {self.steps}"] if self.steps else lines)

    def html(self) -> str:
        """The report as HTML tables; every text of the data is escaped."""
        parts = [f"<p><b>{self.rows:,} rows</b>, {views.finding_count(self.findings)}</p>"]
        parts += [views.side_tables(self.sides, self.ratio), views.token_table(self.tokens)]
        parts += [views.finding_table(self.findings)]
        parts += [f"<p>All of it: <code>--clean {visible(self.steps)}</code></p>"] if self.steps else []
        return f"<div class='nbtextgen-report'>{''.join(parts)}</div>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": self.html()}


def report(
    rows: Rows,
    *,
    valid: Rows | None = None,
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


def _side(name: str, texts: Sequence[str]) -> Side:
    counts = checks.character_counts(texts)
    letters: dict[str, int] = {}
    for character, count in counts.items():
        found = script(character)
        if found:
            letters[found] = letters.get(found, 0) + count
    total = max(1, sum(letters.values()))
    shares = {found: count / total for found, count in sorted(letters.items(), key=lambda item: -item[1])}
    words = [text.count(" ") + 1 for text in texts]
    return Side(name, len(counts), quartet([len(text) for text in texts]), quartet(words), len(set(texts)), shares)
