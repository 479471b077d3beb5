"""The result of a search: its trials, the best model, and their charts and table."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from nbtextgen.charts import Chart, Curve, axes_to_draw_on, bar_chart, figure, line_chart
from nbtextgen.core.escaping import CELL, visible
from nbtextgen.core.files import JsonObject
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.core.wording import counted, percent

if TYPE_CHECKING:
    import optuna
    import pandas
    from matplotlib.axes import Axes

    from nbtextgen.generator import TextGenerator


_LEFT = f" style='{CELL};text-align:left'"


@dataclass
class Trial:
    """One training of the search.

    Attributes:
        number: from 1.
        settings: the values tried.
        curve: (training seconds, validation metric) at each validation.
        value: the best validation metric, or ``None`` before the first validation.
        state: ``running``, ``complete``, ``pruned`` (stopped early) or ``failed``.
        problem: why it failed.
    """

    number: int
    settings: JsonObject
    curve: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    value: float | None = None
    state: str = "running"
    problem: str = ""

    def __str__(self) -> str:
        settings = ", ".join(f"{_words(name)} {_short(value)}" for name, value in self.settings.items())
        value = "" if self.value is None else f" ({self.value:.4g})"
        return f"trial {self.number}: {settings}{value}"


@dataclass
class Tuning:
    """The search so far, complete when ``tune`` returns it; a notebook shows it as charts and a table.

    Attributes:
        metric: what is compared: ``loss`` (nats per target token) or a metric's name.
        higher_is_better: whether a higher value of the metric is better.
        trials: in the order they ran.
        best: the trained generator of the best trial.
        best_trial: the best trial.
        importance: share of each setting in the differences between trials, largest first; empty while there are
            too few trials (PED-ANOVA: Watanabe et al. 2023).
        seconds: wall time so far.
        study: the study of Optuna, with its trials, for ``optuna.visualization`` and the like.
    """

    metric: str
    higher_is_better: bool
    trials: list[Trial] = field(default_factory=list[Trial])
    best: TextGenerator | None = None
    best_trial: Trial | None = None
    importance: dict[str, float] = field(default_factory=dict[str, float])
    seconds: float = 0.0
    study: optuna.Study | None = None

    def frame(self) -> pandas.DataFrame:
        """The trials as a pandas frame: ``trial``, a column per setting, ``value``, ``state``, ``seconds``, ``problem``.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        rows = [
            {
                "trial": trial.number,
                **trial.settings,
                "value": trial.value,
                "state": trial.state,
                "seconds": trial.curve[-1][0] if trial.curve else 0.0,
                "problem": trial.problem,
            }
            for trial in self.trials
        ]
        return pandas.DataFrame(rows)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve of every trial with Matplotlib, the best one in front.

        Args:
            ax: where to draw; by default in a new figure.

        Raises:
            MissingPackageError: without Matplotlib.
        """
        axes = axes_to_draw_on(ax)
        for trial in sorted(self.trials, key=lambda trial: trial is self.best_trial):
            best = trial is self.best_trial
            label = f"best: {trial}" if best else str(trial)
            axes.plot([x for x, _ in trial.curve], [y for _, y in trial.curve], label=label, alpha=1.0 if best else 0.4)
        axes.set(xlabel="seconds of training", ylabel=f"validation {self.metric}")
        axes.legend()
        return axes

    def better(self, value: float) -> bool:
        """Return ``True`` if ``value`` is better than that of the best trial."""
        if self.best_trial is None or self.best_trial.value is None:
            return True
        return value > self.best_trial.value if self.higher_is_better else value < self.best_trial.value

    def curves(self) -> Chart:
        """The curve of every trial, the best one in front."""
        best = self.best_trial
        lines = [Curve("other trials", trial.curve, faint=True) for trial in self.trials if trial is not best]
        star = None
        if best is not None and best.curve:
            lines.insert(0, Curve(f"trial {best.number}, the best", best.curve))
            star = (max if self.higher_is_better else min)(best.curve, key=lambda point: point[1])
        return line_chart(
            lines,
            title=f"Validation {self.metric} of {counted(len(self.trials), 'trial')} over training time",
            x_label="seconds of training",
            y_label=f"validation {self.metric}",
            star=star,
            star_name="best",
        )

    def importances(self) -> Chart:
        """The importance of each setting."""
        shares = {_words(name): share for name, share in self.importance.items()}
        return bar_chart(shares, title="Importance of each setting", show=partial(percent, digits=0))

    def charts(self) -> str:
        """Curves and importances as HTML, with buttons that save them."""
        title = "<div style='margin:10px 0 2px;font-weight:600'>{}</div>".format
        importance = figure(self.importances(), "importance") if self.importance else ""
        curves = title(f"Validation {visible(self.metric)} of every trial") + figure(self.curves(), "trials")
        return curves + (title("Importance of each setting") + importance if importance else "")

    def table(self) -> str:
        """The trials as an HTML table, best first."""
        sign = -1 if self.higher_is_better else 1
        ranked = sorted(self.trials, key=lambda trial: math.inf if trial.value is None else sign * trial.value)
        names = list(dict.fromkeys(name for trial in self.trials for name in trial.settings))
        titles = ("trial", self.metric, *map(_words, names), "state")
        head = "".join(f"<th scope='col'{_LEFT}>{visible(title)}</th>" for title in titles)
        rows: list[str] = []
        for trial in ranked:
            value = "" if trial.value is None else f"{trial.value:.4g}"
            cells = [str(trial.number), value, *(_short(trial.settings.get(name, "")) for name in names), trial.state]
            bold = " style='font-weight:600'" if trial is self.best_trial else ""
            rows.append(f"<tr{bold}>" + "".join(f"<td{_LEFT}>{visible(cell)}</td>" for cell in cells) + "</tr>")
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"

    def __repr__(self) -> str:
        if self.best_trial is None:
            return f"Tuning({counted(len(self.trials), 'trial')}, none complete)"
        return f"Tuning({counted(len(self.trials), 'trial')} in {self.seconds:.0f} s; best: {self.best_trial})"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": f"<div>{self.charts()}{self.table()}</div>"}


def _words(name: str) -> str:
    return name.replace("_", " ")


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
