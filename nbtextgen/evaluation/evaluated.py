"""``EvaluatedOutputs``: what was generated for which source, and tables of some of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.escaping import CELL, html_table, visible
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.core.wording import counted
from nbtextgen.evaluation.error_rates import nearest_reference
from nbtextgen.evaluation.references import References
from nbtextgen.tokenizers.segmentation import characters

if TYPE_CHECKING:
    import pandas

Indices = NDArray[np.int64]
"""Positions among the evaluated outputs, from 0, ascending."""
COLUMNS = ("row", "source", "reference", "output", "edits")
SHOWN_ROWS = 10
"""Rows that a line of a table opens in a notebook."""


class EvaluatedRows(list[dict[str, object]]):
    """Rows of ``row`` (position in the data, from 0), ``source``, nearest ``reference``, ``output``, ``edits`` in characters."""

    def frame(self) -> pandas.DataFrame:
        """The rows as a pandas ``DataFrame``.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        return pandas.DataFrame(list(self), columns=list(COLUMNS))


class RowGroup:
    """Base of the values that are about some rows: ``indices`` of ``outputs``."""

    indices: Indices
    outputs: EvaluatedOutputs

    @property
    def rows(self) -> EvaluatedRows:
        """The rows, in the order of ``indices``."""
        return self.outputs.rows(self.indices)

    def frame(self) -> pandas.DataFrame:
        """The rows as a pandas ``DataFrame``.

        Raises:
            MissingPackageError: without pandas.
        """
        return self.rows.frame()


@dataclass(frozen=True, eq=False)
class EvaluatedOutputs:
    """Sources, references and outputs, row by row.

    Attributes:
        sources: what the outputs were generated from.
        references: the right text of each output, or a list of acceptable ones.
        outputs: what was generated.
        by_characters: whether outputs are compared by characters; otherwise by words.
        seen: whether each source was in the training data, where that is known.
        unknown: whether each source has tokens that the model does not know, where that is known.
    """

    sources: Sequence[str]
    references: References
    outputs: Sequence[str]
    by_characters: bool = True
    seen: NDArray[np.bool_] | None = None
    unknown: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.outputs)

    def targets(self) -> list[str]:
        """The first acceptable text of each row."""
        return [reference if isinstance(reference, str) else reference[0] for reference in self.references]

    def rows(self, indices: Iterable[int]) -> EvaluatedRows:
        """The rows at some positions, in the given order."""
        rows = EvaluatedRows()
        for index in map(int, indices):
            output = self.outputs[index]
            reference, edits, _ = nearest_reference(self.references[index], output, characters)
            rows.append(dict(zip(COLUMNS, (index, self.sources[index], reference, output, edits), strict=True)))
        return rows


def unfolding(line: str, rows: EvaluatedRows, count: int) -> str:
    """A line of text as HTML that opens a table of rows.

    Args:
        line: the text of the line.
        rows: the rows that are shown.
        count: how many there are.
    """
    table = html_table(COLUMNS, [[str(row[column]) for column in COLUMNS] for row in rows])
    more = f"<small>{counted(len(rows), 'row')} of {count:,}</small>" if count > len(rows) else ""
    return f"<details><summary><bdi>{visible(line)}</bdi></summary>{table}{more}</details>"


def unfolding_table(head: Sequence[str], lines: Iterable[tuple[str, Sequence[str]]]) -> str:
    """A table as HTML whose first cells are ready-made HTML, and whose others are texts."""
    sides = ["left"] + ["right"] * (len(head) - 1)
    heads = "".join(
        f'<th style="{CELL};text-align:{side}">{visible(text)}</th>' for side, text in zip(sides, head, strict=True)
    )
    body = "".join(
        f'<tr style="vertical-align:top"><td style="{CELL};text-align:left;min-width:14em">{first}</td>'
        + "".join(f'<td style="{CELL};white-space:nowrap"><bdi>{visible(cell)}</bdi></td>' for cell in cells)
        + "</tr>"
        for first, cells in lines
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def quoted(text: str) -> str:
    """A piece of a text between quotation marks."""
    return f"\u201c{text}\u201d"
