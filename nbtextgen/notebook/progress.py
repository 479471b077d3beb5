"""Limits on how often outputs are updated, and a progress line for long work."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from IPython.display import DisplayHandle

from nbtextgen.core.cancellation import CancellationToken, current_token, run_job

Value = TypeVar("Value")

UPDATE_SECONDS = 0.1
"""Shortest time between two updates of one output: at most ten a second."""


class Throttle:
    """Limits how often something is updated; the first update is due at once.

    Example:
        >>> throttle = Throttle(1.0, clock=iter([0.0, 0.5, 1.0]).__next__)
        >>> throttle.due(), throttle.due(), throttle.due()
        (True, False, True)
    """

    def __init__(self, seconds: float = UPDATE_SECONDS, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Create a throttle with the shortest time between two updates; ``clock`` returns the time in seconds."""
        self._seconds, self._clock = seconds, clock
        self._last = -float("inf")

    def due(self) -> bool:
        """Return whether an update is due now; if so, the time to the next one starts."""
        now = self._clock()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


LINE_SECONDS = 0.5
"""Seconds before a progress line appears, and between two updates of it."""


class ProgressLine:
    """A line such as "120 of 500 texts explained; interrupt to stop", for work that takes over half a second.

    Example:
        >>> with ProgressLine("texts explained", rich=True) as counter:      # doctest: +SKIP
        ...     model.explain_data(pairs, on_progress=counter)
    """

    def __init__(self, what: str, *, rich: bool) -> None:
        """Prepare a line that counts ``what``; it is shown in a notebook only (``rich``)."""
        self.what, self.rich = what, rich
        self._handle: DisplayHandle | None = None
        self._throttle = Throttle(LINE_SECONDS)
        self._throttle.due()  # short work shows nothing

    def __call__(self, done: int, count: int) -> None:
        """Report that ``done`` of ``count`` are done."""
        self._report(f"{done:,} of {count:,} {self.what}; interrupt to stop")

    def during(self, work: Callable[[], Value]) -> Value:
        """Return ``work()``, which is not counted: the line says how long it takes, as "reading the data, 12 s"."""
        start, values = time.monotonic(), list[Value]()

        def on_check() -> None:
            self._report(f"{self.what}, {time.monotonic() - start:.0f} s; interrupt to stop")

        run_job(lambda _: values.append(work()), CancellationToken(current_token(), on_check))
        return values[0]

    def _report(self, line: str) -> None:
        if self.rich and self._throttle.due():
            self._display(line)

    def _display(self, line: str) -> None:
        text = {"text/plain": line}
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
            self._display("")
