"""What a panel leaves in a saved notebook: text and HTML that need no kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from nbtextgen.core.escaping import visible


class StaticForm:
    """Adds to a widget the plain form that is shown where the widget cannot be: ``summary`` gives text and HTML."""

    def summary(self) -> tuple[str, str]:
        """Text, and HTML to stand under it (already escaped)."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        found = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        data, metadata = found if isinstance(found, tuple) else (found, {})
        text, page = self.summary()
        plain = {"text/plain": text, "text/html": f"<div><pre>{visible_lines(text)}</pre>{page}</div>"}
        return (data or {}) | plain, metadata


class PlainBox(StaticForm, ipywidgets.VBox):
    """Widgets below one another, with a static form."""

    def __init__(self, children: Sequence[ipywidgets.Widget], summary: Callable[[], tuple[str, str]]) -> None:
        self._summary = summary
        super().__init__(children)

    def summary(self) -> tuple[str, str]:
        """Text, and HTML to stand under it."""
        return self._summary()


def visible_lines(text: str) -> str:
    """Lines of text for HTML."""
    return "\n".join(visible(line) for line in text.split("\n"))
