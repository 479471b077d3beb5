"""Explanations as JSON values for the front end, which shows their texts as text nodes only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nbtextgen.explanation.config import method_title
from nbtextgen.explanation.counterfactual import Counterfactual
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.explanation.minimal_edits import MinimalEdits
from nbtextgen.explanation.views.minimal import proof
from nbtextgen.explanation.views.text import notes
from nbtextgen.influence.rows import TrainingRow, TrainingRows
from nbtextgen.notebook.code import Values

MAX_PAIRS = 6
"""Interactions that are drawn at a time."""
MIN_INTERACTION = 0.05
"""Nats below which an interaction is not drawn."""


def explanation_payload(explanation: Explanation, *, final: bool) -> Values:
    """Return an explanation as JSON values; one that is not ``final`` is still being refined."""
    return {
        "method": explanation.method,
        "name": method_title(explanation.method),
        "algorithm": explanation.algorithm,
        "source": explanation.source,
        "text": explanation.text,
        "contrast": explanation.contrast,
        "unit": explanation.unit,
        "missing": explanation.missing,
        "inputs": _tokens(explanation.input_units, explanation.input_offsets),
        "outputs": _tokens(explanation.output_tokens, explanation.output_offsets),
        "values": _rounded(explanation.values),
        "errors": None if explanation.standard_errors is None else _rounded(explanation.standard_errors),
        "totalErrors": None if explanation.standard_errors is None else _rounded(explanation.standard_errors.sum(0)),
        "heads": None if explanation.heads is None else _rounded(explanation.heads),
        "logs": _rounded(explanation.log_probabilities),
        "total": _rounded(explanation.total()),
        "measure": "weight" if explanation.method == "attention" else "nats",
        "sentence": explanation.sentence(),
        "sentences": [explanation.sentence(token) for token in range(len(explanation.output_tokens))] if final else [],
        "pairs": None if explanation.interactions is None else _pairs(explanation),
        "notes": notes(explanation),
        "final": final,
        **_earlier(explanation),
    }


def _earlier(explanation: Explanation) -> Values:
    """The earlier output tokens that took part in the game, and what each of them gives; empty if only the source did."""
    if explanation.prefix_values is None:
        return {}
    return {
        "earlier": _tokens(explanation.prefix_tokens, explanation.prefix_offsets),
        "earlierValues": _rounded(explanation.prefix_values),
    }


def _pairs(explanation: Explanation) -> Values:
    """The strongest interactions, of the whole output and of each of its tokens, as ``[unit, unit, nats]``."""
    tokens: list[int | None] = [None, *range(len(explanation.output_tokens))]
    whole, *rows = [
        [
            [first, second, round(value, 5)]
            for first, second, value in explanation.strongest_interactions(token, MAX_PAIRS)
            if abs(value) >= MIN_INTERACTION
        ]
        for token in tokens
    ]
    return {"total": whole, "tokens": rows}


def edits_payload(minimal: MinimalEdits) -> Values:
    """Return the smallest edits as JSON values."""
    edits = {"left out": minimal.removal, "replaced": minimal.replacement, "sufficient": minimal.sufficient}
    return {
        "part": minimal.part,
        "sentences": minimal.sentences(),
        "proof": proof(minimal),
        "edits": [
            {"name": name, **counterfactual_payload(edit.change)} for name, edit in edits.items() if edit is not None
        ],
    }


def rows_payload(rows: TrainingRows) -> Values:
    """Return training rows as JSON values, those for the output and those against it; ``share`` is of the strongest."""
    strongest = max((abs(row.influence) for row in rows), default=1.0)

    def group(members: Sequence[TrainingRow]) -> list[Values]:
        return [
            {
                "row": row.number,
                "place": row.place,
                "source": row.source,
                "target": row.target,
                "share": round(row.influence / strongest, 4),
                "cleaning": row.cleaning,
            }
            for row in members
        ]

    return {
        "part": rows.part,
        "proponents": group(rows.proponents),
        "opponents": group(rows.opponents),
        "note": rows.note,
    }


def _tokens(texts: tuple[str, ...], offsets: tuple[tuple[int, int], ...]) -> list[Values]:
    return [{"text": text, "start": start, "stop": stop} for text, (start, stop) in zip(texts, offsets, strict=True)]


def _rounded(values: NDArray[np.float64]) -> object:
    """Return values with five digits; infinities become 0, since JSON has none."""
    return np.nan_to_num(np.round(values, 5), nan=0.0, posinf=0.0, neginf=0.0).tolist()


def counterfactual_payload(change: Counterfactual) -> Values:
    """Return a counterfactual as JSON values."""
    return {
        "source": change.source,
        "before": [list(piece) for piece in change.before],
        "after": [list(piece) for piece in change.after],
        "same": all(kind == "same" for kind, _ in (*change.before, *change.after)),
    }
