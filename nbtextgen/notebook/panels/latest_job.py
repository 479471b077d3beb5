"""Work in the background of which only the newest matters: what is asked for while something runs overtakes it."""

from __future__ import annotations

import threading
from collections.abc import Callable

Stale = Callable[[], bool]


class Stopped(Exception):
    """Raised within a job that was overtaken, to get out of it."""


class LatestJob:
    """One thread that runs the job asked for last; a job asks ``stale()`` whether it may stop.

    Nothing runs at the same time as something else of the same ``LatestJob``: jobs that train or draw random numbers then
    never meet.
    """

    def __init__(self, delay: float = 0.0) -> None:
        """Prepare; the thread begins with the first job.

        Args:
            delay: seconds to wait for a newer job before one begins, so that typing does not start one per key.
        """
        self.delay = delay
        self._changed = threading.Condition()
        self._job: Callable[[Stale], None] | None = None
        self._number = 0
        self._busy = False
        self._thread: threading.Thread | None = None

    def ask(self, job: Callable[[Stale], None]) -> None:
        """Run ``job(stale)`` soon, in place of whatever was asked for before."""
        with self._changed:
            self._job, self._number = job, self._number + 1
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="nbtextgen panel", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def cancel(self) -> None:
        """Let go of what runs or waits, and return when nothing runs any more."""
        with self._changed:
            self._job, self._number = None, self._number + 1
            self._changed.notify_all()
            if threading.current_thread() is not self._thread:
                self._changed.wait_for(lambda: not self._busy)

    def wait(self, seconds: float) -> None:
        """Until nothing runs or waits any more, at the longest so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._job is None and not self._busy, seconds)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._job is not None)
                number = -1
                while self.delay and number != self._number:  # as long as newer ones keep coming
                    number = self._number
                    self._changed.wait(self.delay)
                job, number, self._job = self._job, self._number, None
                self._busy = job is not None
            if job is None:
                continue
            try:
                job(lambda number=number: self._number != number)
            except Stopped:
                pass
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
