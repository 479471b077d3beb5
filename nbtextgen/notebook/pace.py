"""How often something on screen may change."""

from __future__ import annotations

import time
from collections.abc import Callable

UPDATE_SECONDS = 0.1
"""Shortest time between two updates of one output: at most ten a second."""


class Pace:
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
