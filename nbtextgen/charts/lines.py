"""Small charts as SVG text: they need no library and no script, and follow the light or dark theme around them."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f7f7f")
"""Okabe & Ito's palette, told apart by the colour-blind; lines also differ in their dashes."""
DASHES = ("", "6 3", "2 2", "8 3 2 3", "12 3", "4 4", "1 3")
WIDTH, HEIGHT = 560, 240
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 14, 44


@dataclass(frozen=True)
class Line:
    """One curve: its name, its points ``(x, y)``, and whether it stands back behind the others."""

    name: str
    points: Sequence[tuple[float, float]]
    faint: bool = False


@dataclass(frozen=True)
class _Scale:
    """From values to pixels."""

    low: float
    high: float
    first: float
    last: float
    logarithmic: bool

    def __call__(self, value: float) -> float:
        low, high, value = (
            (math.log10(one) for one in (self.low, self.high, value))
            if self.logarithmic
            else (
                self.low,
                self.high,
                value,
            )
        )
        share = (value - low) / (high - low) if high > low else 0.5
        return self.first + share * (self.last - self.first)

    def ticks(self) -> list[float]:
        """Round values to label, about five."""
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            every = max(1, math.ceil((last - first) / 6))
            decades = [10.0**power for power in range(first, last + 1, every)]
            return decades if len(decades) > 1 else [self.low, self.high]
        span = self.high - self.low or 1.0
        rough = span / 4
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [step * at for at in range(first, math.floor(self.high / step + 1e-9) + 1)]


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str,
    y_label: str,
    logarithmic: bool = False,
    mark: tuple[float, str] | None = None,
) -> str:
    """Curves over a common axis.

    Args:
        lines: curves; points that are not finite (or, on a logarithmic axis, not positive) are left out.
        title: what the picture shows, for those who cannot see it.
        x_label, y_label: under and beside the axes.
        logarithmic: whether the horizontal axis is.
        mark: a horizontal value to mark, and its label.
    """
    kept = [(line, [(x, y) for x, y in line.points if _drawable(x, y, logarithmic)]) for line in lines]
    points = [point for _, some in kept for point in some]
    if not points:
        return _svg(
            title, HEIGHT, f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">nothing to draw yet</text>'
        )
    across = _scale([x for x, _ in points], LEFT, WIDTH - RIGHT, logarithmic)
    up = _scale([y for _, y in points], HEIGHT - BOTTOM, TOP, False, margin=0.05)
    parts = [_axes(across, up, x_label, y_label)]
    for number, (line, some) in enumerate(kept):
        if some:
            parts.append(_curve(number, line, [(across(x), up(y)) for x, y in some]))
    if mark is not None and across.low <= mark[0] <= across.high:
        parts.append(_mark(across(mark[0]), mark[1]))
    named = [line for line, _ in kept if line.name and not line.faint]
    return _svg(
        title, HEIGHT + (18 if len(named) > 1 else 0), "".join(parts) + (_legend(kept) if len(named) > 1 else "")
    )


def bar_chart(values: Mapping[str, float], *, title: str, show: Callable[[float], str] = "{:.2f}".format) -> str:
    """Horizontal bars, longest first as given; values are not negative."""
    rows, most = [], max([*values.values(), 1e-12])
    for number, (name, value) in enumerate(values.items()):
        y = 8 + 26 * number
        length = (WIDTH - 260) * value / most
        rows.append(
            f'<text x="150" y="{y + 14}" text-anchor="end">{html.escape(name)}</text>'
            f'<rect x="160" y="{y}" width="{length:.1f}" height="18" rx="2" fill="{COLOURS[0]}"/>'
            f'<text x="{166 + length:.1f}" y="{y + 14}">{html.escape(show(value))}</text>'
        )
    return _svg(title, 16 + 26 * max(1, len(values)), "".join(rows))


def _drawable(x: float, y: float, logarithmic: bool) -> bool:
    return math.isfinite(x) and math.isfinite(y) and (x > 0 or not logarithmic)


def _scale(values: Sequence[float], first: float, last: float, logarithmic: bool, margin: float = 0.0) -> _Scale:
    low, high = min(values), max(values)
    pad = margin * (high - low)
    if low == high and not logarithmic:
        pad = abs(low) * 0.1 or 1.0
    return _Scale(low - pad, high + pad, first, last, logarithmic)


def _axes(across: _Scale, up: _Scale, x_label: str, y_label: str) -> str:
    bottom, middle = HEIGHT - BOTTOM, (TOP + HEIGHT - BOTTOM) / 2
    parts = [f'<path d="M{LEFT} {TOP}V{bottom}H{WIDTH - RIGHT}" fill="none" stroke="currentColor" opacity=".6"/>']
    for value in across.ticks():
        parts.append(f'<text x="{across(value):.1f}" y="{bottom + 16}" text-anchor="middle">{_number(value)}</text>')
    for value in up.ticks():
        y = up(value)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="currentColor" opacity=".15"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>'
        )
    parts.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{bottom + 34}" text-anchor="middle">{html.escape(x_label)}</text>')
    parts.append(
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">{html.escape(y_label)}</text>'
    )
    return "".join(parts)


def _curve(number: int, line: Line, points: Sequence[tuple[float, float]]) -> str:
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    style = (
        'stroke="currentColor" opacity=".25"'
        if line.faint
        else f'stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="2" stroke-dasharray="{DASHES[number % len(DASHES)]}"'
    )
    name = f"<title>{html.escape(line.name)}</title>" if line.name else ""
    if len(points) == 1:
        x, y = points[0]
        fill = "currentColor" if line.faint else COLOURS[number % len(COLOURS)]
        return f'<g opacity="{0.4 if line.faint else 1}"><circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{fill}"/>{name}</g>'
    return f'<g>{name}<path d="{path}" fill="none" stroke-linejoin="round" {style}/></g>'


def _mark(x: float, label: str) -> str:
    anchor = "end" if x > WIDTH * 0.7 else "start"
    shift = -6 if anchor == "end" else 6
    return (
        f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="{COLOURS[1]}" stroke-width="2" stroke-dasharray="4 3"/>'
        f'<text x="{x + shift:.1f}" y="{TOP + 10}" text-anchor="{anchor}">{html.escape(label)}</text>'
    )


def _legend(kept: Sequence[tuple[Line, object]]) -> str:
    parts, x = [], float(LEFT)
    for number, (line, _) in enumerate(kept):
        if line.name and not line.faint:
            parts.append(
                f'<path d="M{x:.0f} {HEIGHT + 4}h22" stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="2" '
                f'stroke-dasharray="{DASHES[number % len(DASHES)]}"/>'
                f'<text x="{x + 27:.0f}" y="{HEIGHT + 8}">{html.escape(line.name)}</text>'
            )
            x += 44 + 7 * len(line.name)
    return "".join(parts)


def _number(value: float) -> str:
    """A tick's label: ``0.002``, ``1e-05``, ``20k``."""
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:.3g}"


def _svg(title: str, height: float, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{html.escape(title, quote=True)}" font-family="sans-serif" font-size="12" fill="currentColor" '
        f'style="width:100%;max-width:{WIDTH}px;height:auto"><title>{html.escape(title)}</title>{body}</svg>'
    )
