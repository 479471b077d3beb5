"""Explanations as text and as static HTML: no script, no network, every text escaped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.escaping import visible
from nbtextgen.explanation.agreement import NAMES
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.tokenizers.normalization import Span

POSITIVE, NEGATIVE = "217,95,2", "31,120,180"
"""Orange for and blue against, as red, green and blue: told apart by colour-blind readers too."""
LARGEST_TABLE = 4000
"""Cells up to which the whole matrix is written out."""
PLAIN_ROWS = 60


def plain(explanation: Explanation) -> str:
    """A line per output token with its strongest units."""
    lines = [title(explanation)]
    for at, token in enumerate(explanation.output_tokens[:PLAIN_ROWS]):
        row = explanation.values[at]
        strongest = np.argsort(-np.abs(row), kind="stable")[:3]
        parts = ", ".join(f"{shown(explanation.input_units[unit])} {row[unit]:+.2f}" for unit in strongest)
        lines.append(f"  {shown(token):>12}  {explanation.log_probabilities[at]:7.2f}   {parts}")
    if len(explanation.output_tokens) > PLAIN_ROWS:
        lines.append(f"  ... {len(explanation.output_tokens) - PLAIN_ROWS} more tokens; see .values")
    return "\n".join([*lines, *notes(explanation)])


def title(explanation: Explanation) -> str:
    """What was explained, how."""
    against = f" and not {explanation.contrast!r}" if explanation.contrast is not None else ""
    name = NAMES[explanation.method]
    return (
        f"Why {explanation.text!r}{against}: {name} ({explanation.algorithm}; {explanation.evaluations:,} copies read)"
    )


def notes(explanation: Explanation) -> list[str]:
    """What bears on how far the numbers can be trusted."""
    found = []
    if explanation.standard_errors is not None:
        found.append(
            f"Standard error of a value: {np.sqrt((explanation.standard_errors**2).mean()):.3f} nats (root mean square)."
        )
    if explanation.r_squared is not None:
        found.append(f"Fit of the linear surrogate: R squared {explanation.r_squared.mean():.2f} (mean over tokens).")
    if explanation.convergence_delta is not None:
        found.append(f"Largest convergence delta: {np.abs(explanation.convergence_delta).max():.4f} nats.")
    if explanation.heads is not None:
        found.append(f"Mean over {len(explanation.heads)} heads; .head(1) is the first of them alone.")
    if explanation.faithfulness is not None:
        found.append(explanation.faithfulness.sentence())
    return found


def shown(text: str) -> str:
    """A token as it is shown: white space alone would be invisible."""
    return text if text.strip() else text.replace(" ", "␣") or "∅"


def inline(explanations: Sequence[Explanation], sentence: str = "") -> str:
    """A fragment for a notebook's output: each method's shaded texts and matrix."""
    parts = [_one(each, first=number == 0) for number, each in enumerate(explanations)]
    verdict = f"<p><strong>{visible(sentence)}</strong></p>" if sentence else ""
    return f"<div style='line-height:1.7'>{verdict}{''.join(parts)}</div>"


def page(explanations: Sequence[Explanation], sentence: str = "") -> str:
    """A whole page."""
    heading = visible(explanations[0].source) if explanations else ""
    return (
        "<!DOCTYPE html><html><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'><meta name='color-scheme' content='light dark'>"
        f"<title>Why: {heading}</title><style>body{{font:15px system-ui,sans-serif;margin:2rem;max-width:70rem}}"
        "table{border-collapse:collapse}td,th{padding:2px 6px}</style></head>"
        f"<body>{inline(explanations, sentence)}</body></html>"
    )


def _one(explanation: Explanation, *, first: bool) -> str:
    total = explanation.total()
    source = shaded(explanation.source, explanation.input_offsets, explanation.input_units, total)
    if explanation.method == "context":
        source = visible(explanation.source)
    against = (
        f"<div><small>and not</small> <bdi>{visible(explanation.contrast)}</bdi></div>" if explanation.contrast else ""
    )
    about = "".join(f"<div><small>{visible(note)}</small></div>" for note in notes(explanation))
    name = NAMES[explanation.method]
    head = f"{name[0].upper()}{name[1:]} <small>({visible(explanation.algorithm)})</small>"
    opened = " open" if first and explanation.values.size <= 400 else ""
    count = 0 if explanation.heads is None else len(explanation.heads)
    heads = [explanation.head(number) for number in range(1, count + 1)]
    return (
        f"<section><div><strong>{head}</strong></div>"
        f"<div><small>in</small> <bdi style='white-space:pre-wrap'>{source}</bdi></div>"
        f"<div><small>out</small> <bdi style='white-space:pre-wrap'>{visible(explanation.text)}</bdi></div>{against}{about}"
        f"{_folded('every output token', explanation, opened)}{''.join(_folded(each.algorithm, each) for each in heads)}</section>"
    )


def _folded(summary: str, explanation: Explanation, opened: str = "") -> str:
    """The matrix behind a line that opens it."""
    body = _table(explanation) if explanation.values.size <= LARGEST_TABLE else _strongest(explanation)
    return f"<details{opened}><summary>{summary}</summary><div style='overflow:auto'>{body}</div></details>"


def shaded(text: str, offsets: Sequence[Span], units: Sequence[str], values: NDArray[np.float64]) -> str:
    """The text itself, units shaded by their value; where units share characters, their own texts in a row."""
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    ordered = all(one[1] <= other[0] for one, other in zip(offsets, offsets[1:], strict=False))
    parts, at = [], 0
    for (start, stop), unit, value in zip(offsets, units, values, strict=True):
        if ordered:
            parts.append(visible(text[at:start]))
            at = stop
        label = visible(text[start:stop] if ordered else shown(unit))
        parts.append(f"<span title='{value:+.3f}' style='{_shade(value / largest)}'>{label}</span>")
    return "".join(parts) + (visible(text[at:]) if ordered else "")


def _shade(share: float) -> str:
    return f"border-radius:3px;background:rgba({POSITIVE if share >= 0 else NEGATIVE},{0.65 * abs(share):.2f})"


def _table(explanation: Explanation) -> str:
    largest = float(np.abs(explanation.values).max(initial=0.0)) or 1.0
    unit = "weight" if explanation.method == "attention" else "nats"
    head = "".join(f"<th><bdi>{visible(shown(each))}</bdi></th>" for each in explanation.input_units)
    rows = []
    for token, values, logged in zip(
        explanation.output_tokens, explanation.values, explanation.log_probabilities, strict=True
    ):
        cells = "".join(
            f"<td style='text-align:right;{_shade(one / largest)}'>{round(one, 2) + 0.0:.2f}</td>" for one in values
        )
        rows.append(
            f"<tr><th style='text-align:left'><bdi>{visible(shown(token))}</bdi></th>{cells}<td>{logged:.2f}</td></tr>"
        )
    last = "log p - log p'" if explanation.contrast is not None else "log p"
    return f"<table><thead><tr><th>{unit}</th>{head}<th>{last}</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _strongest(explanation: Explanation) -> str:
    """For a matrix too large to read: the five strongest units of every token."""
    rows = []
    for token, values in zip(explanation.output_tokens, explanation.values, strict=True):
        best = np.argsort(-np.abs(values), kind="stable")[:5]
        parts = ", ".join(f"<bdi>{visible(shown(explanation.input_units[at]))}</bdi> {values[at]:+.2f}" for at in best)
        rows.append(
            f"<tr><th style='text-align:left'><bdi>{visible(shown(token))}</bdi></th><td style='text-align:left'>{parts}</td></tr>"
        )
    return f"<table><tbody>{''.join(rows)}</tbody></table>"
