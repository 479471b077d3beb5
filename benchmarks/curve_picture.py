"""The picture of the learning curves that curves.py measures: SVG, one panel for each task and number of threads."""

from __future__ import annotations

import html
import math
from pathlib import Path

NAMES = {
    "nbtextgen": "nbtextgen",
    "previous": "nbtextgen 0.1 (74952f1)",
    "onmt-rnn": "OpenNMT-py RNN",
    "onmt-transformer": "OpenNMT-py Transformer",
    "joeynmt-rnn": "JoeyNMT RNN",
    "joeynmt-transformer": "JoeyNMT Transformer",
}
COLOURS = ("#2b7bba", "#7f7f7f", "#d9730d", "#1a936f", "#a05fb0", "#c2456b")
"""After Okabe and Ito (2008), with contrast on white and on black."""
DASHES = ("", "2 2", "6 3", "8 3 2 3", "12 3", "4 4")
TITLES = {
    "multi30k": "Multi30k en-de, val: BLEU, beam 5",
    "descriptions": "Descriptions en-de: BLEU, beam 5",
    "dates": "Built-in dates: exact match, %",
    "g2p": "G2P, mean of languages: word error rate, %",
    "cmudict": "CMUdict: word error rate, %",
    "synopsis": "Debian synopses: ROUGE-L",
}
STYLE = "text{fill:#222}.axis{stroke:#222}@media(prefers-color-scheme:dark){text{fill:#ddd}.axis{stroke:#ddd}}"
WIDE, HIGH, LEFT, TOP, BOTTOM = 460, 300, 46, 30, 40

Curves = dict[str, list[tuple[float, float]]]
"""Points (minutes, score) of each program."""


def panel(title: str, curves: Curves) -> str:
    """One chart with a logarithmic time axis, as SVG elements."""
    points = [point for curve in curves.values() for point in curve]
    first, last = math.log2(min(x for x, _ in points)), math.log2(max(x for x, _ in points))
    first, last = (first, last) if last > first else (first - 1, last + 1)
    low, high = min(y for _, y in points), max(y for _, y in points)
    low = 0.0 if low < 0.5 * high else low
    high = high + 0.05 * (high - low or 1)
    size = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor * 5 >= high - low)

    def across(minutes: float) -> float:
        return LEFT + (WIDE - LEFT - 12) * (math.log2(minutes) - first) / (last - first)

    def up(score: float) -> float:
        return HIGH - BOTTOM - (HIGH - BOTTOM - TOP) * (score - low) / (high - low)

    parts = [
        f'<text x="{LEFT}" y="18" font-weight="bold">{html.escape(title)}</text>',
        f'<path class="axis" d="M{LEFT} {TOP}V{HIGH - BOTTOM}H{WIDE - 12}" fill="none" opacity=".6"/>',
        f'<text x="{(WIDE + LEFT) / 2}" y="{HIGH - 6}" text-anchor="middle">minutes of training</text>',
    ]
    for power in range(math.floor(first), math.ceil(last) + 1):
        if first - 0.1 <= power <= last + 0.1:
            x = across(2.0**power)
            parts.append(f'<text x="{x:.1f}" y="{HIGH - BOTTOM + 16}" text-anchor="middle">{2.0**power:g}</text>')
    for count in range(math.ceil(low / step), math.floor(high / step) + 1):
        y = up(count * step)
        parts.append(
            f'<path class="axis" d="M{LEFT} {y:.1f}H{WIDE - 12}" opacity=".15"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{count * step:g}</text>'
        )
    for program, curve in curves.items():
        colour, dash = look_of(program)
        places = [(across(x), up(y)) for x, y in sorted(curve)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places)
        parts.append(
            f"<g><title>{html.escape(NAMES[program])}</title>"
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>{dots}</g>'
        )
    return "".join(parts)


def look_of(program: str) -> tuple[str, str]:
    """Colour and dash attribute of a program's line."""
    index = list(NAMES).index(program)
    return COLOURS[index], f' stroke-dasharray="{DASHES[index]}"' if DASHES[index] else ""


def draw(charts: dict[tuple[str, int], Curves], names: dict[str, str], path: Path) -> None:
    """Write one SVG picture: a panel for each task and number of threads, two in a row, and a legend of the names."""
    if not charts:
        raise SystemExit("There are no measurements to draw.")
    tasks = list(TITLES)
    keys = sorted(charts, key=lambda key: (tasks.index(key[0]), key[1]))
    parts = []
    for index, (task, threads) in enumerate(keys):
        title = f"{TITLES[task]}, {threads} thread{'s' * (threads > 1)}"
        place = f"translate({index % 2 * WIDE} {index // 2 * HIGH})"
        parts.append(f'<g transform="{place}">{panel(title, charts[task, threads])}</g>')
    width, height = WIDE * min(2, len(keys)), HIGH * math.ceil(len(keys) / 2)
    x, y = LEFT, height + 16
    for program in NAMES:
        if any(program in curves for curves in charts.values()):
            colour, dash = look_of(program)
            name = names[program]
            wide = 44 + 7 * len(name)
            if x + wide > width and x > LEFT:
                x, y = LEFT, y + 18
            parts.append(
                f'<path d="M{x} {y - 4}h24" stroke="{colour}" stroke-width="2"{dash}/>'
                f'<text x="{x + 30}" y="{y}">{html.escape(name)}</text>'
            )
            x += wide
    title = "Quality against minutes of training"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y + 12}" width="{width}" role="img" '
        f'aria-label="{title}" font-family="system-ui,sans-serif" font-size="12"><title>{title}</title>'
        f"<style>{STYLE}</style>{''.join(parts)}</svg>\n",
        "utf-8",
    )
    print(path)
