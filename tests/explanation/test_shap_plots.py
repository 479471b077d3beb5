"""Plots of the ``shap`` library: each shows the right labels, or says which plots apply."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from nbtextgen import Pairs, TextGenerator
from nbtextgen.core.errors import OptionError
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.explanation.survey import Survey

SOURCES = [f"the {colour} {thing} is here" for colour in ("red", "blue") for thing in ("cat", "dog", "bird")]


@pytest.fixture(scope="module")
def plots() -> Iterator[Any]:
    import matplotlib

    matplotlib.use("Agg")
    import shap

    yield shap.plots
    matplotlib.pyplot.close("all")


@pytest.fixture(scope="module")
def one(words: TextGenerator) -> Explanation:
    return words.explain("red cat here", target="Katze rot", faithfulness=False, prefix=False)


@pytest.fixture(scope="module")
def many(words: TextGenerator) -> Survey:
    return words.explain_data(Pairs(SOURCES, SOURCES), faithfulness=False, prefix=True)


def labels(axes: Any) -> set[str]:
    """The names of features on the axis, without the values that waterfall puts before them."""
    return {text.get_text().rsplit("= ", 1)[-1] for text in axes.get_yticklabels()}


@pytest.mark.parametrize("name", ["bar", "waterfall"])
def test_one_output_token_is_plotted_with_its_units(plots: Any, one: Explanation, name: str) -> None:
    assert len(one.input_units) == len(one.output_tokens)  # where names of one axis could be taken for the other's
    axes = getattr(plots, name)(one.shap()[:, 0], show=False)
    assert {"red", "cat", "here"} <= labels(axes)
    axes.figure.clear()


def test_force_and_text_show_units_and_outputs(plots: Any, one: Explanation) -> None:
    shown = plots.force(one.shap()[:, 0]).html()
    assert all(unit in shown for unit in one.input_units)
    page = plots.text(one.shap(), display=False)
    assert "Katze" in page and "red" in page


@pytest.mark.parametrize("name", ["bar", "beeswarm", "heatmap", "waterfall", "force"])
def test_plots_of_rows_refuse_the_columns_of_one_text(plots: Any, one: Explanation, name: str) -> None:
    table = one.shap()
    with pytest.raises(OptionError, match=r"shap\.plots\.text shows this"):
        getattr(plots, name)(table[0] if name == "waterfall" else table)


@pytest.mark.parametrize("name", ["bar", "beeswarm", "heatmap"])
def test_rows_of_outputs_and_of_texts_are_compared_with_the_right_labels(
    plots: Any, one: Explanation, many: Survey, name: str
) -> None:
    axes = getattr(plots, name)(one.shap(rows="outputs"), show=False)
    assert {"red", "cat", "here"} <= labels(axes)
    axes.figure.clear()
    axes = getattr(plots, name)(many.shap(features=30), show=False, max_display=20)
    assert {"red", "cat", "earlier output"} <= labels(axes)
    axes.figure.clear()


def test_one_row_of_many_texts_is_a_text_of_its_own(plots: Any, many: Survey) -> None:
    table = many.shap()
    axes = plots.waterfall(table[1], show=False)
    assert "red" in labels(axes)
    axes.figure.clear()
    explanation = many.first[1]
    np.testing.assert_allclose(
        table[1].values.sum() + table[1].base_values, explanation.log_probabilities.sum(), atol=1e-6
    )
    with pytest.raises(OptionError, match="shows one text"):
        plots.text(table)
    with pytest.raises(OptionError, match="rows must be"):
        explanation.shap(rows="tokens")
