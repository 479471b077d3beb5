"""Front-end code that all widgets share: elements, escaping, buttons, saving files, colours of the theme.

A widget's page is the shared modules and its own, joined into one text: no bundler, no imports, no network.
``tests/front`` checks the types of the joined texts and tests them.
"""

from __future__ import annotations

from pathlib import Path

SHARED = Path(__file__).parent
SAVE = tuple(SHARED.parents[1] / "charts" / name for name in ("save_image.js", "save.js"))
"""Save a chart, or any content, as a file; static charts carry the first of them."""


FOCUS = SHARED / "focus.js"
"""Keeps the focus in a panel."""


def module(folder: Path, *names: str | Path) -> str:
    """Return the ES module of a widget: ``elements.js``, those of ``SAVE``, then its own parts in order; the last one exports ``render``."""
    return _joined(SHARED / "elements.js", *SAVE, *(folder / name for name in names))


def style(folder: Path, *names: str) -> str:
    """Return the style sheet of a widget: ``theme.css``, then its own."""
    return _joined(SHARED / "theme.css", *(folder / name for name in names))


def _joined(*paths: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)
