"""Still pictures: hostile texts through every static rendering, curves in bounded space."""

from __future__ import annotations

import base64
import html
import random
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbtextgen.charts import Curve, figure, line_chart
from nbtextgen.charts.keeping import handler
from nbtextgen.data.pairs import RawPairs
from nbtextgen.inference.generation import Generation, Generations
from nbtextgen.notebook.data_view import DataView, bars
from nbtextgen.notebook.live import static_view as still
from nbtextgen.notebook.live.record import MAX_POINTS, PointSeries, record_of
from nbtextgen.notebook.panels.runs import _sort_key
from nbtextgen.notebook.runs_view import RunsView
from nbtextgen.run.listing import RunRecord
from nbtextgen.training.events import Ended, Event, Sample, Started, Step, TrainingWarning, Validation

PARTS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "'><b>", '" onmouseover="x',
    "</title><script>", "</td></tr></table><iframe src=//e>", "javascript:alert(1)", "&lt;script&gt;", "&#60;img&#62;",
    "<!--", "-->", "<![CDATA[", "]]>", "<style>*{}</style>", "<a href=x>", "<math><mi//xlink:href='data:x'>", "{{7*7}}",
    "\x00", "\x1b[31m", "\x1b]0;title\x07", "\r\n", "\t", "\x7f", "\u202e", "\u2066", "\u200f", "\u2028", "\ufeff", "\ud800",
    "`${1}`", "$x$", "\\(x\\)", "%s%n", "../../etc/passwd", "/etc/passwd", "id=x", "name=body", "e\u0301" * 20, "\U0001f468\u200d\U0001f469",
]  # fmt: skip
ELEMENTS = set(
    [
        "div",
        "span",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "b",
        "bdi",
        "svg",
        "path",
        "text",
        "polyline",
        "circle",
        "polygon",
        "rect",
        "title",
        "details",
        "summary",
        "ul",
        "li",
        "p",
        "code",
        "g",
        "figure",
        "img",
        "i",
        "input",
    ]
)
ATTRIBUTES = set(
    [
        "style",
        "class",
        "role",
        "aria-label",
        "scope",
        "title",
        "xmlns",
        "viewbox",
        "x",
        "y",
        "d",
        "r",
        "cx",
        "cy",
        "width",
        "height",
        "points",
        "fill",
        "stroke",
        "stroke-opacity",
        "stroke-width",
        "stroke-dasharray",
        "stroke-linejoin",
        "text-anchor",
        "opacity",
        "transform",
        "colspan",
        "dir",
        "open",
        "type",
        "value",
        "onclick",
        "font-size",
        "font-family",
        "src",
        "alt",
        "aria-hidden",
    ]
)


def hostile(count: int) -> list[str]:
    """Texts that try to become something else, some of them very long."""
    draw = random.Random(5)
    made = ["".join(draw.choices(PARTS, k=draw.randint(1, 5))) + str(at) for at in range(count - 2)]
    return [*made, "<b>" * 350_000, "\u202e" + "x" * 1_000_000]


class Checker(HTMLParser):
    """Fails at anything that is not of ours."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ELEMENTS, tag
        for name, value in attrs:
            assert name in ATTRIBUTES, name
            assert name != "onclick" or value == html.unescape(handler())
            assert name != "value" or value in ("SVG", "PNG")
            assert name != "src" or self.picture(value or "")
            assert "javascript:" not in (value or "") or name in ("title", "aria-label", "alt")
            assert name != "style" or not re.search(r"url\(|expression|@import", value or "")

    def picture(self, address: str) -> bool:
        """An image holds a chart of ours, which is checked like the page around it."""
        kind, _, data = address.partition(",")
        checker = Checker()
        checker.feed(base64.b64decode(data).decode())
        checker.close()
        return kind == "data:image/svg+xml;base64"

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data[:50]}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl[:50]}")


def check(bundle: dict[str, str]) -> None:
    """The HTML holds our own elements and attributes only; the text no control character."""
    checker = Checker()
    checker.feed(bundle["text/html"])
    checker.close()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", bundle["text/html"])
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", bundle["text/plain"])


def generation(text: str) -> Generation:
    tokens = tuple(text[:300])
    return Generation(text, "".join(tokens), tokens, tokens, np.full(len(tokens) + 1, -1.0, np.float32), None, -1.0)


def events(text: str) -> list[Event]:
    return [
        Started(10, 9, 1, 5, 2, text, text, {text: text}),
        Step(1, 5, 1, 2, 2.0, 0.001, 100.0, 1.0, 4.0),
        Validation(1, 1, 1.5, text, 1.5, True, 1.0),
        Sample(1, text, text, text + "!"),
        TrainingWarning(text),
        Ended(text, 5, 1, 2.0),
    ]


@pytest.mark.parametrize("part", range(10))
def test_five_hundred_hostile_texts_stay_texts_in_every_static_view(part: int) -> None:
    texts = hostile(500)[part::10]
    for text in texts:
        check(generation(text)._repr_mimebundle_())
        check(still.bundle(record_of(text[:1000], [*events(text[:1000]), Sample(1, text, text, text)])))
        if len(text) > 10_000:  # no name of a run, and once is enough
            continue
        run = RunRecord(text, Path("nowhere"), state=text, metric_name=text, settings={"a": text})
        check(
            RunsView(
                Path("runs"), [run, RunRecord("b", Path("nowhere"), settings={"a": 1, text: 2})]
            )._repr_mimebundle_()
        )
    check(Generations(map(generation, texts))._repr_mimebundle_())
    rows = RawPairs.of([(text, text[::-1]) for text in texts])
    check(DataView.of(rows, None)._repr_mimebundle_())
    short = [Curve(name, [(0, 1), (1, 2)]) for name in texts if len(name) < 10_000]
    drawn = line_chart(short, title=texts[0], x_label=texts[0], y_label=texts[0], mark=(0.5, texts[0]))
    Checker().feed(figure(drawn, "short"))


def test_a_run_with_a_time_limit_plans_no_number_of_updates() -> None:
    timed = RunRecord("a", Path("nowhere"), state="time", step=2038)
    counted = RunRecord("b", Path("nowhere"), state="finished", step=302, steps=9000)
    head, *rows = RunsView(Path("runs"), [timed, counted]).rows()
    assert [row[head.index("updates")] for row in rows] == ["2,038", "302 of 9,000"]
    assert [_sort_key(row[head.index("updates")]) for row in rows] == [2038, 302]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=2000), st.booleans())
def test_a_curve_never_outgrows_its_limit_and_keeps_its_end(values: list[float], mean: bool) -> None:
    series = PointSeries(mean=mean, limit=20)
    for at, value in enumerate(values):
        series.add(at, value)
    assert len(series) <= 20
    points = series.points()
    assert points[-1][0] == len(values) - 1
    assert [x for x, _ in points] == sorted({x for x, _ in points})
    assert all(
        min(values) - 1 - 1e-4 * abs(min(values)) <= y <= max(values) + 1 + 1e-4 * abs(max(values)) for _, y in points
    )


def test_a_picture_of_a_long_training_is_small() -> None:
    many: list[Event] = [Started(10, 9, 1, 10**6, 100, "cpu", "fp32")]
    for at in range(1, 50_000):
        many.append(Step(at, 10**6, 1, 100, 2.0 + at % 7, 0.001, 100.0, 1.0, 4.0))
        many.append(Validation(at, at // 500, 1.5, "loss", 1.5, True, 1.0))
        many.append(Sample(at, "source", "target", f"output {at}" * 100))
    record = record_of("x", many)
    assert len(record.train) <= MAX_POINTS
    assert len(still.as_html(record)) < 60_000
    assert len(still.as_text(record)) < 2_000


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=200))
def test_bars_count_every_text_once(lengths: list[int]) -> None:
    found = bars(lengths)
    assert sum(count for *_, count in found) == len(lengths) and len(found) <= 25
    assert (found[0][0], found[-1][1]) == (min(lengths), max(lengths))
