"""Bar charts and histograms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nbtextgen.charts.scale import COLOURS, INK, WIDTH, Chart, picture
from nbtextgen.core.escaping import escaped, pictured

NAMES, ROW = 150, 26
"""Width of the names and height of a row, in pixels."""
MIN_BINS = 12
"""A histogram of fewer bins does not fill its width: a single bar would not be recognized as one."""
MIN_LABELS = 260
"""Width of the labels of a histogram of few bins, in pixels."""
HISTOGRAM_HEIGHT = 170
"""In pixels; two histograms stand side by side at half their size."""


def bar_chart(values: Mapping[str, float], *, title: str, show: Callable[[float], str] = "{:.2f}".format) -> Chart:
    """Horizontal bars in the given order; values are not negative."""
    rows, largest = list[str](), max([*values.values(), 1e-12])
    for index, (name, value) in enumerate(values.items()):
        y = 8 + ROW * index
        length = (WIDTH - NAMES - 110) * value / largest
        rows.append(
            f'<text x="{NAMES}" y="{y + 14}" text-anchor="end">{escaped(name)}</text>'
            f'<rect x="{NAMES + 10}" y="{y}" width="{length:.1f}" height="18" rx="2" fill="{COLOURS[0]}"/>'
            f'<text x="{NAMES + 16 + length:.1f}" y="{y + 14}">{escaped(show(value))}</text>'
        )
    words = ", ".join(f"{pictured(name)} {show(value)}" for name, value in values.items())
    return Chart(picture(16 + ROW * max(1, len(values)), "".join(rows)), f"{pictured(title)}: {words}")


def histogram(bins: Sequence[tuple[int, int, int]], *, title: str, of: str, unit: str, style: int = 0) -> Chart | None:
    """Upright bars, one per bin; ``None`` if there are no bins.

    Args:
        bins: ``(first, last, count)`` of each, all of the same width.
        title: what is shown, for the description.
        of: what is counted.
        unit: unit of the bins.
        style: index of the colour.
    """
    if not bins:
        return None
    largest, width, foot = max(count for *_, count in bins), WIDTH / max(len(bins), MIN_BINS), HISTOGRAM_HEIGHT - 24
    bars, labels = list[str](), list[str]()
    for index, (first, last, count) in enumerate(bins):
        height = (foot - 6) * count / max(1, largest)
        bars.append(
            f'<rect x="{index * width:.1f}" y="{foot - height:.1f}" width="{max(1.0, width - 2):.1f}" '
            f'height="{height:.1f}" fill="{COLOURS[style]}"/>'
        )
        labels.append(f"{_range(first, last)} {unit}: {count:,} {of}")
    low, high, y = bins[0][0], bins[-1][1], HISTOGRAM_HEIGHT - 4
    if low == high:
        end_labels = f'<text x="0" y="{y}">{low:,} {unit}</text>'
    else:
        end = max(width * len(bins), MIN_LABELS)
        end_labels = (
            f'<text x="0" y="{y}">{low:,}</text><text x="{end:.0f}" y="{y}" text-anchor="end">{high:,} {unit}</text>'
        )
    ends = f'<path d="M0 {foot}H{WIDTH}" stroke="{INK}" opacity=".6"/><g font-size="18">{end_labels}</g>'
    first, last, count = max(bins, key=lambda each: each[2])
    words = f"{pictured(title)}: {bins[0][0]:,} to {bins[-1][1]:,} {unit}; most ({count:,}) have {_range(first, last)}"
    area = (0.0, 0.0, width * len(bins) / WIDTH, foot / HISTOGRAM_HEIGHT)
    return Chart(picture(HISTOGRAM_HEIGHT, "".join(bars) + ends), words, tuple(labels), area, min_width=0)


def _range(first: int, last: int) -> str:
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"
