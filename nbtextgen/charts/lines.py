"""Line charts: one plot, or several one above the other over the same horizontal axis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbtextgen.charts.scale import (
    COLOURS,
    DASHES,
    INK,
    WIDTH,
    AxisScale,
    Chart,
    is_wide,
    number,
    picture,
    span,
    text_width,
)
from nbtextgen.core.escaping import escaped, pictured

HEIGHT = 188
"""Height of a plot, in pixels."""
LEFT, RIGHT, TOP, GAP, FOOT = 72, 12, 22, 34, 40
"""Margins around the plots, the space between two of them, and that for the horizontal axis, in pixels."""
COLUMNS = 40
"""Columns of the chart that show their values on hover."""
MAX_DOTS = 60
"""Most points that are drawn as dots."""
MIN_LENGTH = 6
"""Pixels; a shorter curve would be invisible and is drawn as dots."""
MAX_NAME = 60
"""Most characters of a name in the legend."""
MAX_DESCRIBED = 8
"""Most curves that the description of a chart tells."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """One curve.

    Attributes:
        name: in the legend and on hover.
        points: ``(x, y)`` in order of x.
        faint: drawn thin and left out of the legend; grey if ``style`` is ``None``.
        style: index of colour and dashes; by default the index of the curve.
        dots: mark the points.
    """

    name: str
    points: Sequence[Point]
    faint: bool = False
    style: int | None = None
    dots: bool = False


@dataclass(frozen=True)
class Plot:
    """Curves with a vertical axis of their own.

    Attributes:
        lines: the curves.
        label: of the vertical axis, with the unit.
        height: in pixels.
        star: a point to mark as the best.
        wide: use a logarithmic axis if the values differ by a factor of ten or more.
        limits: ends of the vertical axis; by default those of the values.
    """

    lines: Sequence[Curve]
    label: str
    height: int = HEIGHT
    star: Point | None = None
    wide: bool = False
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class _Curve:
    """A curve with the points and the look that are drawn."""

    line: Curve
    points: list[Point]
    colour: str
    dash: str

    @classmethod
    def of(cls, index: int, line: Curve, logarithmic: bool) -> _Curve:
        style = (index if line.style is None else line.style) % len(COLOURS)
        grey = line.faint and line.style is None
        points = [
            (x, y) for x, y in line.points if math.isfinite(x) and math.isfinite(y) and (x > 0 or not logarithmic)
        ]
        return cls(line, points, INK if grey else COLOURS[style], "" if line.faint else DASHES[style])


def smoothed(points: Sequence[Point], weight: float = 0.8) -> list[Point]:
    """Exponential moving average, corrected for its start (Kingma & Ba 2015, sec. 3)."""
    mean, means = 0.0, list[Point]()
    for count, (x, y) in enumerate(points, 1):
        mean = weight * mean + (1 - weight) * y
        means.append((x, mean / (1 - weight**count)))
    return means


def line_chart(
    lines: Sequence[Curve],
    *,
    title: str,
    x_label: str,
    y_label: str,
    logarithmic: bool = False,
    mark: tuple[float, str] | None = None,
    star: Point | None = None,
    star_name: str = "best so far",
    whole: bool = False,
) -> Chart:
    """A chart of one plot; all names are escaped.

    Args:
        lines: curves; points that are not finite (or, on a logarithmic axis, not positive) are left out.
        title: what is shown, for the description.
        x_label, y_label: labels of the axes.
        logarithmic: whether the horizontal axis is logarithmic.
        mark: a horizontal value to mark, and its label.
        star, star_name: a point to mark as the best, and its name in the legend.
        whole: whether horizontal values are whole numbers.
    """
    marks = [] if mark is None else [mark]
    look = {"logarithmic": logarithmic, "whole": whole}
    part = Plot(lines, y_label, star=star)
    return plots([part], title=title, x_label=x_label, marks=marks, star_name=star_name, **look)


def plots(
    parts: Sequence[Plot],
    *,
    title: str,
    x_label: str,
    logarithmic: bool = False,
    whole: bool = False,
    marks: Sequence[tuple[float, str]] = (),
    star_name: str = "best so far",
) -> Chart:
    """Plots one above the other; those without points are left out.

    Args:
        parts: from top to bottom.
        title: what is shown, for the description.
        x_label: label of the horizontal axis.
        logarithmic: whether the horizontal axis is logarithmic.
        whole: whether horizontal values are whole numbers.
        marks: horizontal values to mark, with labels.
        star_name: name of the best point in the legend.
    """
    drawn = [(part, _curves(part, logarithmic)) for part in parts]
    drawn = [(part, curves) for part, curves in drawn if curves]
    if not drawn:
        nothing = f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">nothing to draw yet</text>'
        return Chart(picture(HEIGHT, nothing), f"{pictured(title)}: nothing to draw yet")
    everything = [curve for _, curves in drawn for curve in curves]
    xs = [x for curve in everything for x, _ in curve.points]
    across = AxisScale(min(xs), max(xs), LEFT, WIDTH - RIGHT, logarithmic)
    body, top = list[str](), TOP
    for part, curves in drawn:
        body.append(_plot(part, curves, across, top))
        top += part.height + GAP
    bottom = top - GAP
    body.append(_horizontal_axis(across, bottom, x_label, whole))
    body += [_mark(across(x), label, bottom) for x, label in marks if across.low <= x <= across.high]
    star = any(part.star is not None for part, _ in drawn)
    named = [curve for curve in everything if curve.line.name and not curve.line.faint]
    faint = [curve for curve in everything if curve.line.name and curve.line.faint]
    legend, rows = _legend([*named, *faint[:1]], star_name if star else "", bottom + FOOT)
    height = bottom + FOOT + 18 * rows
    return Chart(
        picture(height, "".join(body) + legend),
        _description(title, named, x_label, marks),
        tuple(_labels(named, across, x_label)),
        (LEFT / WIDTH, TOP / height, (WIDTH - RIGHT) / WIDTH, bottom / height),
    )


def _curves(part: Plot, logarithmic: bool) -> list[_Curve]:
    curves = [_Curve.of(index, line, logarithmic) for index, line in enumerate(part.lines)]
    return [curve for curve in curves if curve.points]


def _plot(part: Plot, curves: Sequence[_Curve], across: AxisScale, top: int) -> str:
    """A plot with its vertical axis, at a distance from the top of the picture."""
    ys, bottom = [y for curve in curves for _, y in curve.points], top + part.height
    wide = part.wide and is_wide(ys)
    low, high = part.limits or span(ys, logarithmic=wide)
    up = AxisScale(low, high, bottom, top, wide)
    body = [f'<path d="M{LEFT} {top}V{bottom}H{WIDTH - RIGHT}" fill="none" stroke="{INK}" opacity=".6"/>']
    for value in up.ticks(max(2, part.height // 40)):
        y = up(value)
        body.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{INK}" opacity=".2"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>'
        )
    body.append(f'<text x="4" y="{top - 10}">{escaped(part.label)}{", logarithmic" if wide else ""}</text>')
    body += [_curve(curve, across, up) for curve in curves]
    if part.star is not None:
        body.append(_star(across(part.star[0]), up(part.star[1])))
    return "".join(body)


def _horizontal_axis(across: AxisScale, bottom: float, label: str, whole: bool) -> str:
    parts = [
        f'<text x="{across(value):.1f}" y="{bottom + 16}" text-anchor="{_anchor(across(value))}">{number(value)}</text>'
        for value in across.ticks(6, whole=whole)
    ]
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{bottom + 33}" text-anchor="middle">{escaped(label)}</text>'
    )
    return "".join(parts)


def _anchor(x: float) -> str:
    """Where a label stands, so that the edge of the picture does not cut it."""
    return "end" if x > WIDTH - RIGHT - MIN_LENGTH else "middle"


def _curve(curve: _Curve, across: AxisScale, up: AxisScale) -> str:
    pixels = [(across(x), up(y)) for x, y in curve.points]
    look = 'stroke-width="1" opacity=".35"' if curve.line.faint else 'stroke-width="2"'
    dash = f' stroke-dasharray="{curve.dash}"' if curve.dash else ""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in pixels)
    drawn = f'<polyline points="{path}" fill="none" stroke="{curve.colour}" {look}{dash} stroke-linejoin="round"/>'
    if math.dist(pixels[0], pixels[-1]) < MIN_LENGTH or (curve.line.dots and len(pixels) <= MAX_DOTS):
        dots = (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{curve.colour}"/>' for x, y in pixels)
        drawn += "".join(dots)
    return drawn


def _mark(x: float, label: str, bottom: float) -> str:
    anchor, shift = ("end", -6) if x > WIDTH * 0.7 else ("start", 6)
    return (
        f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="{COLOURS[3]}" stroke-width="1.5" stroke-dasharray="4 3"/>'
        f'<text x="{x + shift:.1f}" y="{TOP + 12}" text-anchor="{anchor}">{escaped(label)}</text>'
    )


def _star(x: float, y: float) -> str:
    tips = list[str]()
    for tip in range(10):
        radius, angle = (7.5 if tip % 2 == 0 else 3.2), math.pi * (tip / 5 - 0.5)
        tips.append(f"{x + radius * math.cos(angle):.1f},{y + radius * math.sin(angle):.1f}")
    return f'<polygon points="{" ".join(tips)}" fill="{COLOURS[2]}" stroke="{INK}" stroke-width=".6"/>'


def _labels(curves: Sequence[_Curve], across: AxisScale, x_label: str) -> Iterator[str]:
    """The values at each column of the chart."""
    for column in range(COLUMNS if curves else 0):
        x = across.value((column + 0.5) / COLUMNS)
        near = [(curve.line.name, min(curve.points, key=lambda point: abs(point[0] - x))) for curve in curves]
        lines = [f"{x_label} {number(near[0][1][0])}", *(f"{name} {point[1]:.4g}" for name, point in near)]
        yield "\n".join(map(pictured, lines))


def _legend(curves: Sequence[_Curve], star: str, top: float) -> tuple[str, int]:
    """Samples and names of the curves in rows, the first of the faint ones for all of them, and the number of rows."""
    entries = [
        (
            f'<path d="M0 -4h22" stroke="{curve.colour}" stroke-width="2" stroke-dasharray="{curve.dash or "none"}" '
            f'opacity="{0.35 if curve.line.faint else 1}"/>',
            pictured(_shortened(curve.line.name)),
        )
        for curve in curves
    ]
    if star:
        entries.append((f'<text x="6" fill="{COLOURS[2]}">\u2605</text>', star))
    if len(entries) < 2:
        return "", 0
    parts, x, row = list[str](), float(LEFT), 0
    for sample, name in entries:
        width = 50 + text_width(name)
        if x > LEFT and x + width > WIDTH:
            x, row = float(LEFT), row + 1
        shift = f"translate({x:g} {top + 12 + 18 * row})"
        parts.append(f'<g transform="{shift}">{sample}<text x="28">{escaped(name)}</text></g>')
        x += width
    return "".join(parts), row + 1


def _description(title: str, curves: Sequence[_Curve], x_label: str, marks: Sequence[tuple[float, str]]) -> str:
    """The chart in words: where each curve begins and ends."""
    words = [
        f"{_shortened(curve.line.name)} {curve.points[0][1]:.4g} at {x_label} {number(curve.points[0][0])}, "
        f"{curve.points[-1][1]:.4g} at {number(curve.points[-1][0])}"
        for curve in curves[:MAX_DESCRIBED]
    ]
    words += [f"{label} at {number(x)}" for x, label in marks]
    more = [f"and {len(curves) - MAX_DESCRIBED} more"] if len(curves) > MAX_DESCRIBED else []
    return pictured(f"{title}: {'; '.join([*words, *more])}" if words else title)


def _shortened(name: str) -> str:
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "\u2026"
