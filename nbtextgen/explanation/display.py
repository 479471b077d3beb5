"""Values that show themselves. The room's ``__init__`` registers the views, which stand above the values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nbtextgen.core.errors import ModelFileError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Views(Protocol):
    """What the package ``views`` offers for every value."""

    def render_text(self, value: object, /) -> str:
        """Plain text."""
        ...

    def render_html(self, value: object, /) -> str:
        """A fragment for a notebook's output."""
        ...

    def render_page(self, value: object, /) -> str:
        """A whole page that needs no kernel and no network."""
        ...

    def render_figure(self, value: object, /) -> Figure:
        """A Matplotlib figure."""
        ...


class Displayed:
    """Base of the values that a notebook shows."""

    @staticmethod
    def load_views() -> Views:
        """Import the views, when a value is first shown; the room's ``__init__`` sets this function."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.load_views().render_text(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.load_views().render_html(self)}


class Page(Displayed):
    """Base of the values that can be saved as a page of their own."""

    def html(self) -> str:
        """Return a whole HTML page that needs no kernel and no network."""
        return self.load_views().render_page(self)

    def save(self, path: str | Path) -> Path:
        """Write ``html()`` to a file and return its path.

        Raises:
            ModelFileError: if the file cannot be written.
        """
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.html(), encoding="utf-8")
        except OSError as error:
            raise ModelFileError(f"The explanation could not be saved to {path}: {error.strerror or error}.") from error
        return path
