"""``to_label``: the inputs whose labels would teach a model most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbtextgen.core.errors import DataError
from nbtextgen.core.escaping import CELL, IN_TABLE, brief, pictured, visible
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.core.options import whole_number
from nbtextgen.core.wording import counted
from nbtextgen.data.readers.columns import ColumnName
from nbtextgen.data.readers.texts import read_texts
from nbtextgen.generator.trained_model import TrainedModel
from nbtextgen.inference.sources import validate_sources
from nbtextgen.influence.sketches import gradient_sketches, select

if TYPE_CHECKING:
    import pandas

SHOWN = 10
"""Rows shown in a notebook."""


@dataclass(frozen=True)
class RowToLabel:
    """An input to label.

    Attributes:
        row: its place in the data, from 0.
        source: the input.
        text: what the model writes, to be corrected.
        confidence: see ``Generation.confidence``.
    """

    row: int
    source: str
    text: str
    confidence: float


class RowsToLabel(list[RowToLabel]):
    """Inputs to label, in the order in which they were chosen: any beginning of the list is a choice, too."""

    @property
    def sources(self) -> list[str]:
        """The inputs alone."""
        return [row.source for row in self]

    def frame(self) -> pandas.DataFrame:
        """The rows as a data frame with the columns row, source, text and confidence."""
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        return pandas.DataFrame([vars(row) for row in self], columns=["row", "source", "text", "confidence"])

    def __repr__(self) -> str:
        lines = [
            f"{100 * row.confidence:5.1f} %  {pictured(brief(row.source))} -> {pictured(brief(row.text))}"
            for row in self[:SHOWN]
        ]
        more = [f"... {len(self) - SHOWN:,} more"] if len(self) > SHOWN else []
        return "\n".join([f"{counted(len(self), 'row')} to label:", *lines, *more])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        left, right = f"<td style='{CELL};text-align:left'><bdi>", f"<td style='{CELL};text-align:right;opacity:.75'>"
        rows = "".join(
            f"<tr>{right}{row.row:,}</td>"
            f"{left}{visible(brief(row.source, IN_TABLE))}</bdi></td>{left}{visible(brief(row.text, IN_TABLE))}</bdi></td>"
            f"{right}{100 * row.confidence:.1f} %</td></tr>"
            for row in self[:SHOWN]
        )
        head = "".join(f"<th style='{CELL}'>{name}</th>" for name in ("row", "input", "output", "confidence"))
        more = f"<div style='opacity:.75'>{len(self) - SHOWN:,} more; see .frame()</div>" if len(self) > SHOWN else ""
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"
        return {"text/plain": repr(self), "text/html": table}


def to_label(
    model: TrainedModel,
    data: object,
    count: int = 100,
    *,
    source: ColumnName | None = None,
    encoding: str | None = None,
    seed: int = 1,
) -> RowsToLabel:
    """Choose the inputs whose labels would teach a model most: uncertain ones, unlike one another.

    Both are read from gradients: those that the model's own outputs would cause if they were the labels.

    Args:
        model: a trained model, for instance on the rows that are labelled already.
        data: inputs without labels, as ``generate`` takes many; empty and repeated ones are left out.
        count: how many to choose.
        source, encoding: as in ``generate``.
        seed: of the draw.

    Returns:
        the rows in the order of choice, with the model's output and confidence.

    Raises:
        DataError: if there is no input.
        OptionError: if ``count`` is no whole number of at least 1.

    Example:
        >>> next_rows = to_label(model, words, 5)
        >>> len(next_rows.frame())
        5
    """
    count = whole_number("count", count, 1)
    texts = validate_sources(read_texts(data, source, encoding), model.plan.data.clean, allow_empty=True)
    first = {text: row for row, text in reversed(list(enumerate(texts))) if text.strip()}
    rows = sorted(first.values())
    if not rows:
        raise DataError("There are no inputs to choose from; give at least one that is not empty.")
    outputs = model.generate([texts[row] for row in rows])
    chosen = select(gradient_sketches(model.predictor, outputs), count, seed)
    return RowsToLabel(
        RowToLabel(rows[index], texts[rows[index]], outputs[index].text, float(outputs[index].confidence))
        for index in chosen
    )
