"""Charts are well-formed SVG whatever the numbers and names."""

from __future__ import annotations

import xml.etree.ElementTree as xml

from hypothesis import given
from hypothesis import strategies as st

from nbtextgen.charts import Line, bar_chart, line_chart

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
PRINTABLE = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cn", "Cc")), max_size=20)


def _reasonable(value: float) -> bool:
    return not (value == value and 0 < abs(value) < 1e-100) and not (1e100 < abs(value) < float("inf"))


@given(
    st.lists(st.tuples(NUMBERS.filter(_reasonable), NUMBERS.filter(_reasonable)), max_size=8), PRINTABLE, st.booleans()
)
def test_any_curve_is_well_formed(points, name, logarithmic) -> None:
    drawn = line_chart([Line(name, points)], title=name, x_label=name, y_label=name, logarithmic=logarithmic)
    assert (
        "nan" not in drawn.replace(xml.fromstring(drawn).get("aria-label") or "", "").lower() or "nan" in name.lower()
    )


def test_names_are_escaped_and_many_lines_are_told_apart() -> None:
    drawn = line_chart(
        [Line("<b>", [(1, 1), (2, 3)]), Line("&", [(1, 2), (2, 1)])],
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
