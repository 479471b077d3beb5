"""The parts of the data report, and the account of a cleaning, as text and as static HTML; texts of the data are escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nbtextgen.core.escaping import pictured, visible
from nbtextgen.core.wording import counted, percent
from nbtextgen.data.cleaning.clean import StepResult
from nbtextgen.data.report.findings import Finding, Side, TokenFigures

_COLOURS = {"high": "#c62828", "medium": "#b26a00", "low": "#5f6b7a"}
_CELL = "text-align:left;vertical-align:top;padding:2px 10px 2px 0"


def finding_count(findings: Sequence[Finding]) -> str:
    """The number of findings in words."""
    return counted(len(findings), "finding")


def side_lines(sides: Sequence[Side], ratio: tuple[float, float, float]) -> list[str]:
    """A line for each column, and one for the length ratio."""
    if not sides:
        return []
    lines = [
        f"  {side.name}: {counted(side.lengths[1], 'character')} (median; {side.lengths[0]:,} to {side.lengths[3]:,}), "
        f"{counted(side.words[1], 'word')}, {side.distinct:,} distinct, {counted(side.characters, 'different character')}"
        + (f" ({_scripts(side)})" if side.scripts else "")
        for side in sides
    ]
    low, median, high = ratio
    return [*lines, f"  target / source length: {median:.2f} (98 of 100 between {low:.2f} and {high:.2f})"]


def side_tables(sides: Sequence[Side], ratio: tuple[float, float, float]) -> str:
    """A table of the columns, and a sentence on the length ratio."""
    if not sides:
        return ""
    rows = [
        [
            side.name,
            _spread(side.lengths),
            _spread(side.words),
            f"{side.distinct:,}",
            f"{side.characters:,}",
            visible(_scripts(side)),
        ]
        for side in sides
    ]
    low, median, high = ratio
    head = ["", "characters", "words", "distinct texts", "alphabet", "writing systems"]
    sentence = f"Target / source length: {median:.2f} (98 of 100 rows between {low:.2f} and {high:.2f})."
    return f"{_table(head, rows)}<p>{sentence}</p>"


def _scripts(side: Side) -> str:
    return ", ".join(f"{name} {percent(share)}" for name, share in list(side.scripts.items())[:4])


def token_lines(tokens: Iterable[TokenFigures]) -> list[str]:
    """A line for each column's tokens."""
    return [
        f"  {figures.name} as {figures.unit}: {counted(figures.vocabulary, 'type')}, {percent(figures.unknown, 2)} unknown in unseen rows, "
        f"{counted(figures.lengths[1], 'token')} (median; up to {figures.lengths[3]:,}), {percent(figures.too_long, 2)} too long"
        for figures in tokens
    ]


def token_table(tokens: Sequence[TokenFigures]) -> str:
    """A table of the columns' tokens."""
    rows = [
        [
            figures.name,
            figures.unit,
            f"{figures.vocabulary:,}",
            percent(figures.unknown, 2),
            _spread(figures.lengths),
            percent(figures.too_long, 2),
        ]
        for figures in tokens
    ]
    return _table(["tokens", "unit", "types", "unknown", "per row", "too long"], rows) if rows else ""


def finding_lines(findings: Iterable[Finding]) -> list[str]:
    """A line for each finding, and one for each of its examples."""
    lines = list[str]()
    for finding in findings:
        step = f"  [--clean {finding.step}]" if finding.step else ""
        lines.append(
            f"{finding.severity:>6}  {finding.count:,} ({percent(finding.share)})  {finding.name}: {finding.what}{step}"
        )
        lines += [f"          {place}: {plain(text)}" for place, text in finding.examples]
    return lines


def finding_table(findings: Iterable[Finding]) -> str:
    """A table of the findings with their examples."""
    rows = list[list[str]]()
    for finding in findings:
        colour = _COLOURS[finding.severity]
        examples = "".join(_example(place, _marked(text)) for place, text in finding.examples)
        rows.append(
            [
                f"<b style='border-left:4px solid {colour};padding-left:6px'>{finding.severity}</b>",
                f"{finding.count:,} <span style='white-space:nowrap'>({percent(finding.share)})</span>",
                f"<b>{finding.name}</b>: {visible(finding.what)}<details><summary>examples</summary>{examples}</details>",
                f"<code>{visible(finding.step)}</code>" if finding.step else "",
            ]
        )
    return _table(["severity", "rows", "finding", "cleaning step"], rows) if rows else ""


def step_lines(results: Iterable[StepResult]) -> list[str]:
    """A line for each cleaning step, and one for each of its examples."""
    lines = list[str]()
    for result in results:
        effects = [f"{counted(result.dropped, 'row')} dropped"] if result.dropped else []
        effects += [f"{counted(result.changed, 'text')} changed"] if result.changed else []
        lines.append(f"  {result.name}: {', '.join(effects) or 'nothing to do'}")
        lines += [f"      {place}: {plain(before)}  >  {plain(after)}" for place, before, after in result.examples]
    return lines


def step_table(results: Iterable[StepResult]) -> str:
    """A table of the cleaning steps with their examples."""
    rows = list[list[str]]()
    for result in results:
        rows.append(
            [f"<code>{result.name}</code>", f"{result.dropped:,}", f"{result.changed:,}", step_examples(result)]
        )
    return _table(["step", "rows dropped", "texts changed", "examples"], rows)


def step_examples(result: StepResult) -> str:
    """Texts before and after a cleaning step, as HTML."""
    return "".join(
        _example(place, f"{_marked(before)} <b>&rarr;</b> {_marked(after)}") for place, before, after in result.examples
    )


def _example(place: str, content: str) -> str:
    return f"<div><span style='opacity:.75'>{visible(place)}</span> {content}</div>"


def _marked(text: str) -> str:
    """A text as HTML, with signs or code points for white space that would not be visible."""
    marked = re.sub(r"^ +| +$|  +", lambda match: "\u2423" * len(match[0]), pictured(text))
    marked = re.sub(r"[^\S ]", lambda match: f"\u27e8U+{ord(match[0]):04X}\u27e9", marked)
    return f"<bdi>{visible(marked)}</bdi>"


def plain(text: str) -> str:
    """A text on one line, with code points for characters that cannot be printed."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def _spread(values: Sequence[int]) -> str:
    return f"{values[1]:,} <span style='opacity:.75'>({values[0]:,} to {values[3]:,}; 99 %: {values[2]:,})</span>"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are HTML already."""
    titles = "".join(f"<th style='{_CELL}'>{title}</th>" for title in head)
    body = "".join("<tr>" + "".join(f"<td style='{_CELL}'>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
