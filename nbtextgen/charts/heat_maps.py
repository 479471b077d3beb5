"""Heat maps: a table of counts as shaded cells."""

from __future__ import annotations

from collections.abc import Sequence

from nbtextgen.charts.scale import INK, WIDTH, Chart, picture, text_width
from nbtextgen.core.escaping import escaped, pictured

ROW = 24
"""Height of a row, in pixels."""
MAX_CELL = 48
"""Width of a cell, in pixels; many columns are narrower."""
MAX_NAME = 14
"""Most characters of a name."""
MAX_DESCRIBED = 8
"""Largest cells that the description tells."""
LIGHT, DARK = (232, 241, 249), (31, 94, 145)
"""Red, green and blue of the smallest and the largest count."""
WHITE_FROM = 0.6
"""Share of the largest count from which the number in a cell is white."""


def heat_map(
    counts: Sequence[Sequence[int]],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    row_label: str,
    column_label: str,
    of: str,
) -> Chart | None:
    """Counts as cells, darker for larger ones; ``None`` if there are none.

    Args:
        counts: of each row and column.
        rows, columns: their names.
        title: what is shown, for the description.
        row_label, column_label: what rows and columns are.
        of: what is counted.
    """
    largest = max((count for row in counts for count in row), default=0)
    if not largest:
        return None
    left = max(text_width(_short(name)) for name in rows) + 34
    cell = min(MAX_CELL, (WIDTH - left - 8) / len(columns))
    slanted = any(text_width(_short(name)) > cell - 4 for name in columns)
    top = 26 + (0.75 * max(text_width(_short(name)) for name in columns) if slanted else 16)
    height, middle = top + ROW * len(rows) + 6, top + ROW * len(rows) / 2
    parts = [
        f'<text x="{left:.1f}" y="12">{escaped(column_label)} →</text>',
        f'<text transform="translate(12 {middle:.1f}) rotate(-90)" text-anchor="middle">{escaped(row_label)}</text>',
        *(
            _column_name(left + cell * (index + 0.5), top - 6, name, slanted=slanted)
            for index, name in enumerate(columns)
        ),
    ]
    for index, (name, row) in enumerate(zip(rows, counts, strict=True)):
        y = top + ROW * index
        parts.append(f'<text x="{left - 8:.1f}" y="{y + 16:.1f}" text-anchor="end">{escaped(_short(name))}</text>')
        parts += [_cell(left + cell * column, y, cell, count, count / largest) for column, count in enumerate(row)]
    labels = tuple(
        "\n".join(
            [f"{column_label} {name}", *(f"{row}: {count:,}" for row, count in zip(rows, column, strict=True) if count)]
        )
        for name, column in zip(columns, zip(*counts, strict=True), strict=True)
    )
    area = (left / WIDTH, top / height, (left + cell * len(columns)) / WIDTH, 1.0)
    description = (
        f"{pictured(title)}, {of} by {row_label} and {column_label}; most: {_largest_cells(counts, rows, columns)}"
    )
    return Chart(picture(round(height), "".join(parts)), description, labels, area)


def _column_name(x: float, y: float, name: str, *, slanted: bool) -> str:
    """The name above a column, which ends or is centred at ``x, y``."""
    place = (
        f'transform="translate({x:.1f} {y:.1f}) rotate(-45)"'
        if slanted
        else f'x="{x:.1f}" y="{y:.1f}" text-anchor="middle"'
    )
    return f"<text {place}>{escaped(_short(name))}</text>"


def _largest_cells(counts: Sequence[Sequence[int]], rows: Sequence[str], columns: Sequence[str]) -> str:
    """The largest counts in words."""
    cells = [
        (count, rows[row], columns[column]) for row, each in enumerate(counts) for column, count in enumerate(each)
    ]
    largest = sorted(cells, key=lambda cell: -cell[0])[:MAX_DESCRIBED]
    return ", ".join(f"{pictured(row)} as {pictured(column)} {count:,}" for count, row, column in largest if count)


def _cell(x: float, y: float, width: float, count: int, share: float) -> str:
    """A cell with its own light or dark ground, so that its number can be read on any page."""
    place = f'x="{x + 1:.1f}" y="{y + 1:.1f}" width="{width - 2:.1f}" height="{ROW - 2}" rx="2"'
    if not count:
        return f'<rect {place} fill="none" stroke="{INK}" opacity=".3"/>'
    shade = "#" + "".join(
        f"{round(light + (dark - light) * share):02x}" for light, dark in zip(LIGHT, DARK, strict=True)
    )
    ink, size = ("#fff" if share >= WHITE_FROM else "#222"), 12 if text_width(f"{count:,}") < width - 4 else 9
    number = f'<text x="{x + width / 2:.1f}" y="{y + 16:.1f}" font-size="{size}" text-anchor="middle" fill="{ink}">{count:,}</text>'
    return f'<rect {place} fill="{shade}"/>{number}'


def _short(name: str) -> str:
    name = "␣" if name == " " else pictured(name)
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"
