"""``CancellationToken``: how one thread asks a computation in another thread to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")


class Cancelled(Exception):
    """Raised inside a computation whose token was cancelled."""


class CancellationToken:
    """A flag that a long computation checks at every step; each computation gets a new token.

    Cancelling ``parent`` cancels this token as well. ``on_check`` is called whenever the computation checks this token or a
    child of it, maybe in several threads, for instance to report progress; what it raises ends the computation.
    """

    def __init__(self, parent: CancellationToken | None = None, on_check: Callable[[], object] | None = None) -> None:
        self._parent, self._on_check = parent, on_check
        self._event = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Whether this token or its parent was cancelled."""
        return self._event.is_set() or (self._parent is not None and self._parent.cancelled)

    def cancel(self) -> None:
        """Ask the computation to stop; it raises ``Cancelled`` at its next step."""
        self._event.set()

    def raise_if_cancelled(self) -> None:
        """Raise ``Cancelled`` if this token or its parent was cancelled."""
        if self._event.is_set():
            raise Cancelled
        if self._on_check is not None:
            self._on_check()
        if self._parent is not None:
            self._parent.raise_if_cancelled()


_current: ContextVar[CancellationToken | None] = ContextVar("nbtextgen_cancellation", default=None)


def current_token() -> CancellationToken | None:
    """Return the token of the job that this code runs in, or ``None`` outside of jobs."""
    return _current.get()


def check_cancelled() -> None:
    """Raise ``Cancelled`` if the job that this code runs in was cancelled; nothing outside of jobs."""
    token = _current.get()
    if token is not None:
        token.raise_if_cancelled()


def checked(items: Iterable[Item]) -> Iterator[Item]:
    """The items; every thousandth checks whether the job was cancelled."""
    if _current.get() is None:
        return iter(items)
    return _checked(items)


def _checked(items: Iterable[Item]) -> Iterator[Item]:
    for index, item in enumerate(items):
        if index % 1000 == 0:
            check_cancelled()
        yield item


def run_job(job: Callable[[CancellationToken], object], token: CancellationToken) -> None:
    """Run ``job(token)``; whatever it calls checks the token too, without being given it."""
    before = _current.set(token)
    try:
        job(token)
    finally:
        _current.reset(before)
