"""``Confusions``: what stands for what in the outputs, by alignment to their references."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nbtextgen.charts import Chart, figure, heat_map
from nbtextgen.core.errors import OptionError
from nbtextgen.core.escaping import pictured, visible
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.core.options import whole_number
from nbtextgen.core.wording import counted
from nbtextgen.evaluation.alignment import Edit, Units, edit_count, edit_runs, single_edits
from nbtextgen.evaluation.evaluated import (
    SHOWN_ROWS,
    EvaluatedOutputs,
    Indices,
    RowGroup,
    quoted,
    unfolding,
    unfolding_table,
)
from nbtextgen.evaluation.references import acceptable
from nbtextgen.tokenizers.segmentation import characters

if TYPE_CHECKING:
    import pandas

UNITS = ("characters", "words")
NOTHING = "(nothing)"
"""In place of units that are missing or should not be there."""
MAX_RUN = 4
"""Most units on either side of a confusion of several."""
MIN_REPEATS = 2
"""Occurrences from which adjacent edits are one confusion; rarer ones count as single edits."""
CHART_UNITS = 12
"""Most units on either side of the chart."""
SHOWN = 20
"""Confusions shown in a notebook."""
COLUMNS = ("reference", "output", "kind", "count", "share", "error_share")


@dataclass(frozen=True, eq=False)
class Confusion(RowGroup):
    """Units of the references, and what stands for them in the outputs.

    Attributes:
        reference: the right text, empty for an insertion.
        output: what stands there, empty for a deletion.
        kind: ``substitution``, ``insertion``, ``deletion``, or ``several`` for adjacent edits that recur together.
        count: how often.
        share: of the occurrences of ``reference`` in all references; not a number for an insertion.
        error_share: of all single edits.
        indices: rows where it occurs, ascending.
    """

    reference: str
    output: str
    kind: str
    count: int
    share: float
    error_share: float
    indices: Indices = field(repr=False)
    outputs: EvaluatedOutputs = field(repr=False)

    def __str__(self) -> str:
        if not self.reference:
            return f"{quoted(self.output)} added"
        return (
            f"{quoted(self.reference)} left out"
            if not self.output
            else f"{quoted(self.reference)} → {quoted(self.output)}"
        )


class Confusions(list[Confusion]):
    """Confusions, those with the most edits first; shows itself as a chart and a table.

    Attributes:
        unit: ``characters`` or ``words``.
        output_count: number of outputs.
        edits: single edits in all of them.
        total: number of different confusions, of which the list may be a part.
        singles: how often each unit stands for each, ``(reference, output)``, with ``(nothing)`` for a missing one.
    """

    def __init__(
        self,
        confusions: Sequence[Confusion],
        unit: str,
        output_count: int,
        edits: int,
        total: int,
        singles: Counter[tuple[str, str]],
    ) -> None:
        super().__init__(confusions)
        self.unit, self.output_count, self.edits, self.total, self.singles = unit, output_count, edits, total, singles

    def sentence(self) -> str:
        """The largest confusion in words, or that there is none."""
        if not self:
            return f"No output differs from its reference (n = {counted(self.output_count, 'output')})."
        top = self[0]
        times = counted(top.count, "time")
        part = f"{100 * top.error_share:.1f} % of {counted(self.edits, 'edit')}"
        if not top.reference:
            return f"Most often {quoted(top.output)} is added: {times}, {part}."
        where = f"{times}, {100 * top.share:.1f} % of its occurrences and {part}"
        if not top.output:
            return f"Most often {quoted(top.reference)} is left out: {where}."
        return f"Most often {quoted(top.output)} stands for {quoted(top.reference)}: {where}."

    def frame(self) -> pandas.DataFrame:
        """A line per confusion as a pandas ``DataFrame``.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        rows = [[getattr(each, name) for name in COLUMNS] for each in self]
        return pandas.DataFrame(rows, columns=list(COLUMNS))

    def chart(self, limit: int = CHART_UNITS) -> Chart | None:
        """A heat map of the units that are confused most: right ones from top to bottom, what stands for them across."""
        sides = [Counter[str](), Counter[str]()]
        for pair, count in self.singles.items():
            for side, text in zip(sides, pair, strict=True):
                side[text] += count
        rows, columns = ([text for text, _ in _most_common(side)[:limit]] for side in sides)
        counts = [[self.singles[row, column] for column in columns] for row in rows]
        return heat_map(
            counts, rows, columns, title="Confusions", row_label="reference", column_label="output", of="edits"
        )

    def __repr__(self) -> str:
        if not self:
            return self.sentence()
        rows = [self._head(), *((str(each), *_cells(each)) for each in self[:SHOWN])]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join(map(pictured, [self.sentence(), *lines, *self._remainder()]))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.html()}

    def html(self) -> str:
        """The sentence, the chart and the table as HTML."""
        parts = [f"<div>{visible(self.sentence())}</div>"]
        if self:
            parts.append(figure(self.chart(), "confusions"))
            lines = [
                (unfolding(str(each), self[0].outputs.rows(each.indices[:SHOWN_ROWS]), len(each.indices)), _cells(each))
                for each in self[:SHOWN]
            ]
            parts.append(unfolding_table(self._head(), lines))
            parts += [f"<div><small>{visible(line)}</small></div>" for line in self._remainder()]
        return "".join(parts)

    def _head(self) -> tuple[str, ...]:
        return (self.unit, "count", "share of occurrences", "share of edits")

    def _remainder(self) -> list[str]:
        rest = self.total - min(SHOWN, len(self))
        return [f"and {counted(rest, 'other confusion')}"] if rest > 0 else []


def find_confusions(outputs: EvaluatedOutputs, unit: str | None = None, limit: int = 100) -> Confusions:
    """What stands for what.

    Args:
        outputs: what was generated; of several references the nearest is taken.
        unit: ``characters`` or ``words`` (separated by spaces); by default what the model writes.
        limit: most confusions.

    Raises:
        OptionError: for an unknown unit or a limit below 1.
    """
    if unit is None:
        unit = "characters" if outputs.by_characters else "words"
    if unit not in UNITS:
        raise OptionError(f"unit must be {' or '.join(UNITS)} (got {unit!r}).")
    limit = whole_number("limit", limit, 1)
    references, runs = _runs(outputs, unit)
    repeats = Counter(run for row in runs for run in row)
    rows: dict[Edit, list[int]] = defaultdict(list)
    for index, row in enumerate(runs):
        for run in row:
            for edit in [run] if _is_confusion(run, repeats[run]) else single_edits(run):
                rows[edit].append(index)
    edits = sum(edit_count(edit) * len(places) for edit, places in rows.items())
    order = sorted(rows, key=lambda edit: (-edit_count(edit) * len(rows[edit]), edit))[:limit]
    occurrences = _occurrences(references, {edit[0] for edit in order})
    joint = "" if unit == "characters" else " "
    singles = Counter[tuple[str, str]]()
    for row in runs:
        for run in row:
            singles.update(
                (joint.join(edit[0]) or NOTHING, joint.join(edit[1]) or NOTHING) for edit in single_edits(run)
            )
    confusions = [
        Confusion(
            joint.join(edit[0]),
            joint.join(edit[1]),
            _kind(edit),
            len(rows[edit]),
            len(rows[edit]) / occurrences[edit[0]] if edit[0] else math.nan,
            edit_count(edit) * len(rows[edit]) / edits,
            np.unique(np.array(rows[edit], dtype=np.int64)),
            outputs,
        )
        for edit in order
    ]
    return Confusions(confusions, unit, len(outputs), edits, len(rows), singles)


def _runs(outputs: EvaluatedOutputs, unit: str) -> tuple[list[list[str]], list[list[Edit]]]:
    """The nearest reference of each output as units, and the runs of edits that lead to the output."""
    split = characters if unit == "characters" else str.split
    references, runs = list[list[str]](), list[list[Edit]]()
    for reference, output in zip(outputs.references, outputs.outputs, strict=True):
        texts, units = acceptable(reference), split(output)
        choices = [(split(text), list[Edit]()) for text in ([output] if output in texts else texts)]
        if output not in texts:
            choices = [(text, edit_runs(text, units)) for text, _ in choices]
        nearest = min(choices, key=lambda choice: sum(map(edit_count, choice[1])))
        references.append(nearest[0])
        runs.append(nearest[1])
    return references, runs


def _is_confusion(run: Edit, repeats: int) -> bool:
    return edit_count(run) == 1 or (edit_count(run) <= MAX_RUN and repeats >= MIN_REPEATS)


def _kind(edit: Edit) -> str:
    if edit_count(edit) > 1:
        return "several"
    return "substitution" if all(edit) else "deletion" if edit[0] else "insertion"


def _occurrences(references: Sequence[Sequence[str]], texts: set[Units]) -> Counter[Units]:
    """How often each of some sequences of units is in the references."""
    sizes = sorted({len(text) for text in texts if text})
    counts = Counter[Units]()
    for units in references:
        for size in sizes:
            counts.update(each for each in _windows(units, size) if each in texts)
    return counts


def _windows(units: Sequence[str], size: int) -> Iterator[Units]:
    for start in range(len(units) - size + 1):
        yield tuple(units[start : start + size])


def _most_common(counts: Counter[str]) -> list[tuple[str, int]]:
    """Most frequent first; ``(nothing)`` last, equals in order of their text."""
    return sorted(counts.items(), key=lambda each: (each[0] == NOTHING, -each[1], each[0]))


def _cells(each: Confusion) -> tuple[str, ...]:
    share = "" if math.isnan(each.share) else f"{100 * each.share:.1f} %"
    return f"{each.count:,}", share, f"{100 * each.error_share:.1f} %"
