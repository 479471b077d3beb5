"""Axes of Matplotlib for the values that have a ``plot(ax)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbtextgen.core.optional_imports import optional_import

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def axes_to_draw_on(ax: Axes | None, width: float = 7.0, height: float = 4.0) -> Any:
    """Return ``ax``, or the axes of a new figure that belongs to no window.

    Args:
        ax: where to draw, or ``None``.
        width, height: of a new figure, in inches.

    Raises:
        MissingPackageError: without Matplotlib.
    """
    if ax is not None:
        return ax
    with optional_import("A figure", "Matplotlib", "explain"):
        from matplotlib.figure import Figure
    figure: Any = Figure(figsize=(width, height), layout="constrained")
    return figure.subplots()
