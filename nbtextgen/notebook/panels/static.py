"""What a panel leaves in a saved notebook: text and HTML that need no kernel."""

from __future__ import annotations

from typing import Any

from nbtextgen.visible import visible


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


def visible_lines(text: str) -> str:
    """Lines of text for HTML."""
    return "\n".join(visible(line) for line in text.split("\n"))
