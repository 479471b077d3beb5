"""A ``Survey`` as text and as HTML tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nbtextgen.core.escaping import visible
from nbtextgen.explanation.agreement import NAMES
from nbtextgen.explanation.survey import FIGURES, Survey
from nbtextgen.explanation.views.html import POSITIVE, shown

Table = tuple[str, Sequence[str], list[list[str]]]
"""A title, column heads, and rows of cells."""
BETTER = {"comprehensiveness": "higher", "sufficiency": "lower", "deletion": "lower", "insertion": "higher"}


def tables(survey: Survey) -> list[Table]:
    """All that is known, as tables of text."""
    found: list[Table] = []
    if survey.faithfulness:
        heads = ["method", *(f"{name} ({BETTER[name]} is better)" for name in FIGURES)]
        rows = [
            [NAMES.get(method, method), *(str(scores[name]) for name in FIGURES)]
            for method, scores in survey.faithfulness.items()
        ]
        found.append((f"Faithfulness, mean over {len(survey.first):,} texts [95 % interval]", heads, rows))
    if survey.alignment_error:
        rows = [[NAMES[method], f"{rate:.3f}"] for method, rate in survey.alignment_error.items()]
        found.append(("Alignment error rate", ["method", "error"], rows))
    lexicon = [
        [shown(token), shown(unit), f"{value:.2f}", str(times)] for token, unit, value, times in survey.lexicon()
    ]
    found.append(("Induced lexicon", ["output", "driven by", "mean", "times"], lexicon))
    ignored = [[shown(token), f"{100 * share:.0f} %", str(times)] for token, share, times in survey.ignored()]
    found.append(("Written without the source", ["output", "of its occurrences", "times"], ignored))
    least = [[source, text, f"{nats:.2f}"] for source, text, nats in survey.least_read(5)]
    found.append(("Outputs that owe the source least", ["source", "output", "nats per token"], least))
    if "attention" in survey.explanations:
        hubs = [[shown(unit), f"{share:.1f} x", str(times)] for unit, share, times in survey.hubs()]
        found.append(("Hubs of attention", ["input", "an even share", "times"], hubs))
    return [each for each in found if each[2]]


def plain(survey: Survey) -> str:
    """Aligned columns."""
    parts = []
    for title, heads, rows in tables(survey):
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        lines = [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in (heads, *rows)
        ]
        parts.append("\n".join([title, *lines]))
    return "\n\n".join([*parts, survey.agreement.sentence()]).rstrip()


def html(survey: Survey) -> str:
    """Tables with bars behind the comprehensiveness; every text escaped."""
    best = max((scores["comprehensiveness"].value for scores in survey.faithfulness.values()), default=0.0)
    parts = []
    for title, heads, rows in tables(survey):
        bars = [scores["comprehensiveness"].value / best for scores in survey.faithfulness.values()] if best > 0 else []
        shades = [_bar(share) for share in bars] if title.startswith("Faithfulness") else []
        parts.append(_table(title, heads, rows, shades))
    verdict = survey.agreement.sentence()
    return "".join(parts) + (f"<p><strong>{visible(verdict)}</strong></p>" if verdict else "")


def _bar(share: float) -> str:
    width = f"{100 * max(0.0, share):.0f}%"
    return f"background:linear-gradient(90deg,rgba({POSITIVE},.35) {width},transparent {width})"


def _table(title: str, heads: Iterable[str], rows: list[list[str]], shades: list[str]) -> str:
    head = "".join(f"<th style='text-align:left'>{visible(each)}</th>" for each in heads)
    body = []
    for at, row in enumerate(rows):
        cells = [f"<td style='text-align:left'><bdi>{visible(cell)}</bdi></td>" for cell in row]
        if at < len(shades):
            cells[1] = f"<td style='text-align:left;{shades[at]}'>{visible(row[1])}</td>"
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f"<h4>{visible(title)}</h4><div style='overflow:auto'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )
