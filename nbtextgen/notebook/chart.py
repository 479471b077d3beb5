"""A line chart as inline SVG: no script, readable on light and dark ground, values on hover by ``<title>``."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from nbtextgen.visible import pictured, visible

COLORS = ("#2b7bba", "#d9730d", "#1a936f", "#a05fb0", "#b58900", "#c2456b")
"""After Okabe and Ito (2008), darkened or lightened to have contrast on white and on black."""
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 10, 30

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One curve: its name in the legend, its points in order of x, and how it is drawn."""

    name: str
    points: Sequence[Point]
    color: str
    dashed: bool = False
    faint: bool = False
    dots: bool = False


def smoothed(points: Sequence[Point], weight: float = 0.8) -> list[Point]:
    """Exponential moving average, corrected for its start (Kingma & Ba 2015, sec. 3)."""
    mean, found = 0.0, []
    for count, (x, y) in enumerate(points, 1):
        mean = weight * mean + (1 - weight) * y
        found.append((x, mean / (1 - weight**count)))
    return found


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values that cover the range, about ``count`` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [at * step for at in range(first, math.floor(high / step + 1e-9) + 1)]


def chart(
    lines: Sequence[Line], *, x_name: str, y_name: str, star: Point | None = None, width: int = 680, height: int = 230
) -> str:
    """An SVG picture of curves over a common x.

    Args:
        lines: what to draw; names are escaped.
        x_name, y_name: names of the axes.
        star: a point to mark as the best.
        width, height: of the picture, in its own units; it shrinks with the page.
    """
    shown = [line for line in lines if line.points]
    if not shown:
        return ""
    xs = [x for line in shown for x, _ in line.points]
    low, high = _span([y for line in shown for _, y in line.points])
    frame = _Frame(min(xs), max(max(xs), min(xs) + 1e-9), low, high, width, height)
    parts = [_axes(frame, x_name, y_name)]
    parts += [_curve(frame, line) for line in shown]
    if star is not None:
        parts.append(_star(frame, star))
    parts.append(_hovers(frame, shown, x_name))
    names = ", ".join(line.name for line in shown if not line.faint)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{visible(f"{y_name} by {x_name}: {names}")}" '
        f'style="width:100%;max-width:{width}px;height:auto;font:11px system-ui,sans-serif;color:inherit">'
        f"{''.join(parts)}</svg>{_legend(shown, star is not None)}"
    )


@dataclass(frozen=True)
class _Frame:
    """From values to places in the picture."""

    x0: float
    x1: float
    y0: float
    y1: float
    width: int
    height: int

    def x(self, value: float) -> float:
        return LEFT + (value - self.x0) / (self.x1 - self.x0) * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        inside = min(max(value, self.y0), self.y1)
        return TOP + (self.y1 - inside) / (self.y1 - self.y0) * (self.height - TOP - BOTTOM)


def _span(values: Sequence[float]) -> tuple[float, float]:
    """The range to show: from zero when that is near; the top two of a hundred may be cut off."""
    ordered = sorted(value for value in values if math.isfinite(value))
    if not ordered:
        return 0.0, 1.0
    low, high = ordered[0], ordered[min(len(ordered) - 1, math.ceil(len(ordered) * 0.98))]
    low = 0.0 if 0 <= low < 0.4 * high else low
    return (low, high + 0.05 * (high - low)) if high > low else (low - 0.5, low + 0.5)


def _axes(frame: _Frame, x_name: str, y_name: str) -> str:
    bottom, right = frame.height - BOTTOM, frame.width - RIGHT
    parts = []
    for value in ticks(frame.y0, frame.y1):
        y = frame.y(value)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="currentColor" stroke-opacity=".15"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="currentColor">{value:g}</text>')
    for value in ticks(frame.x0, frame.x1, 6):
        parts.append(
            f'<text x="{frame.x(value):.1f}" y="{bottom + 15}" text-anchor="middle" fill="currentColor">{value:,g}</text>'
        )
    parts.append(f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="currentColor" stroke-opacity=".5"/>')
    parts.append(
        f'<text x="{right}" y="{frame.height - 3}" text-anchor="end" fill="currentColor" opacity=".75">'
        f"{html.escape(x_name)}</text>"
        f'<text x="12" y="{(TOP + bottom) / 2}" text-anchor="middle" fill="currentColor" opacity=".75" '
        f'transform="rotate(-90 12 {(TOP + bottom) / 2})">{html.escape(y_name)}</text>'
    )
    return "".join(parts)


def _curve(frame: _Frame, line: Line) -> str:
    places = [(frame.x(x), frame.y(y)) for x, y in line.points if math.isfinite(y)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dash = ' stroke-dasharray="6 3"' if line.dashed else ""
    look = 'stroke-width="1" stroke-opacity=".3"' if line.faint else 'stroke-width="2"'
    drawn = f'<polyline points="{path}" fill="none" stroke="{line.color}" {look}{dash} stroke-linejoin="round"/>'
    if line.dots and len(places) <= 60:
        drawn += "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{line.color}"/>' for x, y in places)
    return drawn


def _star(frame: _Frame, point: Point) -> str:
    x, y = frame.x(point[0]), frame.y(point[1])
    tips = []
    for at in range(10):
        radius, angle = (7.5 if at % 2 == 0 else 3.2), math.pi * (at / 5 - 0.5)
        tips.append(f"{x + radius * math.cos(angle):.1f},{y + radius * math.sin(angle):.1f}")
    return f'<polygon points="{" ".join(tips)}" fill="{COLORS[2]}" stroke="currentColor" stroke-width=".6"/>'


def _hovers(frame: _Frame, lines: Sequence[Line], x_name: str, columns: int = 40) -> str:
    """Invisible columns whose tooltips tell the values there."""
    found = []
    wide = (frame.x1 - frame.x0) / columns
    for at in range(columns):
        x = frame.x0 + (at + 0.5) * wide
        near = {line.name: min(line.points, key=lambda point: abs(point[0] - x)) for line in lines if not line.faint}
        said = "\n".join([f"{x_name} {x:,.0f}", *(f"{pictured(name)} {point[1]:.4g}" for name, point in near.items())])
        left = frame.x(frame.x0 + at * wide)
        found.append(
            f'<rect x="{left:.1f}" y="{TOP}" width="{frame.x(frame.x0 + wide) - LEFT:.1f}" '
            f'height="{frame.height - TOP - BOTTOM}" fill="transparent"><title>{html.escape(said)}</title></rect>'
        )
    return "".join(found)


def _legend(lines: Sequence[Line], star: bool) -> str:
    """Names of the curves, each after a piece of its line."""
    entries = []
    for line in lines:
        if not line.faint:
            style = "dashed" if line.dashed else "solid"
            entries.append(
                f'<span style="white-space:nowrap;margin-right:1.2em"><span style="display:inline-block;width:22px;'
                f'border-top:2px {style} {line.color};vertical-align:middle;margin-right:.4em"></span>'
                f"{visible(line.name)}</span>"
            )
    if star:
        entries.append(
            f'<span style="white-space:nowrap"><span style="color:{COLORS[2]}">&#9733;</span> best so far</span>'
        )
    return f'<div style="font-size:12px">{"".join(entries)}</div>'
