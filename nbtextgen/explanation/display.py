"""Values that show themselves. The room's ``__init__`` registers the views, which stand above the values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from nbtextgen.core.escaping import pictured_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Value = TypeVar("Value")


@dataclass(frozen=True)
class View(Generic[Value]):
    """How values of one type are shown: as plain text, as HTML in an output, as an HTML page, as a figure, as one chart."""

    text: Callable[[Value], str]
    html: Callable[[Value], str]
    page: Callable[[Value], str] | None = None
    figure: Callable[..., Figure] | None = None
    chart: Callable[[Value, str, Axes | None], Axes] | None = None


Views = Mapping[type, View[Any]]
"""The view of every type."""


class Displayed:
    """Base of the values that a notebook shows."""

    @staticmethod
    def load_views() -> Views:
        """Import the views when a value is first shown; the room's ``__init__`` sets this function."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return pictured_lines(self.load_views()[type(self)].text(self))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.load_views()[type(self)].html(self)}


class Page(Displayed):
    """Base of the values that can be saved as a page of their own."""

    def html(self) -> str:
        """Return a whole HTML page that needs no kernel and no network."""
        page = self.load_views()[type(self)].page
        assert page is not None
        return page(self)

    def save(self, path: str | Path) -> Path:
        """Write ``html()`` to a file and return its path.

        Raises:
            ModelFileError: if the file cannot be written.
        """
        from nbtextgen.core.files import write_page

        return write_page(path, self.html(), "The explanation")


class Drawn(Displayed):
    """Base of the values that have a figure."""

    def figure(self) -> Figure:
        """Draw as a Matplotlib figure.

        Raises:
            MissingPackageError: without Matplotlib.
        """
        draw = self.load_views()[type(self)].figure
        assert draw is not None
        return draw(self)


class Plotted(Drawn):
    """Base of the values whose figure has one chart."""

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw ``figure()`` on axes of Matplotlib and return these.

        Args:
            ax: where to draw; by default in a new figure.

        Raises:
            MissingPackageError: without Matplotlib.
        """
        draw = self.load_views()[type(self)].figure
        assert draw is not None
        figure = draw(self, ax)
        return figure.axes[0] if ax is None else ax
