"""The live panel of a training as a part of another panel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets

from nbtextgen.notebook.live.panel import PanelView
from nbtextgen.notebook.progress import Throttle
from nbtextgen.training.events import Event, Validation

if TYPE_CHECKING:
    from nbtextgen.notebook.live.training import Training

STILL_SECONDS = 5.0
"""Shortest time between two updates of the static form while a training runs."""


class EmbeddedView(PanelView):
    """A live panel that has no output of its own."""

    def __init__(self, training: Training, ended: Callable[[Training], None], changed: Callable[[], object]) -> None:
        """Prepare the panel; ``ended`` is called at the end, ``changed`` now and then before, both in the training's thread."""
        super().__init__(training)
        self._ended, self._changed, self._still = ended, changed, Throttle(STILL_SECONDS)

    @property
    def widget(self) -> ipywidgets.Widget:
        """The live panel."""
        return self._panel

    def __call__(self, event: Event) -> None:
        """Take in an event; now and then, the static form follows."""
        super().__call__(event)
        if isinstance(event, Validation) and self._still.due():
            self._changed()

    def over(self) -> None:
        """Show the result of the training."""
        super().over()
        self._ended(self._training)
