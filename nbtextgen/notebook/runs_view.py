"""``RunsView``: a table of runs with scores and settings, and a chart of their learning curves."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbtextgen.charts import COLOURS, Curve, figure, line_chart
from nbtextgen.core.errors import ModelFileError
from nbtextgen.core.escaping import pictured, visible
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.core.wording import counted
from nbtextgen.training.progress import clock

if TYPE_CHECKING:
    import pandas

    from nbtextgen.notebook.static import StaticForm
    from nbtextgen.run.listing import RunRecord

MAX_CURVES = len(COLOURS)
MAX_ROWS = 100
STATES = {
    "early": "stopped early: no improvement",
    "time": "time limit reached",
    "interrupted": "stopped",
    "diverged": "stopped: the loss kept rising",
    "broken off": "process ended; can be resumed",
}
"""States of runs in words; the others are words already."""


class RunsView(Sequence["RunRecord"]):
    """A sequence of ``RunRecord`` that shows itself as a table with learning curves."""

    def __init__(
        self, folder: Path, runs: Sequence[RunRecord], panel: Callable[[RunsView], StaticForm] | None = None
    ) -> None:
        """Keep the runs of a folder; ``panel`` makes what a notebook shows in place of the static table."""
        self.folder, self._runs, self._panel = folder, list(runs), panel

    def __len__(self) -> int:
        return len(self._runs)

    def __getitem__(self, index: Any) -> Any:
        return self._runs[index]

    def frame(self) -> pandas.DataFrame:
        """Return the runs as a pandas ``DataFrame``, with a column for every setting."""
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        plain_rows = [{**vars(run), **(run.settings or {})} for run in self._runs]
        return pandas.DataFrame(
            [{name: value for name, value in row.items() if name != "settings"} for row in plain_rows]
        )

    def differing(self) -> list[str]:
        """Return the settings that differ between the runs."""
        runs = [run.settings for run in self._runs if run.settings]
        names = list(dict.fromkeys(name for settings in runs for name in settings))
        return [name for name in names if len({json.dumps(run.get(name), default=str) for run in runs}) > 1]

    def __repr__(self) -> str:
        if not self._runs:
            return self._empty()
        rows = [list(map(pictured, row)) for row in self.rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.html()}

    def _ipython_display_(self) -> None:
        """Show the panel, where there is one; otherwise IPython shows the static table."""
        if self._panel is None or not self._runs:
            raise NotImplementedError
        self._panel(self)._ipython_display_()

    def again(self) -> RunsView:
        """Return the same runs as they are now."""
        from nbtextgen.run.folder import Run
        from nbtextgen.run.listing import record

        return RunsView(self.folder, [record(run.folder) for run in self._runs if Run.is_run(run.folder)])

    def _empty(self) -> str:
        return (
            f"There are no runs in {pictured(str(self.folder))}; train with %textgen_train NAME --run NAME to keep one."
        )

    def rows(self) -> list[list[str]]:
        """Return the table: a header, then a row for each run."""
        differing = self.differing()[:12]
        settings = [name.replace("_", " ") for name in differing]
        rows = [["run", "state", "updates", "time", "pairs", "parameters", "best loss", "metric", *settings]]
        for run in self._runs[:MAX_ROWS]:
            metric = f"{run.metric_name} {_figure(run.metric, 2)}"
            counts = [run.updates, clock(run.seconds), f"{run.pairs:,}", f"{run.parameters:,}"]
            scores = [_figure(run.best_loss, 4), "" if run.metric_name == "loss" else metric]
            values = [_setting((run.settings or {}).get(name)) for name in differing]
            rows.append([run.name, run.problem or STATES.get(run.state, run.state), *counts, *scores, *values])
        return rows

    def html(self) -> str:
        """Return the runs as an HTML table, with a chart of their curves."""
        if not self._runs:
            return f"<div>{visible(self._empty())}</div>"
        head, *rows = self.rows()
        cell = "text-align:left;white-space:nowrap"
        heads = "".join(f'<th style="{cell}">{visible(name)}</th>' for name in head)
        body = "".join(
            "<tr>" + "".join(f'<td style="{cell}"><bdi>{visible(text)}</bdi></td>' for text in row) + "</tr>"
            for row in rows
        )
        more = f"<div>and {counted(len(self) - MAX_ROWS, 'older run')}</div>" if len(self) > MAX_ROWS else ""
        table = (
            f'<div style="overflow-x:auto"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
        )
        return f"{table}{more}{self._curves()}"

    def _curves(self) -> str:
        """Return a chart of the validation losses of the newest runs."""
        validated = ((run.name, points) for run in self._runs if (points := _validations(run)))
        lines = [Curve(name, points, dots=True) for name, points in islice(validated, MAX_CURVES)]
        if not lines:
            return ""
        title = f"Validation loss by update of {counted(len(lines), 'run')}"
        return figure(line_chart(lines, title=title, x_label="update", y_label="validation loss", whole=True), "runs")


def _validations(run: RunRecord) -> list[tuple[float, float]]:
    from nbtextgen.notebook.live.record import record_of
    from nbtextgen.run.folder import Run

    try:
        return record_of(run.name, Run.open(run.folder).history()).valid.points()
    except ModelFileError:
        return []


def _figure(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _setting(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
