"""Background work in a notebook: one daemon thread that runs jobs one after another, and drops those that are out of date."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable

from nbtextgen.core.cancellation import CancellationToken, Cancelled, run_job
from nbtextgen.core.errors import NbTextGenError

Job = Callable[[CancellationToken], object]


class BackgroundWorker:
    """Runs jobs in a daemon thread, one at a time.

    Jobs of one worker never overlap, so that jobs that train or draw random numbers do not disturb each other. The
    thread starts with a job and ends when no job is left. A cancelled job ends at the next step of what it computes, such as
    a search for outputs, or when it checks its token itself. What a job prints appears under the cell that submitted it.

    Attributes:
        error: what the last job raised, or ``None``.
        on_idle: called in the thread when no job is left.
    """

    def __init__(
        self, name: str, *, delay: float = 0.0, on_error: Callable[[BaseException], object] = lambda error: None
    ) -> None:
        """Prepare; the thread starts with the first job.

        Args:
            name: name of the thread.
            delay: seconds without a new job before one starts, so that typing does not start a job per key.
            on_error: called in the thread with what a job raised, except ``Cancelled``.
        """
        self.error: BaseException | None = None
        self.on_idle: Callable[[], object] = lambda: None
        self._name, self._delay, self._on_error = name, delay, on_error
        self._changed = threading.Condition(threading.RLock())
        self._queue: deque[tuple[Job, CancellationToken, contextvars.Context]] = deque()
        self._running: CancellationToken | None = None
        self._submitted = 0
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        with self._changed:
            return self._running is not None or bool(self._queue)

    def submit(self, job: Job, *, first: bool = False) -> None:
        """Run ``job(token)`` after the jobs that wait; with ``first``, before them."""
        with self._changed:
            entry = job, CancellationToken(), contextvars.copy_context()
            self._queue.appendleft(entry) if first else self._queue.append(entry)
            self._submitted += 1
            self.error = None
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def replace(self, job: Job) -> None:
        """Cancel the jobs that run or wait, and run ``job(token)``."""
        with self._changed:
            self.cancel()
            self.submit(job)

    def cancel(self, *, wait: bool = False) -> None:
        """Cancel the jobs that run or wait; with ``wait``, return when the running one has ended."""
        with self._changed:
            self._queue.clear()
            if self._running is not None:
                self._running.cancel()
            if wait and threading.current_thread() is not self._thread:
                self._changed.wait_for(lambda: self._running is None)

    def wait(self, seconds: float | None = None, until: Callable[[], bool] = lambda: False) -> None:
        """Wait until no job is left, ``until()`` is true after a job, or so many seconds have passed; a job does not wait for itself."""
        if threading.current_thread() is self._thread:
            return
        with self._changed:
            self._changed.wait_for(lambda: not self.busy or until(), seconds)

    def _work(self) -> None:
        self._run_jobs()
        self.on_idle()

    def _run_jobs(self) -> None:
        while True:
            with self._changed:
                submitted = -1
                while self._delay and self._queue and submitted != self._submitted:
                    submitted = self._submitted
                    self._changed.wait(self._delay)
                if not self._queue:
                    self._thread = None
                    self._changed.notify_all()
                    return
                job, token, context = self._queue.popleft()
                self._running = token
            try:
                context.run(run_job, job, token)
            except Cancelled:
                pass
            except BaseException as error:  # a thread has no cell to show a traceback in
                self.error = error
                self._on_error(error)
            finally:
                with self._changed:
                    self._running = None
                    self._changed.notify_all()


def describe(error: BaseException) -> str:
    """An error in one line: our own errors are sentences, of others the class is named."""
    return error.in_form if isinstance(error, NbTextGenError) else f"{type(error).__name__}: {error}"
