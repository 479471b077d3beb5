"""The panels' background worker: one job at a time, newer jobs replace older ones, errors are kept."""

from __future__ import annotations

import threading

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.errors import OptionError
from nbtextgen.notebook.background import BackgroundWorker, describe

SECONDS = 60.0


def test_jobs_run_one_after_another_in_one_thread_which_ends_with_the_last() -> None:
    worker, ran = BackgroundWorker("test"), []
    started, release = threading.Event(), threading.Event()

    def first(token: CancellationToken) -> None:
        started.set()
        release.wait(SECONDS)
        ran.append(threading.current_thread())

    worker.submit(first)
    assert started.wait(SECONDS)
    for name in ("b", "c"):
        worker.submit(lambda token, name=name: ran.append(name))
    worker.submit(lambda token: ran.append("a"), first=True)
    assert worker.busy
    release.set()
    worker.wait(SECONDS)
    assert not worker.busy and ran[1:] == ["a", "b", "c"]
    ran[0].join(SECONDS)
    assert not ran[0].is_alive() and ran[0].daemon


def test_a_newer_job_cancels_the_running_one_and_drops_those_that_wait() -> None:
    worker, ran, started = BackgroundWorker("test"), [], threading.Event()

    def run_until_cancelled(token: CancellationToken) -> None:
        started.set()
        while True:
            token.raise_if_cancelled()

    worker.submit(run_until_cancelled)
    worker.submit(lambda token: ran.append("dropped"))
    assert started.wait(SECONDS)
    worker.replace(lambda token: ran.append(token.cancelled))
    worker.wait(SECONDS)
    assert ran == [False] and worker.error is None
    worker.submit(run_until_cancelled)
    worker.cancel(wait=True)
    assert not worker.busy


def test_a_delay_skips_jobs_that_are_replaced_at_once() -> None:
    worker, ran = BackgroundWorker("test", delay=0.2), []
    for number in range(20):
        worker.replace(lambda token, number=number: ran.append(number))
    worker.wait(SECONDS)
    assert ran == [19]


def test_an_error_is_kept_and_reported_and_the_next_job_runs() -> None:
    reported: list[str] = []
    worker = BackgroundWorker("test", on_error=lambda error: reported.append(describe(error)))

    def fail(token: CancellationToken) -> None:
        raise OptionError("A sentence.")

    worker.submit(fail)
    worker.wait(SECONDS)
    assert isinstance(worker.error, OptionError)
    worker.submit(lambda token: 1 // 0)
    worker.wait(SECONDS)
    assert reported == ["A sentence.", "ZeroDivisionError: integer division or modulo by zero"]
    worker.submit(lambda token: None)
    worker.wait(SECONDS)
    assert worker.error is None


def test_a_job_does_not_wait_for_itself() -> None:
    worker, ran = BackgroundWorker("test"), []
    worker.submit(lambda token: ran.append(worker.wait()))  # a panel's static form waits for the job that draws it
    worker.wait(SECONDS)
    assert ran == [None] and not worker.busy
