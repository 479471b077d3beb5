"""The data report and the account of a cleaning, as text and as static HTML; every text of the data is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from nbtextgen.core.escaping import pictured, visible

if TYPE_CHECKING:
    from nbtextgen.data.cleaning.clean import Cleaned
    from nbtextgen.data.report.report import DataReport

_COLOURS = {"high": "#c62828", "medium": "#b26a00", "low": "#5f6b7a"}
_CELL = "text-align:left;vertical-align:top;padding:2px 10px 2px 0"


def report_text(report: DataReport) -> str:
    """The report in lines."""
    lines = [f"{report.rows:,} rows; {_count(report)}"]
    for side in report.sides:
        scripts = ", ".join(f"{name} {share:.1%}" for name, share in list(side.scripts.items())[:4])
        lines.append(
            f"  {side.name}: {side.lengths[1]:,} characters (median; {side.lengths[0]:,} to {side.lengths[3]:,}), "
            f"{side.words[1]:,} words, {side.distinct:,} distinct, {side.characters:,} different characters"
            + (f" ({scripts})" if scripts else "")
        )
    if report.sides:
        low, middle, high = report.ratio
        lines.append(f"  target / source length: {middle:.2f} (98 of 100 between {low:.2f} and {high:.2f})")
    for one in report.tokens:
        lines.append(
            f"  {one.name} as {one.unit}: {one.vocabulary:,} types, {one.unknown:.2%} unknown in unseen rows, "
            f"{one.lengths[1]:,} tokens (median; up to {one.lengths[3]:,}), {one.too_long:.2%} too long"
        )
    for finding in report.findings:
        step = f"  [--clean {finding.step}]" if finding.step else ""
        lines.append(
            f"{finding.severity:>6}  {finding.count:,} ({finding.share:.1%})  {finding.name}: {finding.what}{step}"
        )
        lines += [f"          {place}: {_plain(text)}" for place, text in finding.examples]
    if report.steps:
        lines.append(f"All of it: --clean {report.steps}")
    return "\n".join(lines)


def report_html(report: DataReport) -> str:
    """The report as tables."""
    parts = [f"<p><b>{report.rows:,} rows</b>, {_count(report)}</p>"]
    if report.sides:
        parts.append(
            _table(["", "characters", "words", "distinct texts", "alphabet", "writing systems"], _sides(report))
        )
        low, middle, high = report.ratio
        parts.append(f"<p>Target / source length: {middle:.2f} (98 of 100 rows between {low:.2f} and {high:.2f}).</p>")
    if report.tokens:
        rows = [
            [
                one.name,
                one.unit,
                f"{one.vocabulary:,}",
                f"{one.unknown:.2%}",
                _spread(one.lengths),
                f"{one.too_long:.2%}",
            ]
            for one in report.tokens
        ]
        parts.append(_table(["tokens", "unit", "types", "unknown", "per row", "too long"], rows))
    rows = []
    for finding in report.findings:
        colour = _COLOURS[finding.severity]
        examples = "".join(
            f"<div><span style='opacity:.75'>{visible(place)}</span> {_example(text)}</div>"
            for place, text in finding.examples
        )
        rows.append(
            [
                f"<b style='border-left:4px solid {colour};padding-left:6px'>{finding.severity}</b>",
                f"{finding.count:,} ({finding.share:.1%})",
                f"<b>{finding.name}</b>: {visible(finding.what)}<details><summary>examples</summary>{examples}</details>",
                f"<code>{visible(finding.step)}</code>" if finding.step else "",
            ]
        )
    if rows:
        parts.append(_table(["matters", "rows", "finding", "cleaning step"], rows))
        parts.append(f"<p>All of it: <code>--clean {visible(report.steps)}</code></p>" if report.steps else "")
    return f"<div class='nbtextgen-report'>{''.join(parts)}</div>"


def _count(report: DataReport) -> str:
    count = len(report.findings)
    return f"{count} finding" + ("" if count == 1 else "s")


def _sides(report: DataReport) -> list[list[str]]:
    rows = []
    for side in report.sides:
        scripts = ", ".join(f"{visible(name)} {share:.1%}" for name, share in list(side.scripts.items())[:4])
        rows.append(
            [
                side.name,
                _spread(side.lengths),
                _spread(side.words),
                f"{side.distinct:,}",
                f"{side.characters:,}",
                scripts,
            ]
        )
    return rows


def cleaned_text(cleaned: Cleaned) -> str:
    """The account of a cleaning in lines."""
    total = len(cleaned.pairs) + len(cleaned.dropped)
    lines = [f"{len(cleaned.pairs):,} of {total:,} rows kept, {len(cleaned.dropped):,} dropped ({cleaned.steps})"]
    for result in cleaned.results:
        done = [f"{result.dropped:,} rows dropped"] if result.dropped else []
        done += [f"{result.changed:,} texts changed"] if result.changed else []
        lines.append(f"  {result.name}: {', '.join(done) or 'nothing to do'}")
        lines += [f"      {place}: {_plain(before)}  >  {_plain(after)}" for place, before, after in result.examples]
    return "\n".join(lines)


def cleaned_html(cleaned: Cleaned) -> str:
    """The account of a cleaning as a table."""
    total = len(cleaned.pairs) + len(cleaned.dropped)
    rows = []
    for result in cleaned.results:
        examples = "".join(
            f"<div><span style='opacity:.75'>{visible(place)}</span> {_example(before)} <b>&rarr;</b> {_example(after)}</div>"
            for place, before, after in result.examples
        )
        rows.append([f"<code>{result.name}</code>", f"{result.dropped:,}", f"{result.changed:,}", examples])
    head = f"<p><b>{len(cleaned.pairs):,} of {total:,} rows kept</b>, {len(cleaned.dropped):,} dropped</p>"
    return head + _table(["step", "rows dropped", "texts changed", "examples"], rows)


def _example(text: str) -> str:
    """A text for HTML; white space that would not be seen is written as a sign or by its number."""
    odd = re.sub(r"^ +| +$|  +", lambda found: "\u2423" * len(found[0]), pictured(text))
    odd = re.sub(r"[^\S ]", lambda found: f"\u27e8U+{ord(found[0]):04X}\u27e9", odd)
    return f"<bdi>{html.escape(odd)}</bdi>"


def _plain(text: str) -> str:
    """Text on one line, with what cannot be seen written as its number."""
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)


def _spread(values: Sequence[int]) -> str:
    return f"{values[1]:,} <span style='opacity:.75'>({values[0]:,} to {values[3]:,}; 99 %: {values[2]:,})</span>"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are HTML already."""
    titles = "".join(f"<th style='{_CELL}'>{title}</th>" for title in head)
    body = "".join("<tr>" + "".join(f"<td style='{_CELL}'>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
