"""A ``Survey`` as text and as HTML tables, and an ``Agreement`` as a matrix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nbtextgen.core.escaping import CELL, brief, visible
from nbtextgen.core.wording import counted
from nbtextgen.explanation.agreement import Agreement
from nbtextgen.explanation.config import METHOD_NAMES
from nbtextgen.explanation.survey import SCORES, Survey
from nbtextgen.explanation.views.html import POSITIVE
from nbtextgen.explanation.views.text import shown

Table = tuple[str, Sequence[str], list[list[str]]]
"""A title, column heads, and rows of cells."""
MAX_LEFT_OUT = 5
"""Texts that could not be explained that are listed."""
BETTER = {"comprehensiveness": "higher", "sufficiency": "lower", "deletion": "lower", "insertion": "higher"}


def survey_tables(survey: Survey) -> list[Table]:
    """The results as tables of text, without empty ones."""
    tables: list[Table] = []
    left_out = [[brief(source), reason] for source, reason in survey.left_out[:MAX_LEFT_OUT]]
    tables.append((f"Left out: {counted(len(survey.left_out), 'text')}", ["source", "why"], left_out))
    tables += _faithfulness(survey)
    rows = [[METHOD_NAMES[method], str(share)] for method, share in survey.source_share().items()]
    tables.append(("Share of the source; the rest is earlier output", ["method", "share [95 % interval]"], rows))
    if survey.alignment_error:
        rows = [[METHOD_NAMES[method], f"{rate:.3f}"] for method, rate in survey.alignment_error.items()]
        tables.append(("Alignment error rate", ["method", "error"], rows))
    rows = [[shown(token), shown(unit), f"{value:.2f}", str(count)] for token, unit, value, count in survey.lexicon()]
    tables.append(("Induced lexicon", ["output", "driven by", "mean", "times"], rows))
    rows = [[shown(token), shown(prior), f"{value:.2f}", str(n)] for token, prior, value, n in survey.prefix_lexicon()]
    tables.append(("Driven by earlier output", ["output", "driven by", "mean", "times"], rows))
    rows = [[shown(token), f"{100 * share:.0f} %", str(count)] for token, share, count in survey.ignored()]
    tables.append(("Tokens that ignore the source", ["output", "of its occurrences", "times"], rows))
    rows = [[shown(token), f"{100 * share:.0f} %", str(count)] for token, share, count in survey.opposed()]
    tables.append(("Tokens that the source speaks against", ["output", "of its occurrences", "times"], rows))
    rows = [[source, text, f"{nats:.2f}"] for source, text, nats in survey.least_grounded(5)]
    tables.append(
        ("Outputs least grounded in the source (not a sign of errors)", ["source", "output", "nats per token"], rows)
    )
    rows = [[shown(unit), f"{share:.1f} x", str(count)] for unit, share, count in survey.hubs()]
    tables.append(("Hubs of attention", ["input", "uniform attention", "times"], rows))
    return [table for table in tables if table[2]]


def _faithfulness(survey: Survey) -> list[Table]:
    """Faithfulness, and beside it the share on the right span where that is known."""
    if not survey.faithfulness and not survey.right_share:
        return []
    scores, shares = survey.faithfulness, survey.right_share
    heads = ["method"] + [f"{score} ({BETTER[score]} is better)" for score in SCORES if scores]
    heads += ["share on the right span of right outputs (higher is better)"] if shares else []
    rows = list[list[str]]()
    for method in dict.fromkeys((*scores, *shares)):
        cells = [str(scores[method][score]) if method in scores else "" for score in SCORES if scores]
        cells += [str(shares.get(method, ""))] if shares else []
        rows.append([METHOD_NAMES.get(method, method), *cells])
    texts = len(survey.first)
    title = "Faithfulness" if scores else "Attribution where the truth is known"
    over = "of 1 text" if texts == 1 else f"mean over {texts:,} texts [95 % interval]"
    return [(f"{title}, {over}", heads, rows)]


def survey_text(survey: Survey) -> str:
    """Aligned columns."""
    parts = list[str]()
    for title, heads, rows in survey_tables(survey):
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        lines = [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in (heads, *rows)
        ]
        parts.append("\n".join([title, *lines]))
    return "\n\n".join([*parts, survey.agreement.sentence()]).rstrip()


def survey_html(survey: Survey) -> str:
    """Tables with bars behind the comprehensiveness; every text escaped."""
    scores = [means["comprehensiveness"].value for means in survey.faithfulness.values()]
    best = max(scores, default=0.0)
    bars = [_bar(score / best) for score in scores] if best > 0 else []
    parts = [
        _table(title, heads, rows, bars if title.startswith("Faithfulness") else [])
        for title, heads, rows in survey_tables(survey)
    ]
    verdict = survey.agreement.sentence()
    return "".join(parts) + (f"<p><strong>{visible(verdict)}</strong></p>" if verdict else "")


def _bar(share: float) -> str:
    width = f"{100 * max(0.0, share):.0f}%"
    return f"background:linear-gradient(90deg,rgba({POSITIVE},.35) {width},transparent {width})"


def _table(title: str, heads: Iterable[str], rows: list[list[str]], bars: list[str]) -> str:
    head = "".join(f"<th style='{CELL};text-align:left'>{visible(text)}</th>" for text in heads)
    body = list[str]()
    for index, row in enumerate(rows):
        cells = [f"<td style='{CELL};text-align:left'><bdi>{visible(cell)}</bdi></td>" for cell in row]
        if index < len(bars):
            cells[1] = f"<td style='{CELL};text-align:left;{bars[index]}'>{visible(row[1])}</td>"
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f"<h4>{visible(title)}</h4><div style='overflow:auto'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def agreement_text(agreement: Agreement) -> str:
    """The correlations in aligned columns."""
    width = max(map(len, agreement.methods), default=0)
    lines = [
        f"{method:<{width}} " + " ".join(f"{rho:6.2f}" for rho in row)
        for method, row in zip(agreement.methods, agreement.correlations, strict=True)
    ]
    return "\n".join(["Spearman rank correlation", *lines])


def agreement_html(agreement: Agreement) -> str:
    """The correlations as a table, and what they mean."""
    cell = f"<td style='{CELL}'>"
    head = "".join(f"<th style='{CELL}'>{visible(method)}</th>" for method in agreement.methods)
    body = "".join(
        f"<tr><th style='{CELL};text-align:left'>{visible(method)}</th>{''.join(f'{cell}{rho:.2f}</td>' for rho in row)}</tr>"
        for method, row in zip(agreement.methods, agreement.correlations, strict=True)
    )
    return (
        f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<p>{visible(agreement.sentence())}</p>"
    )
