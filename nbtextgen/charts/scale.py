"""What all charts share: colours, places for values, round numbers on the axes, and the frame of a picture."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = ("#2b7bba", "#d9730d", "#1a936f", "#a05fb0", "#b58900", "#c2456b", "#7f7f7f")
"""After Okabe and Ito (2008), darkened or lightened to have contrast on white and on black."""
DASHES = ("", "6 3", "2 2", "8 3 2 3", "12 3", "4 4", "1 3")
"""Lines also differ in these, for those who cannot tell the colours apart."""
WIDTH = 640


@dataclass(frozen=True)
class AxisScale:
    """From values to pixels."""

    low: float
    high: float
    first: float
    last: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Where a value stands; one outside of the range stands at its end."""
        low, high, at = map(self._place, (self.low, self.high, min(max(value, self.low), self.high)))
        share = (at - low) / (high - low) if high > low else 0.5
        return self.first + share * (self.last - self.first)

    def value(self, share: float) -> float:
        """The value at a share of the way."""
        low, high = self._place(self.low), self._place(self.high)
        at = low + share * (high - low)
        return 10.0**at if self.logarithmic else at

    def _place(self, value: float) -> float:
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
    return [at * step for at in range(first, math.floor(high / step + 1e-9) + 1)]


def span(values: Sequence[float]) -> tuple[float, float]:
    """The range to show: from zero when that is near; the top two of a hundred may be cut off.

    Args:
        values: finite, at least one.
    """
    ordered = sorted(values)
    low, high = ordered[0], ordered[min(len(ordered) - 1, math.ceil(len(ordered) * 0.98))]
    low = 0.0 if 0 <= low < 0.4 * high else low
    if high > low:
        return low, high + 0.05 * (high - low)
    room = 0.1 * abs(low) or 0.5
    return low - room, low + room


def number(value: float) -> str:
    """A tick's label: ``0.002``, ``1e-05``, ``2,500``, ``20k``."""
    size = abs(value)
    if 10_000 <= size < 1e9:
        return f"{value / 1e6:g}M" if size >= 1e6 else f"{value / 1e3:g}k"
    return f"{value:,.6g}"


def picture(title: str, height: float, body: str, least: int = 440) -> str:
    """An SVG element that shrinks with the page.

    Args:
        title: for those who cannot see it.
        height: in pixels at full width.
        body: its parts.
        least: width in pixels below which it scrolls rather than shrinks, so that its letters can be read.
    """
    said = html.escape(title, quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{said}" '
        f'style="display:block;width:100%;min-width:{least}px;max-width:{WIDTH}px;height:auto;color:inherit;font:12px system-ui,sans-serif" '
        f'fill="currentColor">{body}</svg>'
    )
