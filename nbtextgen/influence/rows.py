"""``TrainingRows``: the training pairs behind an output, with their display."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbtextgen.core.escaping import CELL, IN_TABLE, brief, folded, pictured, visible
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.data.cleaning.clean import steps_that_change
from nbtextgen.data.pairs import EARLIER, Pairs
from nbtextgen.inference.generation import Generation

if TYPE_CHECKING:
    import pandas

FRAME_COLUMNS = ["row", "place", "source", "target", "influence", "cleaning", "earlier"]
"""The columns of ``TrainingRows.frame``."""


@dataclass(frozen=True)
class TrainingRow:
    """One training pair and its influence on an output.

    Attributes:
        row: its index in the data that the user gave, counted from 0.
        place: where it came from, as ``pairs.csv, line 1,204``.
        source, target: its texts, as the model was trained on them.
        influence: positive if it raised the probability of the output.
        original: its texts before cleaning, or ``None`` if cleaning did not change them.
        steps: the cleaning steps that changed them.
        earlier: 0 for a pair of the last training; 1 for one of the training before, which ``start`` went on from; and so on.
    """

    row: int
    place: str
    source: str
    target: str
    influence: float
    original: tuple[str, str] | None = None
    steps: tuple[str, ...] = ()
    earlier: int = 0

    @property
    def number(self) -> int:
        """A number that no other row has: its index, less ``EARLIER`` for every later training."""
        return self.row - self.earlier * EARLIER

    @property
    def cleaning(self) -> str:
        """What cleaning changed, in a sentence; empty if it changed nothing."""
        if self.original is None:
            return ""
        changed = [text for text, after in zip(self.original, (self.source, self.target), strict=True) if text != after]
        return f"{', '.join(self.steps) or 'cleaning'} changed {' and '.join(repr(text) for text in changed)}"

    @classmethod
    def of(cls, pairs: Pairs, index: int, influence: float, steps: str | None) -> TrainingRow:
        """Describe a pair; ``steps`` are the cleaning steps of the model."""
        source, target = pairs[index]
        cells = pairs.originals.get(pairs.rows[index])
        original, changing = None, dict[str, None]()
        if cells is not None:
            original = str(cells[0]), str(cells[1])
            changing.update(dict.fromkeys(name for text in original for name in steps_that_change(text, steps or "")))
            if any(not isinstance(cell, str) for cell in cells):
                changing = {"text": None, **changing}
        earlier, row = -(pairs.rows[index] // EARLIER), pairs.rows[index] % EARLIER
        place = pairs.place(index) + (" of the earlier data" if earlier else "")
        place += f" ({earlier} trainings ago)" if earlier > 1 else ""
        return cls(row, place, source, target, influence, original, tuple(changing), earlier)


class TrainingRows(list[TrainingRow]):
    """Training pairs by influence on an output: those that raised its probability first, those that lowered it last.

    A notebook shows them as a table.

    Attributes:
        source, text: the source and the output.
        part: the part of the output, or all of it.
        method: how the influence was computed.
        note: what is not listed, as a sentence; or empty.
    """

    def __init__(
        self, rows: Iterable[TrainingRow], generation: Generation, part: str | None, method: str, note: str = ""
    ) -> None:
        super().__init__(sorted(rows, key=lambda row: -row.influence))
        self.source, self.text, self.method, self.note = generation.source, generation.text, method, note
        self.part = generation.text if part is None else part

    @property
    def proponents(self) -> list[TrainingRow]:
        """The rows that raised the probability, the strongest first."""
        return [row for row in self if row.influence > 0]

    @property
    def opponents(self) -> list[TrainingRow]:
        """The rows that lowered the probability, the strongest first."""
        return [row for row in reversed(self) if row.influence < 0]

    def frame(self) -> pandas.DataFrame:
        """The rows as a pandas ``DataFrame`` with the columns ``FRAME_COLUMNS``.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        records: list[dict[str, Any]] = [
            {"row": row.row, "place": row.place, "source": row.source, "target": row.target}
            | {"influence": row.influence, "cleaning": row.cleaning, "earlier": row.earlier}
            for row in self
        ]
        return pandas.DataFrame(records, columns=FRAME_COLUMNS)

    def __repr__(self) -> str:
        lines = [f"Training rows behind {pictured(brief(self.part))!r} (from {pictured(brief(self.source))!r}):"]
        for row in self:
            line = (
                f"  {row.influence:+.2g}  {row.place}: {pictured(brief(row.source))} -> {pictured(brief(row.target))}"
            )
            lines.append(line + (f" ({pictured(brief(row.cleaning, IN_TABLE))})" if row.cleaning else ""))
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def html(self) -> str:
        """The rows as two HTML tables, for and against; every text is escaped."""
        shown = f"“<bdi>{visible(self.part)}</bdi>”"
        groups = (
            (f"Rows that speak for {shown}", self.proponents),
            (f"Rows that speak against {shown}", self.opponents),
        )
        strongest = max((abs(row.influence) for row in self), default=1.0) or 1.0
        tables = [
            f"<h4 style='margin:.6em 0 .2em'>{title}</h4>{_table(rows, strongest)}" for title, rows in groups if rows
        ]
        below = f"<div style='opacity:.75'>{visible(self.note)}</div>" if self.note else ""
        none = "<p>No training row has an influence.</p>"
        return f"<div class='nbtextgen-rows'>{''.join(tables) or none}{below}</div>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.html()}


def _table(rows: Sequence[TrainingRow], strongest: float) -> str:
    """An HTML table of rows, with the influence as a bar as wide as its share of the strongest."""
    left = f" style='{CELL};text-align:left'"
    body = list[str]()
    for row in rows:
        colour = "rgba(66,133,244,.45)" if row.influence > 0 else "rgba(230,120,0,.45)"
        width = 100 * abs(row.influence) / strongest
        bar = f"<div style='width:6em'><div style='width:{width:.0f}%;height:.8em;background:{colour}'></div></div>"
        note = f"<div style='opacity:.75'>{visible(row.cleaning)}</div>" if row.cleaning else ""
        body.append(
            f"<tr><td{left}>{visible(row.place)}</td><td{left}>{folded(row.source)}{note}</td>"
            f"<td{left}>{folded(row.target)}</td><td style='{CELL}' title='{row.influence:+.3g}'>{bar}</td></tr>"
        )
    head = "".join(f"<th{left}>{name}</th>" for name in ("row", "source", "target", "influence"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
