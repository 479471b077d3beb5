"""What happened between two ``Step`` events."""

from __future__ import annotations

import time

from nbtextgen.training.events import Step

REPORT_SECONDS = 0.2


class ThroughputMeter:
    """Adds up updates between two ``Step`` events."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self._begin()

    def _begin(self) -> None:
        """Begin a new window."""
        self._since = time.perf_counter()
        self._loss, self._tokens, self._seen = 0.0, 0, 0

    def leave_out(self, seconds: float) -> None:
        """Time spent elsewhere (a validation, a checkpoint), within a window: it is not counted as training."""
        self._since += seconds

    def add(self, loss: float, tokens: int, seen: int) -> None:
        """Count one update: summed loss, target tokens, and all tokens read."""
        self._loss += loss
        self._tokens += tokens
        self._seen += seen

    def due(self) -> bool:
        """Whether it is time to tell the callbacks."""
        return time.perf_counter() - self._since >= REPORT_SECONDS

    def event(self, step: int, steps: int, epoch: int, rate: float, seconds: float, left: float) -> Step:
        """The window as an event, ``steps`` being the updates expected in all; begins a new one."""
        pace = self._seen / max(1e-9, time.perf_counter() - self._since)
        loss = self._loss / max(1, self._tokens)
        self._begin()
        return Step(step, steps, epoch, self.epochs, loss, rate, pace, seconds, max(0.0, left))
