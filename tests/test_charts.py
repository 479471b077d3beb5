"""Charts are well-formed SVG whatever the numbers and names."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbtextgen.charts import Curve, Plot, bar_chart, figure, histogram, line_chart, plots, smoothed
from nbtextgen.charts.scale import ticks

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
PRINTABLE = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cn", "Cc")), max_size=20)


def _reasonable(value: float) -> bool:
    return not (value == value and 0 < abs(value) < 1e-100) and not (1e100 < abs(value) < float("inf"))


@given(
    st.lists(st.tuples(NUMBERS.filter(_reasonable), NUMBERS.filter(_reasonable)), max_size=8), PRINTABLE, st.booleans()
)
def test_any_curve_is_well_formed(points, name, logarithmic) -> None:
    drawn = line_chart([Curve(name, points)], title=name, x_label=name, y_label=name, logarithmic=logarithmic)
    xml.fromstring(drawn.svg)
    assert "nan" not in drawn.svg.lower() or "nan" in name.lower()


def test_names_are_escaped_and_many_lines_are_told_apart() -> None:
    drawn = line_chart(
        [Curve("<b>", [(1, 1), (2, 3)]), Curve("&", [(1, 2), (2, 1)])],
        title="<script>",
        x_label="x",
        y_label="y",
        mark=(1.5, "<i>"),
    )
    xml.fromstring(drawn.svg)
    assert not re.search("<(script|b|i)>", drawn.svg) and not re.search("<(script|b)>", figure(drawn, "x"))
    assert drawn.svg.count("stroke-dasharray=") >= 3


@given(st.dictionaries(PRINTABLE, st.floats(0, 1e6), max_size=6))
def test_any_bars_are_well_formed(values) -> None:
    assert len(xml.fromstring(bar_chart(values, title="t").svg).findall("{*}rect")) == len(values)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_a_histogram_has_a_bar_for_each_range(counts: list[int]) -> None:
    drawn = histogram([(at, at, count) for at, count in enumerate(counts)], title="t", of="texts", unit="characters")
    assert drawn is not None and len(xml.fromstring(drawn.svg).findall("{*}rect")) == len(counts) == len(drawn.labels)


def test_a_chart_tells_its_values_on_hover_and_in_words_and_marks_the_best() -> None:
    lines = [Curve("", [(0, 9.0), (10, 8.0)], faint=True, style=0), Curve("loss", [(0, 2.0), (10, 1.5)])]
    chart = line_chart(lines, title="t", x_label="update", y_label="loss", star=(10, 1.5))
    drawn = xml.fromstring(chart.svg)
    assert "update 0\nloss 2" in chart.labels and "update 10\nloss 1.5" in chart.labels
    assert drawn.find("{*}polygon") is not None and "best so far" in "".join(drawn.itertext())
    assert chart.description == "t: loss 2 at update 0, 1.5 at 10"


def test_plots_share_an_axis_of_whole_numbers_and_far_values_a_logarithmic_one() -> None:
    loss, exact = [(1, 5.0), (3, 0.01)], [(1, 0.0), (3, 100.0)]
    parts = [Plot([Curve("loss", loss)], "nats", wide=True), Plot([Curve("exact", exact, style=2)], "%", height=60)]
    drawn = plots(parts, title="t", x_label="update", whole=True, marks=[(2, "dropout 0.9")])
    texts = [node.text for node in xml.fromstring(drawn.svg).iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if text in ("1", "2", "3")] == ["1", "1", "2", "3"]  # one of the losses, and updates
    assert "nats, logarithmic" in texts and "0.1" in texts and "dropout 0.9" in texts and "1.5" not in texts
    assert "loss 5 at update 1, 0.01 at 3" in drawn.description and "dropout 0.9 at 2" in drawn.description


def test_a_saved_chart_is_an_image_with_words_and_leaves_no_text_where_elements_are_dropped() -> None:
    kept = figure(bar_chart({"a": 1.0, "\u8a5e": 2.0}, title="t"), "importance")
    assert 'alt="t: a 1.00, \u8a5e 2.00"' in kept and re.sub(r"<[^>]*>", "", kept).strip() == ""
    assert kept.count('type="button"') == 2 and 'title="importance.svg"' in kept and 'title="importance.png"' in kept
    data = re.search(r'src="data:image/svg\+xml;base64,([^"]*)"', kept)
    assert data is not None and "\u8a5e" in "".join(xml.fromstring(base64.b64decode(data[1])).itertext())
    assert figure(None, "none") == ""


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_inside(low: float, size: float) -> None:
    found = ticks(low, low + size)
    slack = 1e-6 * (abs(low) + size)
    assert len(found) <= 11 and all(low - slack <= one <= low + size + slack for one in found)


def test_smoothing_leaves_a_constant_alone() -> None:
    assert [y for _, y in smoothed([(x, 3.0) for x in range(5)])] == pytest.approx([3.0] * 5)
