"""Runs side by side: a table of figures and settings, and their learning curves over one another."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbtextgen.charts import COLOURS, Curve, figure, line_chart
from nbtextgen.core.escaping import pictured, visible
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.training.progress import clock

if TYPE_CHECKING:
    from nbtextgen.run.listing import RunRecord

DRAWN = len(COLOURS)
"""Most curves in one picture: as many as there are colours."""
SHOWN = 100


class RunsView(Sequence["RunRecord"]):
    """Runs as a value: a sequence of ``RunRecord`` that shows itself as a table with curves."""

    def __init__(self, folder: Path, runs: Sequence[RunRecord]) -> None:
        self.folder, self._runs = folder, list(runs)

    def __len__(self) -> int:
        return len(self._runs)

    def __getitem__(self, at: Any) -> Any:
        return self._runs[at]

    def frame(self) -> Any:
        """The runs as a pandas ``DataFrame``, a column for every setting."""
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        plain_rows = [{**vars(one), **(one.settings or {})} for one in self._runs]
        return pandas.DataFrame(
            [{name: value for name, value in row.items() if name != "settings"} for row in plain_rows]
        )

    def differing(self) -> list[str]:
        """Settings that are not the same in all runs."""
        known = [one.settings for one in self._runs if one.settings]
        names = list(dict.fromkeys(name for settings in known for name in settings))
        return [name for name in names if len({json.dumps(one.get(name), default=str) for one in known}) > 1]

    def __repr__(self) -> str:
        if not self._runs:
            return self._none()
        rows = [list(map(pictured, row)) for row in self._rows()]
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        return "\n".join(
            "  ".join(cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)).rstrip() for row in rows
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._html()}

    def _none(self) -> str:
        return f"There are no runs in {pictured(str(self.folder))}; %textgen_train NAME --run NAME keeps one there."

    def _rows(self) -> list[list[str]]:
        """The table: a head, then a row for each run."""
        differing = self.differing()[:12]
        rows = [["run", "state", "updates", "time", "pairs", "parameters", "best loss", "metric", *differing]]
        for one in self._runs[:SHOWN]:
            settings = one.settings or {}
            rows.append(
                [
                    one.name,
                    one.problem or one.state,
                    f"{one.step:,}/{one.steps:,}",
                    clock(one.seconds),
                    f"{one.pairs:,}",
                    f"{one.parameters:,}",
                    _figure(one.best_loss, 4),
                    "" if one.metric_name == "loss" else f"{one.metric_name} {_figure(one.metric, 2)}",
                    *(_setting(settings.get(name)) for name in differing),
                ]
            )
        return rows

    def _html(self) -> str:
        if not self._runs:
            return f"<div>{visible(self._none())}</div>"
        head, *rows = self._rows()
        heads = "".join(f'<th style="text-align:left">{visible(name)}</th>' for name in head)
        body = "".join(
            "<tr>" + "".join(f'<td style="text-align:left"><bdi>{visible(cell)}</bdi></td>' for cell in row) + "</tr>"
            for row in rows
        )
        more = f"<div>and {len(self) - SHOWN:,} older ones</div>" if len(self) > SHOWN else ""
        table = (
            f'<div style="overflow-x:auto"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
        )
        return f"{table}{more}{self._curves()}"

    def _curves(self) -> str:
        """Validation curves of the newest runs that have any."""
        lines = []
        for one in self._runs:
            points = _validations(one)
            if points and len(lines) < DRAWN:
                lines.append(Curve(one.name, points, dots=True))
        if not lines:
            return ""
        title = f"Validation loss by update of {len(lines)} run{'' if len(lines) == 1 else 's'}"
        return figure(line_chart(lines, title=title, x_label="update", y_label="validation loss"), "runs")


def _validations(one: RunRecord) -> list[tuple[float, float]]:
    from nbtextgen.core.errors import ModelFileError
    from nbtextgen.notebook.live.record import record_of
    from nbtextgen.run.folder import Run

    try:
        return record_of(one.name, Run.open(one.folder).history()).valid.points()
    except ModelFileError:
        return []


def _figure(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _setting(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
