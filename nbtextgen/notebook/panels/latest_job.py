"""Work in the background of which only the newest matters: what is asked for while something runs overtakes it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from nbtextgen.core.cancellation import CancellationToken, Cancelled


class LatestJob:
    """One thread that runs the job asked for last; a newer one cancels the one before.

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
        self._job: Callable[[CancellationToken], None] | None = None
        self._cancellation = CancellationToken()
        self._busy = False
        self._thread: threading.Thread | None = None

    def ask(self, job: Callable[[CancellationToken], None]) -> None:
        """Run ``job(cancellation)`` soon, in place of whatever was asked for before."""
        with self._changed:
            self._replace(job)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="nbtextgen panel", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def cancel(self) -> None:
        """Let go of what runs or waits, and return when nothing runs any more."""
        with self._changed:
            self._replace(None)
            self._changed.notify_all()
            if threading.current_thread() is not self._thread:
                self._changed.wait_for(lambda: not self._busy)

    def _replace(self, job: Callable[[CancellationToken], None] | None) -> None:
        self._cancellation.cancel()
        self._job, self._cancellation = job, CancellationToken()

    def wait(self, seconds: float) -> None:
        """Until nothing runs or waits any more, at the longest so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._job is None and not self._busy, seconds)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._job is not None)
                cancellation = None
                while self.delay and cancellation is not self._cancellation:  # as long as newer ones keep coming
                    cancellation = self._cancellation
                    self._changed.wait(self.delay)
                job, cancellation, self._job = self._job, self._cancellation, None
                self._busy = job is not None
            if job is None:
                continue
            try:
                job(cancellation)
            except Cancelled:
                pass
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
