"""The data report: what is wrong with two columns, how serious it is, and which cleaning step mends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbtextgen.core.cancellation import check_cancelled
from nbtextgen.core.escaping import pictured_lines, visible
from nbtextgen.core.wording import counted
from nbtextgen.data.cleaning.clean import SAFE_STEPS
from nbtextgen.data.report import checks, views
from nbtextgen.data.report.findings import Finding, Findings, Side, TokenFigures, quartet
from nbtextgen.data.report.token_figures import token_figures
from nbtextgen.data.rows import Rows


@dataclass(frozen=True, eq=False)
class DataReport:
    """What is wrong with two columns; has an HTML view in a notebook and prints as text.

    Attributes:
        rows: number of rows.
        findings: most serious first, then most frequent.
        sides: figures of source and target.
        ratio: target length over source length, in characters (1st percentile, median, 99th percentile).
        tokens: figures of the tokens.
        notes: what the reader assumed.
    """

    rows: int
    findings: tuple[Finding, ...]
    sides: tuple[Side, ...]
    ratio: tuple[float, float, float]
    tokens: tuple[TokenFigures, ...]
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Finding:
        """The finding of a name; raises ``KeyError`` if there is none."""
        return {finding.name: finding for finding in self.findings}[name]

    def __contains__(self, name: object) -> bool:
        return any(finding.name == name for finding in self.findings)

    @property
    def steps(self) -> str:
        """The cleaning steps that mend the findings, ready for ``clean``."""
        return ",".join(dict.fromkeys(finding.step for finding in self.findings if finding.step))

    def __repr__(self) -> str:
        lines = [f"{counted(self.rows, 'row')}; {views.finding_count(self.findings)}", *map(views.plain, self.notes)]
        lines += views.side_lines(self.sides, self.ratio)
        lines += [*views.token_lines(self.tokens), *views.finding_lines(self.findings)]
        return pictured_lines("\n".join([*lines, *(f"{advice}: {steps}" for advice, steps in self._advice())]))

    def _advice(self) -> Iterator[tuple[str, str]]:
        """Yield the steps that are right for every task, as an option, and those that are right for some."""
        steps = self.steps.split(",") if self.steps else []
        safe = [step for step in steps if step in SAFE_STEPS]
        if safe:
            yield "Right for every task", f"--clean {','.join(safe)}"
        if len(safe) < len(steps):
            yield "For some tasks", ", ".join(step for step in steps if step not in safe)

    def html(self) -> str:
        """The report as HTML tables; every text of the data is escaped."""
        parts = [f"<p><b>{counted(self.rows, 'row')}</b>, {views.finding_count(self.findings)}</p>"]
        parts += [f"<p>{visible(note)}</p>" for note in self.notes]
        parts += [views.side_tables(self.sides, self.ratio), views.token_table(self.tokens)]
        parts += [views.finding_table(self.findings)]
        parts += [f"<p>{advice}: <code>{visible(steps)}</code></p>" for advice, steps in self._advice()]
        return f"<div class='nbtextgen-report'>{''.join(parts)}</div>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
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
    """Check two columns of text.

    Args:
        rows: pairs, or raw pairs with cells that are missing or not text.
        valid: held-out pairs, to check for overlap.
        tokens, source_tokens, target_tokens, vocabulary_size, max_length: as for ``TextGenerator``, which also chooses
            those that are left out in the same way.
        similarity: least similarity of near-duplicates, in percent.
    """
    findings = Findings(rows)
    usable = checks.unusable(findings)
    texts = checks.Texts.of(rows, usable)
    sides: tuple[Side, ...] = ()
    ratio, figures = (0.0, 0.0, 0.0), ()
    if len(texts):
        ratio = checks.lengths(findings, texts)
        checks.duplicates(findings, texts, similarity)
        for check in (checks.characters, checks.writing_systems, checks.copied_parts, checks.languages):
            check_cancelled()
            check(findings, texts)
        if valid is not None:
            checks.overlap(findings, texts, valid)
        sides = tuple(_side(name, column) for name, column in (("source", texts.sources), ("target", texts.targets)))
        units = (source_tokens or tokens, target_tokens or tokens)
        figures = token_figures(findings, texts, units, vocabulary_size, max_length)
    return DataReport(len(rows.sources), findings.ranked(), sides, ratio, figures, tuple(rows.notes))


def _side(name: str, texts: Sequence[str]) -> Side:
    letters = checks.script_counts(texts)
    fractions = {script: count / letters.total() for script, count in letters.most_common()}
    words = [text.count(" ") + 1 for text in texts]
    characters = len(set[str]().union(*texts))
    return Side(name, characters, quartet([*map(len, texts)]), quartet(words), len(set(texts)), fractions)
