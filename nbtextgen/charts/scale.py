"""Colours, axes with round numbers, and the SVG element of all charts."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = ("#2b7bba", "#d9730d", "#1a936f", "#a05fb0", "#b58900", "#c2456b", "#7f7f7f")
"""After Okabe and Ito (2008), darkened or lightened to have contrast on white and on black."""
DASHES = ("", "6 3", "2 2", "8 3 2 3", "12 3", "4 4", "1 3")
"""Curves differ in their dashes too, for readers who cannot tell the colours apart."""
WIDTH = 640


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

    def ticks(self, count: int = 5) -> list[float]:
        """Round values to label, about ``count``."""
        if not self.logarithmic:
            return ticks(self.low, self.high, count)
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        every = max(1, math.ceil((last - first) / 6))
        decades = [10.0**power for power in range(first, last + 1, every)]
        return decades if len(decades) > 1 else [self.low, self.high]


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values that cover the range, about ``count`` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def span(values: Sequence[float]) -> tuple[float, float]:
    """The range to show for finite values: from zero if that is near; the top two percent may be cut off."""
    ordered = sorted(values)
    low, high = ordered[0], ordered[min(len(ordered) - 1, math.ceil(len(ordered) * 0.98))]
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


def picture(title: str, height: float, body: str, min_width: int = 440) -> str:
    """An SVG element that shrinks with the page.

    Args:
        title: description for screen readers.
        height: in pixels at full width.
        body: SVG elements.
        min_width: in pixels; a narrower page scrolls, so that labels stay readable.
    """
    label = html.escape(title, quote=True)
    return (
        # The classes keep MathJax 3 and 2 out.
        f'<svg xmlns="http://www.w3.org/2000/svg" class="mathjax_ignore tex2jax_ignore" viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{label}" '
        f'style="display:block;width:100%;min-width:{min_width}px;max-width:{WIDTH}px;height:auto;color:inherit;font:12px system-ui,sans-serif" '
        f'fill="currentColor">{body}</svg>'
    )
