"""The static form of a panel in a saved notebook: text and HTML that need no kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from nbtextgen.core.escaping import visible


class StaticForm:
    """Adds a static form to a widget, which is shown where widgets are not available; ``summary`` returns it."""

    def summary(self) -> tuple[str, str]:
        """Return text, and HTML to show under it (already escaped)."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        text, page = self.summary()
        lines = "\n".join(map(visible, text.split("\n")))
        plain = {"text/plain": text, "text/html": f"<div><pre>{lines}</pre>{page}</div>"}
        return (data or {}) | plain, metadata


class PlainBox(StaticForm, ipywidgets.VBox):
    """Widgets below one another, with a static form."""

    def __init__(self, children: Sequence[ipywidgets.Widget], summary: Callable[[], tuple[str, str]]) -> None:
        self._summary = summary
        super().__init__(children)

    def summary(self) -> tuple[str, str]:
        """Return text, and HTML to show under it."""
        return self._summary()
