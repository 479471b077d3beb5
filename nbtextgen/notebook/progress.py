"""Throttled updates of what is on screen, and a progress line for long work."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from IPython.display import DisplayHandle

UPDATE_SECONDS = 0.1
"""Shortest time between two updates of one output: at most ten a second."""


class Throttle:
    """Says when the next update is due; the first one is at once.

    Example:
        >>> pace = Pace(1.0, clock=iter([0.0, 0.5, 1.0]).__next__)
        >>> pace.due(), pace.due(), pace.due()
        (True, False, True)
    """

    def __init__(self, seconds: float = UPDATE_SECONDS, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare.

        Args:
            seconds: shortest time between two updates.
            clock: gives the time in seconds.
        """
        self._seconds, self._clock = seconds, clock
        self._last = -float("inf")

    def due(self) -> bool:
        """Whether an update may be made now; if so, the next one waits its time from here."""
        now = self._clock()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


SOON = 0.5
"""Seconds before a line appears, and between two changes of it."""


class ProgressLine:
    """A line such as "120 of 500 texts explained; interrupt to stop here", for work that takes over half a second.

    Example:
        >>> with ProgressLine("texts explained", rich=True) as counter:      # doctest: +SKIP
        ...     model.explain_data(pairs, on_progress=counter)
    """

    def __init__(self, what: str, *, rich: bool) -> None:
        """Show nothing yet.

        Args:
            what: what is counted.
            rich: whether there is a notebook to show it in; a terminal stays quiet.
        """
        self.what, self.rich = what, rich
        self._handle: DisplayHandle | None = None
        self._pace = Throttle(SOON)
        self._pace.due()  # short work shows nothing

    def __call__(self, done: int, count: int) -> None:
        """Tell that ``done`` of ``count`` are done."""
        if not self.rich or not self._pace.due():
            return
        text = {"text/plain": f"{done:,} of {count:,} {self.what}; interrupt to stop here"}
        if self._handle is None:
            self._handle = DisplayHandle()
            self._handle.display(text, raw=True)
        else:
            self._handle.update(text, raw=True)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._handle is not None:
            self._handle.update({"text/plain": ""}, raw=True)
