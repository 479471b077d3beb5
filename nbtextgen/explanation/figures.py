"""Explanations as Matplotlib figures."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbtextgen.errors import MissingPackageError
from nbtextgen.explanation.agreement import NAMES
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.explanation.render import shown
from nbtextgen.explanation.survey import Survey


def new_figure(width: float, height: float) -> Any:
    """An empty figure that belongs to no window.

    Raises:
        MissingPackageError: without Matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingPackageError("A figure needs Matplotlib: pip install nbtextgen[explain].") from None
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
    """Faithfulness of each method with intervals, the strongest entries of the lexicon, and agreement."""
    figure = new_figure(13, 4)
    left, middle, right = figure.subplots(1, 3)
    methods = list(survey.faithfulness)
    scores = [survey.faithfulness[method]["comprehensiveness"] for method in methods]
    away = [[one.value - one.low for one in scores], [one.high - one.value for one in scores]]
    left.barh(
        [NAMES.get(method, method) for method in methods], [one.value for one in scores], xerr=away, color="#d95f02"
    )
    left.invert_yaxis()
    left.set_title("comprehensiveness", loc="left")
    entries = survey.lexicon(12)
    middle.barh(
        [f"{_plain(token)} <- {_plain(unit)}" for token, unit, _, _ in entries],
        [row[2] for row in entries],
        color="#1f78b4",
    )
    middle.invert_yaxis()
    middle.set_title("induced lexicon, mean nats", loc="left")
    names = [NAMES[method] for method in survey.agreement.methods]
    right.imshow(survey.agreement.correlations, cmap="PuOr_r", vmin=-1, vmax=1)
    right.set_xticks(range(len(names)), names, rotation=60, ha="right")
    right.set_yticks(range(len(names)), names)
    right.set_title("rank correlation", loc="left")
    return figure


def _plain(text: str) -> str:
    """Matplotlib would read dollar signs as mathematics."""
    return shown(text).replace("$", r"\$")
