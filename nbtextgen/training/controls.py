"""The one way into a running training: set here from any thread, read by the trainer between updates."""

from __future__ import annotations

import threading


class Controls:
    """Stop, pause, and settings that may change while training runs. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._running = threading.Event()
        self._running.set()
        self._rate_factor = 1.0

    def stop(self) -> None:
        """End after the current update; the best model so far is kept."""
        self._stop.set()
        self._running.set()

    def pause(self) -> None:
        """Wait before the next update until ``resume``."""
        self._running.clear()

    def resume(self) -> None:
        """Go on after ``pause``."""
        self._running.set()

    @property
    def stopping(self) -> bool:
        """Whether ``stop`` was called."""
        return self._stop.is_set()

    def wait_while_paused(self) -> None:
        """Called by the trainer between updates."""
        self._running.wait()

    @property
    def rate_factor(self) -> float:
        """What the scheduled learning rate is multiplied by."""
        with self._lock:
            return self._rate_factor

    @rate_factor.setter
    def rate_factor(self, value: float) -> None:
        with self._lock:
            self._rate_factor = value
