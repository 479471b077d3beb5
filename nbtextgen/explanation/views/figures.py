"""Explanations and surveys as Matplotlib figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from nbtextgen.charts import axes_to_draw_on
from nbtextgen.core.errors import OptionError
from nbtextgen.explanation.config import METHOD_NAMES
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.explanation.survey import Survey
from nbtextgen.explanation.views.text import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POSITIVE, NEGATIVE = "#d95f02", "#1f78b4"
BARS = 12
"""Most bars of a chart."""


def heatmap(explanation: Explanation, ax: Axes | None = None) -> Figure:
    """Output tokens by input units, positive values orange and negative ones blue; on ``ax``, or in a new figure."""
    values, units = explanation.values, [_label(unit) for unit in explanation.input_units]
    if explanation.prefix_values is not None:
        values = np.concatenate([values, explanation.prefix_values], 1)
        units += [f"… {_label(token)}" for token in explanation.prefix_tokens]
    rows, columns = values.shape
    axes = axes_to_draw_on(ax, min(24.0, 2.2 + 0.42 * columns), min(24.0, 1.4 + 0.32 * rows))
    figure = axes.figure
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    image = axes.imshow(values, cmap="PuOr_r", vmin=-largest, vmax=largest, aspect="auto")
    if columns > len(explanation.input_units):
        axes.axvline(len(explanation.input_units) - 0.5, color="0.5", linewidth=1)
    axes.set_xticks(range(columns), units, rotation=60, ha="right")
    axes.set_xlabel("input" if columns == len(explanation.input_units) else "input | … earlier output")
    axes.set_ylabel("output")
    axes.set_yticks(range(rows), [_label(token) for token in explanation.output_tokens])
    axes.set_title(METHOD_NAMES[explanation.method], loc="left")
    figure.colorbar(image, ax=axes, label="weight" if explanation.method == "attention" else "log-probability (nats)")
    return figure


def survey_figure(survey: Survey) -> Figure:
    """Every chart of a survey side by side: faithfulness, lexicon, agreement, and hubs if there is attention."""
    charts = [chart for chart in CHARTS if chart != "hubs" or survey.hubs(BARS)]
    figure = axes_to_draw_on(None, 1 + 4 * len(charts), 4).figure
    figure.clear()
    for axes, chart in zip(figure.subplots(1, len(charts)), charts, strict=True):
        CHARTS[chart](survey, axes)
    return figure


def survey_chart(survey: Survey, chart: str = "faithfulness", ax: Axes | None = None) -> Axes:
    """One of ``CHARTS``, on ``ax`` or in a new figure."""
    if chart not in CHARTS:
        raise OptionError(f"There is no chart {chart!r} of a survey; choose from {', '.join(CHARTS)}.")
    if chart == "hubs" and "attention" not in survey.explanations:
        raise OptionError("Hubs are computed from attention, which is not among the methods of this survey.")
    axes = axes_to_draw_on(ax, 5, 4)
    CHARTS[chart](survey, axes)
    return axes


def _faithfulness(survey: Survey, axes: Any) -> None:
    means = [row["comprehensiveness"] for row in survey.faithfulness.values()]
    names = [METHOD_NAMES.get(method, method) for method in survey.faithfulness]
    errors = [[mean.value - mean.low for mean in means], [mean.high - mean.value for mean in means]]
    _bars(axes, "comprehensiveness", names, [mean.value for mean in means], POSITIVE, errors)


def _lexicon(survey: Survey, axes: Any) -> None:
    entries = survey.lexicon(BARS)
    pairs = [f"{_label(token)} <- {_label(unit)}" for token, unit, _, _ in entries]
    _bars(axes, "induced lexicon, mean nats", pairs, [row[2] for row in entries], NEGATIVE)


def _agreement(survey: Survey, axes: Any) -> None:
    names = [METHOD_NAMES[method] for method in survey.agreement.methods]
    axes.imshow(survey.agreement.correlations, cmap="PuOr_r", vmin=-1, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_title("rank correlation", loc="left")


def _hubs(survey: Survey, axes: Any) -> None:
    hubs = survey.hubs(BARS)
    units = [_label(unit) for unit, _, _ in hubs]
    _bars(axes, "hubs of attention, times uniform attention", units, [row[1] for row in hubs], NEGATIVE)


CHARTS: dict[str, Callable[[Survey, Any], None]] = {
    "faithfulness": _faithfulness,
    "lexicon": _lexicon,
    "agreement": _agreement,
    "hubs": _hubs,
}
"""Charts of a survey, by name: comprehensiveness of each method with intervals, the strongest entries of the lexicon, rank
correlation of the methods, and the inputs that attract attention."""


def _bars(
    axes: Any, title: str, names: list[str], values: list[float], colour: str, errors: list[list[float]] | None = None
) -> None:
    """Horizontal bars, the first at the top; positions rather than names on the axis, since names may repeat."""
    axes.barh(range(len(names)), values, xerr=errors, color=colour)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_title(title, loc="left")


def _label(text: str) -> str:
    """Escape dollar signs, which Matplotlib reads as mathematics."""
    return shown(text).replace("$", r"\$")
