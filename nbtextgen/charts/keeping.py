"""Buttons that save a chart, as a part of its HTML: they work wherever the page may run scripts, without a kernel."""

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
    """A chart with buttons that save it as SVG and as PNG; without scripts the chart is still there.

    Args:
        svg: the picture; empty gives empty.
        name: of the files, without suffix; a word of ours, never one of the data.
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
    """What a press of a button does, ready to stand in an attribute."""
    code = (Path(__file__).parent / "save.js").read_text(encoding="utf-8")
    code = re.sub(r"/\*.*?\*/|^\s*//[^\n]*", "", code, flags=re.MULTILINE | re.DOTALL)
    pressed = (
        "const b=event.target.closest('button');if(b)saveChart(this.closest('figure').querySelector('svg'),b.value)"
    )
    return html.escape(re.sub(r"\s+", " ", code).strip() + pressed, quote=True)
