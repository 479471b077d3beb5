"""Explanations as Matplotlib figures."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbtextgen.core.optional_imports import optional_import
from nbtextgen.explanation.agreement import NAMES
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.explanation.survey import Survey
from nbtextgen.explanation.views.html import shown


def new_figure(width: float, height: float) -> Any:
    """An empty figure that belongs to no window.

    Raises:
        MissingPackageError: without Matplotlib.
    """
    with optional_import("A figure", "Matplotlib", "explain"):
        from matplotlib.figure import Figure
    return Figure(figsize=(width, height), layout="constrained")


def heatmap(explanation: Explanation) -> Any:
    """Output tokens against input units, orange for and blue against."""
    rows, columns = explanation.values.shape
    figure = new_figure(min(24.0, 2.2 + 0.42 * columns), min(24.0, 1.4 + 0.32 * rows))
    axes = figure.subplots()
    largest = float(np.abs(explanation.values).max(initial=0.0)) or 1.0
    image = axes.imshow(explanation.values, cmap="PuOr_r", vmin=-largest, vmax=largest, aspect="auto")
    axes.set_xticks(range(columns), [_plain(each) for each in explanation.input_units], rotation=60, ha="right")
    axes.set_yticks(range(rows), [_plain(each) for each in explanation.output_tokens])
    axes.set_title(NAMES[explanation.method], loc="left")
    figure.colorbar(image, ax=axes, label="weight" if explanation.method == "attention" else "log-probability (nats)")
    return figure


def survey_figure(survey: Survey) -> Any:
    """Faithfulness of each method with intervals, the strongest entries of the lexicon, agreement, and hubs of attention."""
    hubs = survey.hubs(12)
    figure = new_figure(17 if hubs else 13, 4)
    axes = figure.subplots(1, 4 if hubs else 3)
    methods = list(survey.faithfulness)
    scores = [survey.faithfulness[method]["comprehensiveness"] for method in methods]
    away = [[one.value - one.low for one in scores], [one.high - one.value for one in scores]]
    names = [NAMES.get(method, method) for method in methods]
    _bars(axes[0], "comprehensiveness", names, [one.value for one in scores], "#d95f02", away)
    entries = survey.lexicon(12)
    pairs = [f"{_plain(token)} <- {_plain(unit)}" for token, unit, _, _ in entries]
    _bars(axes[1], "induced lexicon, mean nats", pairs, [row[2] for row in entries], "#1f78b4")
    names = [NAMES[method] for method in survey.agreement.methods]
    axes[2].imshow(survey.agreement.correlations, cmap="PuOr_r", vmin=-1, vmax=1)
    axes[2].set_xticks(range(len(names)), names, rotation=60, ha="right")
    axes[2].set_yticks(range(len(names)), names)
    axes[2].set_title("rank correlation", loc="left")
    if hubs:
        units = [_plain(unit) for unit, _, _ in hubs]
        _bars(axes[3], "hubs of attention, times an even share", units, [row[1] for row in hubs], "#1f78b4")
    return figure


def _bars(axes: Any, title: str, names: list[str], values: list[float], colour: str, away: Any = None) -> None:
    """Horizontal bars, the first on top; places rather than names on the axis, since names may repeat."""
    axes.barh(range(len(names)), values, xerr=away, color=colour)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_title(title, loc="left")


def _plain(text: str) -> str:
    """Matplotlib would read dollar signs as mathematics."""
    return shown(text).replace("$", r"\$")
