"""What the widgets' pages share: elements, text made visible, the theme's colours, buttons; plain ES modules and styles.

A widget's page is the shared modules and its own, joined into one: no bundler, no imports, no network.
"""

from __future__ import annotations

from pathlib import Path

SHARED = Path(__file__).parent
KEEP = SHARED.parents[1] / "charts" / "keep.js"
"""Saves a chart, or anything, as a file; static charts carry the same functions."""


def module(folder: Path, *names: str) -> str:
    """The ES module of a widget: ``elements.js``, ``keep.js``, then its own parts in order; the last one exports ``render``."""
    return _joined(SHARED / "elements.js", KEEP, *(folder / name for name in names))


def style(folder: Path, *names: str) -> str:
    """The style sheet of a widget: ``theme.css``, then its own."""
    return _joined(SHARED / "theme.css", *(folder / name for name in names))


def _joined(*paths: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)
