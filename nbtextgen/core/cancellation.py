"""``CancellationToken``: how one thread asks a computation in another thread to stop."""

from __future__ import annotations

import threading


class Cancelled(Exception):
    """Raised inside a computation whose token was cancelled."""


class CancellationToken:
    """A flag that a long computation checks at every step; each computation gets a new token.

    Cancelling ``parent`` cancels this token as well.
    """

    def __init__(self, parent: CancellationToken | None = None) -> None:
        self._parent = parent
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
        if self.cancelled:
            raise Cancelled
