"""Colours, axes with round numbers, and the SVG element of all charts."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = ("#2b7bba", "#d9730d", "#1a936f", "#a05fb0", "#b58900", "#c2456b", "#7f7f7f")
"""After Okabe and Ito (2008), darkened or lightened to have contrast on white and on black."""
DASHES = ("", "6 3", "2 2", "8 3 2 3", "12 3", "4 4", "1 3")
"""Curves differ in their dashes too, for readers who cannot tell the colours apart."""
INK = "#777"
"""Texts and axes: a picture does not know the theme around it, and this grey can be read on white and on black."""
WIDTH = 640


@dataclass(frozen=True)
class Chart:
    """A chart as a picture, and as words for those who do not see it.

    Attributes:
        svg: the picture; empty if there is nothing to show.
        description: what it shows, in a sentence or two.
        labels: the values at equal columns of ``area``, from left to right.
        area: what the columns cover: left, top, right, bottom, in fractions of the picture.
        min_width: in pixels; a narrower page scrolls, so that labels stay readable.
    """

    svg: str
    description: str
    labels: tuple[str, ...] = ()
    area: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    min_width: int = 440

    def __bool__(self) -> bool:
        return bool(self.svg)


@dataclass(frozen=True)
class AxisScale:
    """Maps values to pixels."""

    low: float
    high: float
    first: float
    last: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value; values outside the range are clipped to it."""
        low, high, position = map(self._transformed, (self.low, self.high, min(max(value, self.low), self.high)))
        share = (position - low) / (high - low) if high > low else 0.5
        return self.first + share * (self.last - self.first)

    def value(self, share: float) -> float:
        """The value at a fraction of the axis."""
        low, high = self._transformed(self.low), self._transformed(self.high)
        position = low + share * (high - low)
        return 10.0**position if self.logarithmic else position

    def _transformed(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value

    def ticks(self, count: int = 5, *, whole: bool = False) -> list[float]:
        """Round values to label, about ``count``; with ``whole``, whole numbers only."""
        if not self.logarithmic:
            return ticks(self.low, self.high, count, smallest=1.0 if whole else 0.0)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        every = max(1, math.ceil((last - first) / 6))
        for factors in ((1,), (1, 2, 5)):
            values = [factor * 10.0**power for power in range(first, last + 1, every) for factor in factors]
            inside = [value for value in values if self.low * (1 - 1e-9) <= value <= self.high * (1 + 1e-9)]
            if len(inside) > 2:
                return inside
        return inside if len(inside) > 1 else [self.low, self.high]


def ticks(low: float, high: float, count: int = 5, *, smallest: float = 0.0) -> list[float]:
    """Round values that cover the range, about ``count`` of them, at least ``smallest`` apart."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    size = 10.0 ** math.floor(math.log10(raw))
    step = max(smallest, next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw * 0.999))
    if smallest:  # a multiple of it
        step = math.ceil(step / smallest - 1e-9) * smallest
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


MANY_TIMES = 10.0
"""Positive values that differ by this factor are shown on a logarithmic axis."""


def is_wide(values: Sequence[float]) -> bool:
    """Whether finite values are positive and differ so much that a logarithmic axis shows them better."""
    return bool(values) and min(values) > 0 and max(values) >= MANY_TIMES * min(values)


def span(values: Sequence[float], *, logarithmic: bool = False) -> tuple[float, float]:
    """The range to show for finite values: from zero if that is near; the top two percent may be cut off."""
    ordered = sorted(values)
    low, high = ordered[0], ordered[min(len(ordered) - 1, math.ceil(len(ordered) * 0.98))]
    if logarithmic:
        return low * 0.9, max(low, high) * 1.1
    low = 0.0 if 0 <= low < 0.4 * high else low
    if high > low:
        return low, high + 0.05 * (high - low)
    margin = 0.1 * abs(low) or 0.5
    return low - margin, low + margin


def number(value: float) -> str:
    """A tick's label: ``0.002``, ``1e-05``, ``2,500``, ``20k``."""
    size = abs(value)
    if 10_000 <= size < 1e9:
        return f"{value / 1e6:g}M" if size >= 1e6 else f"{value / 1e3:g}k"
    return f"{value:,.6g}"


def text_width(text: str) -> float:
    """About how wide a text is in a chart, in pixels; East Asian characters are twice as wide as Latin ones."""
    return sum(12.5 if unicodedata.east_asian_width(character) in "WF" else 7.0 for character in text)


def picture(height: float, body: str) -> str:
    """A whole SVG picture, which needs nothing of the page around it.

    Args:
        height: in pixels at full width.
        body: SVG elements.
    """
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}" '
        f'font-family="system-ui,sans-serif" font-size="12" fill="{INK}">{body}</svg>'
    )
