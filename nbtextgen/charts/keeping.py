"""Buttons that save a chart; they need scripts, but no kernel."""

from __future__ import annotations

import html
import re
from functools import cache
from pathlib import Path

BUTTON = (
    "padding:0 8px;font:11px system-ui,sans-serif;line-height:18px;color:inherit;background:transparent;"
    "border:1px solid currentColor;border-radius:3px;opacity:.75;cursor:pointer"
)


def figure(svg: str, name: str) -> str:
    """A chart with buttons that save it as SVG and as PNG.

    Args:
        svg: the chart; an empty text stays empty.
        name: of the files, without suffix. Not escaped, so never text from data.
    """
    if not svg:
        return ""
    buttons = " ".join(
        f'<button type="button" value="{name}.{kind}" aria-label="Save {name} chart as {kind.upper()}" '
        f'style="{BUTTON}">{kind.upper()}</button>'
        for kind in ("svg", "png")
    )
    return f'<figure style="margin:0;overflow-x:auto">{svg}<div onclick="{handler()}">{buttons}</div></figure>'


@cache
def handler() -> str:
    """The ``onclick`` attribute of the buttons."""
    code = (Path(__file__).parent / "save.js").read_text(encoding="utf-8")
    code = re.sub(r"/\*.*?\*/|^\s*//[^\n]*", "", code, flags=re.MULTILINE | re.DOTALL)
    call = "const b=event.target.closest('button');if(b)saveChart(this.closest('figure').querySelector('svg'),b.value)"
    return html.escape(re.sub(r"\s+", " ", code).strip() + call, quote=True)
