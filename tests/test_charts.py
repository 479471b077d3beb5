"""Charts are well-formed SVG whatever the numbers and names."""

from __future__ import annotations

import xml.etree.ElementTree as xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbtextgen.charts import Curve, bar_chart, figure, histogram, line_chart, smoothed
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
    assert (
        "nan" not in drawn.replace(xml.fromstring(drawn).get("aria-label") or "", "").lower() or "nan" in name.lower()
    )


def test_names_are_escaped_and_many_lines_are_told_apart() -> None:
    drawn = line_chart(
        [Curve("<b>", [(1, 1), (2, 3)]), Curve("&", [(1, 2), (2, 1)])],
        title="<script>",
        x_label="x",
        y_label="y",
        mark=(1.5, "<i>"),
    )
    xml.fromstring(drawn)
    assert "<script" not in drawn and "<b>" not in drawn and "<i>" not in drawn
    assert drawn.count("stroke-dasharray=") >= 3


@given(st.dictionaries(PRINTABLE, st.floats(0, 1e6), max_size=6))
def test_any_bars_are_well_formed(values) -> None:
    assert len(xml.fromstring(bar_chart(values, title="t")).findall("{*}rect")) == len(values)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_a_histogram_has_a_bar_for_each_range(counts: list[int]) -> None:
    drawn = histogram([(at, at, count) for at, count in enumerate(counts)], title="t", of="texts", unit="characters")
    assert len(xml.fromstring(drawn).findall("{*}rect")) == len(counts)


def test_hovering_tells_the_values_and_the_best_is_marked() -> None:
    lines = [Curve("", [(0, 9.0), (10, 8.0)], faint=True, style=0), Curve("loss", [(0, 2.0), (10, 1.5)])]
    drawn = xml.fromstring(line_chart(lines, title="t", x_label="update", y_label="loss", star=(10, 1.5)))
    said = [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert "update 0\nloss 2" in said and "update 10\nloss 1.5" in said
    assert drawn.find("{*}polygon") is not None and "best so far" in "".join(drawn.itertext())


def test_every_kept_chart_has_two_buttons_and_nothing_is_kept_of_nothing() -> None:
    kept = figure(bar_chart({"a": 1.0}, title="t"), "importance")
    assert kept.count("<button") == 2 and 'value="importance.svg"' in kept and 'value="importance.png"' in kept
    assert figure("", "none") == ""


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_inside(low: float, size: float) -> None:
    found = ticks(low, low + size)
    slack = 1e-6 * (abs(low) + size)
    assert len(found) <= 11 and all(low - slack <= one <= low + size + slack for one in found)


def test_smoothing_leaves_a_constant_alone() -> None:
    assert [y for _, y in smoothed([(x, 3.0) for x in range(5)])] == pytest.approx([3.0] * 5)
