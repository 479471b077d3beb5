"""Explanations as static HTML: no script, no network, every text escaped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.escaping import CELL, escaped, visible
from nbtextgen.explanation.attributions import Values
from nbtextgen.explanation.config import method_title
from nbtextgen.explanation.explanation import Explanation, Explanations
from nbtextgen.explanation.views.text import notes, shown, strongest
from nbtextgen.tokenizers.normalization import Span

POSITIVE, NEGATIVE = "217,95,2", "31,120,180"
"""Orange for positive and blue for negative values, as red, green and blue: colour-blind readers can tell them apart."""
NOISE = 1.96
"""Standard errors within which a value is noise."""
PALE = 0.2
"""Strength of the shade of what is within noise; 0.65 of what is not."""
MAX_CELLS = 4000
"""Cells up to which the whole matrix is shown."""


def fragment(value: Explanation | Explanations) -> str:
    """The shaded texts and the matrix of each method, for a notebook's output."""
    several = value if isinstance(value, Explanations) else Explanations({value.method: value})
    sections = [_section(explanation, first=index == 0) for index, explanation in enumerate(several.values())]
    verdict = f"<p>{visible(several.sentence())}</p>" if several.sentence() else ""
    return f"<div style='line-height:1.7'>{verdict}{''.join(sections)}</div>"


def page(value: Explanation | Explanations) -> str:
    """A whole page."""
    heading = escaped(value.source if isinstance(value, Explanation) else next(iter(value.values())).source)
    return (
        "<!DOCTYPE html><html><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'><meta name='color-scheme' content='light dark'>"
        f"<title>Why: {heading}</title><style>body{{font:15px system-ui,sans-serif;margin:2rem;max-width:70rem}}"
        "table{border-collapse:collapse}td,th{padding:2px 6px}</style></head>"
        f"<body>{fragment(value)}</body></html>"
    )


def _section(explanation: Explanation, *, first: bool) -> str:
    total, errors = explanation.total(), explanation.standard_errors
    noise = None if errors is None else within_noise(total, errors.sum(0))
    source = shaded(explanation.source, explanation.input_offsets, explanation.input_units, total, noise)
    if explanation.method == "context":
        source = visible(explanation.source)
    contrast = (
        f"<div><small>and not</small> <bdi>{visible(explanation.contrast)}</bdi></div>" if explanation.contrast else ""
    )
    remarks = "".join(f"<div><small>{visible(note)}</small></div>" for note in notes(explanation))
    head = f"{method_title(explanation.method)} <small>({visible(explanation.algorithm)})</small>"
    opened = " open" if first and explanation.values.size <= 400 else ""
    count = 0 if explanation.heads is None else len(explanation.heads)
    heads = [explanation.head(number) for number in range(1, count + 1)]
    matrices = [_matrix("every output token", explanation, opened), *(_matrix(each.algorithm, each) for each in heads)]
    return (
        f"<section><div><strong>{visible(explanation.sentence())}</strong></div><div>{head}</div>"
        f"<div><small>in</small> <bdi style='white-space:pre-wrap'>{source}</bdi></div>"
        f"<div><small>out</small> <bdi style='white-space:pre-wrap'>{visible(explanation.text)}</bdi></div>"
        f"{contrast}{remarks}{''.join(matrices)}</section>"
    )


def _matrix(summary: str, explanation: Explanation, opened: str = "") -> str:
    """The matrix inside a ``details`` element."""
    body = _table(explanation) if explanation.values.size <= MAX_CELLS else _strongest_units(explanation)
    return f"<details{opened}><summary>{summary}</summary><div style='overflow:auto'>{body}</div></details>"


def within_noise(values: Values, errors: Values) -> NDArray[np.bool_]:
    """Which sampled values cannot be told from zero."""
    return np.abs(values) <= NOISE * errors


def shaded(
    text: str, offsets: Sequence[Span], units: Sequence[str], values: Values, noise: NDArray[np.bool_] | None = None
) -> str:
    """The text with its units shaded by value; if units share characters, the texts of the units in a row.

    What is within ``noise`` is pale, as in the panel.
    """
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    disjoint = all(span[1] <= following[0] for span, following in zip(offsets, offsets[1:], strict=False))
    parts, end = list[str](), 0
    pale = np.zeros(len(values), dtype=bool) if noise is None else noise
    for (start, stop), unit, value, unsure in zip(offsets, units, values, pale, strict=True):
        if disjoint:
            parts.append(visible(text[end:start]))
            end = stop
        label = visible(text[start:stop] if disjoint else shown(unit))
        title = f"{value:+.3f}{', within noise' if unsure else ''}"
        parts.append(f"<span title='{title}' style='{_shade(value / largest, pale=bool(unsure))}'>{label}</span>")
    return "".join(parts) + (visible(text[end:]) if disjoint else "")


def _shade(share: float, *, pale: bool = False) -> str:
    strength = (PALE if pale else 0.65) * abs(share)
    return f"border-radius:3px;background:rgba({POSITIVE if share >= 0 else NEGATIVE},{strength:.2f})"


def _table(explanation: Explanation) -> str:
    matrix, units = explanation.values, [shown(text) for text in explanation.input_units]
    errors = explanation.standard_errors
    if explanation.prefix_values is not None:
        matrix = np.concatenate([matrix, explanation.prefix_values], 1)
        if errors is not None and explanation.prefix_errors is not None:
            errors = np.concatenate([errors, explanation.prefix_errors], 1)
        units += [f"… {shown(text)}" for text in explanation.prefix_tokens]
    largest = float(np.abs(matrix).max(initial=0.0)) or 1.0
    unit = "weight" if explanation.method == "attention" else "nats"
    head = "".join(f"<th style='{CELL}'><bdi>{visible(text)}</bdi></th>" for text in units)
    rows = list[str]()
    pale = np.zeros(matrix.shape, dtype=bool) if errors is None else within_noise(matrix, errors)
    for token, values, unsure, log_probability in zip(
        explanation.output_tokens, matrix, pale, explanation.log_probabilities, strict=True
    ):
        cells = "".join(
            f"<td style='{CELL};text-align:right;{_shade(value / largest, pale=dim)}'>{round(value, 2) + 0.0:.2f}</td>"
            for value, dim in zip(values, unsure.tolist(), strict=True)
        )
        rows.append(f"<tr>{_row_head(token)}{cells}<td style='{CELL}'>{log_probability:.2f}</td></tr>")
    last = "log p - log p'" if explanation.contrast is not None else "log p"
    return f"<table><thead><tr><th>{unit}</th>{head}<th style='{CELL}'>{last}</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _strongest_units(explanation: Explanation) -> str:
    """The five strongest units of every token, for a matrix that is too large to read."""
    rows = list[str]()
    for token, values in zip(explanation.output_tokens, explanation.values, strict=True):
        parts = ", ".join(
            f"<bdi>{visible(shown(explanation.input_units[unit]))}</bdi> {values[unit]:+.2f}"
            for unit in strongest(values, 5)
        )
        rows.append(f"<tr>{_row_head(token)}<td style='{CELL};text-align:left'>{parts}</td></tr>")
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def _row_head(token: str) -> str:
    return f"<th style='{CELL};text-align:left'><bdi>{visible(shown(token))}</bdi></th>"
