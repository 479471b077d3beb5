"""Bars: one for each name, or for each range of a figure."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence

from nbtextgen.charts.scale import COLOURS, WIDTH, picture

NAMES, ROW = 150, 26
"""Room for the names, and the height of a row, in pixels."""
FEWEST = 12
"""A histogram of fewer ranges does not fill its width: one bar alone would look like nothing at all."""
TALL = 170
"""Height of a histogram, which stands beside another at half its size."""


def bar_chart(values: Mapping[str, float], *, title: str, show: Callable[[float], str] = "{:.2f}".format) -> str:
    """Horizontal bars, longest first as given; values are not negative."""
    rows, most = [], max([*values.values(), 1e-12])
    for at, (name, value) in enumerate(values.items()):
        y = 8 + ROW * at
        length = (WIDTH - NAMES - 110) * value / most
        rows.append(
            f'<text x="{NAMES}" y="{y + 14}" text-anchor="end">{html.escape(name)}</text>'
            f'<rect x="{NAMES + 10}" y="{y}" width="{length:.1f}" height="18" rx="2" fill="{COLOURS[0]}"/>'
            f'<text x="{NAMES + 16 + length:.1f}" y="{y + 14}">{html.escape(show(value))}</text>'
        )
    return picture(title, 16 + ROW * max(1, len(values)), "".join(rows))


def histogram(bins: Sequence[tuple[int, int, int]], *, title: str, of: str, unit: str, style: int = 0) -> str:
    """How many there are in each range, as upright bars; empty when there are none.

    Args:
        bins: ``(first, last, count)`` of each, all of one width.
        title: what the picture shows, for those who cannot see it.
        of: what is counted.
        unit: of the ranges.
        style: number of its colour.
    """
    if not bins:
        return ""
    most, each, foot = max(count for *_, count in bins), WIDTH / max(len(bins), FEWEST), TALL - 24
    drawn = []
    for at, (first, last, count) in enumerate(bins):
        high = (foot - 6) * count / max(1, most)
        said = f"{first:,}" if first == last else f"{first:,} to {last:,}"
        drawn.append(
            f'<rect x="{at * each:.1f}" y="{foot - high:.1f}" width="{max(1.0, each - 2):.1f}" height="{high:.1f}" '
            f'fill="{COLOURS[style]}"><title>{said} {unit}: {count:,} {of}</title></rect>'
        )
    ends = (
        f'<path d="M0 {foot}H{WIDTH}" stroke="currentColor" opacity=".5"/>'
        f'<g font-size="18"><text x="0" y="{TALL - 4}">{bins[0][0]:,}</text>'
        f'<text x="{WIDTH}" y="{TALL - 4}" text-anchor="end">{bins[-1][1]:,} {unit}</text></g>'
    )
    return picture(title, TALL, "".join(drawn) + ends, least=0)
