"""Charts as HTML that needs no kernel: an image with words instead of it, values on hover, and buttons that save it.

An image, since what cleans the HTML of notebooks from others (JupyterLab, GitHub) drops ``<svg>`` but keeps its texts.
"""

from __future__ import annotations

import base64
import html
import re
from functools import cache
from pathlib import Path

from nbtextgen.charts.scale import WIDTH, Chart
from nbtextgen.core.escaping import escaped

BUTTON = (
    "padding:0 8px;font:11px system-ui,sans-serif;line-height:18px;color:inherit;background:transparent;"
    "border:1px solid currentColor;border-radius:3px;opacity:.75;cursor:pointer"
)


def figure(chart: Chart | None, name: str, width: int = WIDTH) -> str:
    """A chart with buttons that save it as SVG and as PNG; empty if there is nothing to show.

    Args:
        chart: the chart, if any.
        name: of the files, without suffix. Not escaped, so never text from data.
        width: the largest on the page, in pixels.
    """
    if not chart:
        return ""
    buttons = " ".join(
        # The text is an attribute: where buttons are dropped, nothing is left of it.
        f'<input type="button" value="{kind.upper()}" title="{name}.{kind}" '
        f'aria-label="Save {name} chart as {kind.upper()}" style="{BUTTON}">'
        for kind in ("svg", "png")
    )
    picture = f'<div style="position:relative;min-width:{chart.min_width}px;max-width:{width}px">{image(chart, width)}{_labels(chart)}</div>'
    return f'<figure style="margin:0;overflow-x:auto">{picture}<div onclick="{handler()}">{buttons}</div></figure>'


def image(chart: Chart, width: int = WIDTH) -> str:
    """The chart alone, as an image element with its description."""
    data = base64.b64encode(chart.svg.encode()).decode()
    description = html.escape(chart.description, quote=True)
    return (
        f'<img src="data:image/svg+xml;base64,{data}" alt="{description}" '
        f'style="display:block;width:100%;max-width:{width}px">'
    )


def _labels(chart: Chart) -> str:
    """Invisible columns over the picture whose tooltips show the values there."""
    if not chart.labels:
        return ""
    left, top, right, bottom = (f"{100 * part:.4g}%" for part in chart.area)
    columns = "".join(f'<i title="{escaped_lines(label)}" style="flex:1"></i>' for label in chart.labels)
    place = f"left:{left};top:{top};width:calc({right} - {left});height:calc({bottom} - {top})"
    return f'<div aria-hidden="true" style="position:absolute;display:flex;{place}">{columns}</div>'


def escaped_lines(text: str) -> str:
    """Escape text for an attribute; line breaks stay."""
    return "&#10;".join(map(escaped, text.split("\n")))


@cache
def handler() -> str:
    """The ``onclick`` attribute of the buttons."""
    code = (Path(__file__).parent / "save_image.js").read_text(encoding="utf-8")
    code = re.sub(r"/\*.*?\*/|^\s*//[^\n]*", "", code, flags=re.MULTILINE | re.DOTALL)
    call = "const b=event.target;if(b.title)saveImage(this.closest('figure').querySelector('img'),b.title)"
    return html.escape(re.sub(r"\s+", " ", code).strip() + call, quote=True)
