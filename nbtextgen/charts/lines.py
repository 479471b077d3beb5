"""Line charts."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbtextgen.charts.scale import COLOURS, DASHES, WIDTH, AxisScale, number, picture, span
from nbtextgen.core.escaping import escaped, pictured

HEIGHT = 240
LEFT, RIGHT, TOP, BOTTOM = 72, 12, 12, 40
COLUMNS = 40
"""Columns of the chart that show their values on hover."""
MAX_DOTS = 60
"""Most points that are drawn as dots."""
MIN_LENGTH = 6
"""Pixels; a shorter curve would be invisible and is drawn as dots."""
MAX_NAME = 60
"""Most characters of a name in the legend."""

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
        return cls(line, points, "currentColor" if grey else COLOURS[style], "" if line.faint else DASHES[style])


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
) -> str:
    """Curves as SVG; all names are escaped.

    Args:
        lines: curves; points that are not finite (or, on a logarithmic axis, not positive) are left out.
        title: description for screen readers.
        x_label, y_label: labels of the axes.
        logarithmic: whether the horizontal axis is logarithmic.
        mark: a horizontal value to mark, and its label.
        star: a point to mark as the best so far.
    """
    curves = [_Curve.of(index, line, logarithmic) for index, line in enumerate(lines)]
    curves = [curve for curve in curves if curve.points]
    if not curves:
        nothing = f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">nothing to draw yet</text>'
        return picture(pictured(title), HEIGHT, nothing)
    xs = [x for curve in curves for x, _ in curve.points]
    low, high = span([y for curve in curves for _, y in curve.points])
    across = AxisScale(min(xs), max(xs), LEFT, WIDTH - RIGHT, logarithmic)
    up = AxisScale(low, high, HEIGHT - BOTTOM, TOP)
    parts = [_axes(across, up, x_label, y_label), *_hovers(curves, across, x_label)]
    parts += [_curve(curve, across, up) for curve in curves]
    if mark is not None and across.low <= mark[0] <= across.high:
        parts.append(_mark(across(mark[0]), mark[1]))
    if star is not None:
        parts.append(_star(across(star[0]), up(star[1])))
    legend, rows = _legend([curve for curve in curves if curve.line.name and not curve.line.faint], star is not None)
    return picture(pictured(title), HEIGHT + 18 * rows, "".join(parts) + legend)


def _axes(across: AxisScale, up: AxisScale, x_label: str, y_label: str) -> str:
    bottom, middle = HEIGHT - BOTTOM, (TOP + HEIGHT - BOTTOM) / 2
    parts = [f'<path d="M{LEFT} {TOP}V{bottom}H{WIDTH - RIGHT}" fill="none" stroke="currentColor" opacity=".5"/>']
    for value in across.ticks(6):
        parts.append(f'<text x="{across(value):.1f}" y="{bottom + 16}" text-anchor="middle">{number(value)}</text>')
    for value in up.ticks():
        y = up(value)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="currentColor" opacity=".15"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>'
        )
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{bottom + 33}" text-anchor="middle">{escaped(x_label)}</text>'
        f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">{escaped(y_label)}</text>'
    )
    return "".join(parts)


def _curve(curve: _Curve, across: AxisScale, up: AxisScale) -> str:
    pixels = [(across(x), up(y)) for x, y in curve.points]
    title = f"<title>{escaped(curve.line.name)}</title>" if curve.line.name else ""
    look = 'stroke-width="1" opacity=".35"' if curve.line.faint else 'stroke-width="2"'
    dash = f' stroke-dasharray="{curve.dash}"' if curve.dash else ""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in pixels)
    drawn = f'<polyline points="{path}" fill="none" stroke="{curve.colour}" {look}{dash} stroke-linejoin="round"/>'
    if math.dist(pixels[0], pixels[-1]) < MIN_LENGTH or (curve.line.dots and len(pixels) <= MAX_DOTS):
        dots = (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{curve.colour}"/>' for x, y in pixels)
        drawn += "".join(dots)
    return f"<g>{title}{drawn}</g>"


def _mark(x: float, label: str) -> str:
    anchor, shift = ("end", -6) if x > WIDTH * 0.7 else ("start", 6)
    return (
        f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="{COLOURS[1]}" stroke-width="2" stroke-dasharray="4 3"/>'
        f'<text x="{x + shift:.1f}" y="{TOP + 10}" text-anchor="{anchor}">{escaped(label)}</text>'
    )


def _star(x: float, y: float) -> str:
    tips = list[str]()
    for tip in range(10):
        radius, angle = (7.5 if tip % 2 == 0 else 3.2), math.pi * (tip / 5 - 0.5)
        tips.append(f"{x + radius * math.cos(angle):.1f},{y + radius * math.sin(angle):.1f}")
    return f'<polygon points="{" ".join(tips)}" fill="{COLOURS[2]}" stroke="currentColor" stroke-width=".6"/>'


def _hovers(curves: Sequence[_Curve], across: AxisScale, x_label: str) -> Iterator[str]:
    """Invisible columns behind the curves whose tooltips show the values there."""
    shown = [curve for curve in curves if not curve.line.faint]
    width = (across.last - across.first) / COLUMNS
    for column in range(COLUMNS if shown else 0):
        x = across.value((column + 0.5) / COLUMNS)
        near = [(curve.line.name, min(curve.points, key=lambda point: abs(point[0] - x))) for curve in shown]
        label = [f"{x_label} {number(near[0][1][0])}", *(f"{pictured(name)} {point[1]:.4g}" for name, point in near)]
        yield (
            f'<rect x="{across.first + column * width:.1f}" y="{TOP}" width="{width:.1f}" height="{HEIGHT - TOP - BOTTOM}" '
            f'fill="transparent"><title>{html.escape(chr(10).join(label))}</title></rect>'
        )


def _legend(curves: Sequence[_Curve], star: bool) -> tuple[str, int]:
    """Samples and names of the curves in rows, and the number of rows."""
    entries = [
        (
            f'<path d="M0 -4h22" stroke="{curve.colour}" stroke-width="2" stroke-dasharray="{curve.dash or "none"}"/>',
            pictured(_shortened(curve.line.name)),
        )
        for curve in curves
    ]
    if star:
        entries.append((f'<text x="6" fill="{COLOURS[2]}">\u2605</text>', "best so far"))
    if len(entries) < 2:
        return "", 0
    parts, x, row = list[str](), LEFT, 0
    for sample, name in entries:
        width = 50 + 7 * len(name)
        if x > LEFT and x + width > WIDTH:
            x, row = LEFT, row + 1
        shift = f"translate({x} {HEIGHT + 12 + 18 * row})"
        parts.append(f'<g transform="{shift}">{sample}<text x="28">{escaped(name)}</text></g>')
        x += width
    return "".join(parts), row + 1


def _shortened(name: str) -> str:
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "\u2026"
