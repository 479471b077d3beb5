"""Progress as text: one line that rewrites itself in a terminal, a line per validation in a log."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable
from typing import TextIO

from nbtextgen.core.errors import python_words
from nbtextgen.core.escaping import pictured
from nbtextgen.training.events import (
    Changed,
    Checkpoint,
    Ended,
    Event,
    Resumed,
    Retention,
    Sample,
    Started,
    Step,
    TrainingWarning,
    Validation,
)

VALIDATIONS = 20
"""Validations that are printed, at most."""


def clock(seconds: float) -> str:
    """Seconds as ``1:05`` or ``2:03:04``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def of(done: int, planned: int) -> str:
    """``3/10``, or ``3`` if no number is planned because a time limit ends training."""
    return f"{done:,}/{planned:,}" if planned else f"{done:,}"


def _threads(number: int) -> str:
    return f" {number} thread{'' if number == 1 else 's'}" if number else ""


def line(event: Event, words: Callable[[str], str] = python_words) -> str:
    """An event in one line of text; ``words`` names the options in a warning as the user writes them."""
    if isinstance(event, Started):
        chosen = ", ".join(f"{name}={value}" for name, value in event.choices.items())
        return (
            f"{event.pairs:,} pairs, {event.valid_pairs:,} held out, {event.parameters:,} parameters, "
            f"{event.device} {event.precision}{_threads(event.threads)}"
            + (f"; chosen from the data: {chosen}" if chosen else "")
        )
    if isinstance(event, Step):
        return (
            f"epoch {of(event.epoch, event.epochs)}  update {of(event.step, event.steps)}  loss {event.loss:.3f}  "
            f"{event.tokens_per_second:,.0f} tokens/s  {clock(event.seconds_left)} left"
        )
    if isinstance(event, Validation):
        metric = "" if event.metric_name == "loss" else f"  {event.metric_name} {event.metric:.2f}"
        best = "  best so far" if event.best else ""
        return f"epoch {event.epoch}  validation loss {event.loss:.4f}{metric}  after {clock(event.seconds)}{best}"
    if isinstance(event, Sample):
        source, output, target = map(pictured, (event.source, event.output, event.target))
        return f"    {source} -> {output}" + ("" if event.output == event.target else f"  ({target})")
    if isinstance(event, TrainingWarning):
        return f"Note: {pictured(words(event.text))}"
    if isinstance(event, Retention):
        return str(event)
    if isinstance(event, Changed) and event.setting == "threads":
        return f"update {event.step:,}: training uses{_threads(int(event.value or 0))}"
    if isinstance(event, Changed):
        value = "as configured" if event.value is None else f"{event.value}"
        return f"update {event.step:,}: {event.setting.replace('_', ' ')} is now {value}"
    if isinstance(event, Checkpoint):
        return f"update {event.step:,}: checkpoint"
    if isinstance(event, Resumed):
        return f"goes on from update {event.step:,} in epoch {event.epoch}, after {clock(event.seconds)} of training"
    assert isinstance(event, Ended)
    return f"{event.reason} after {clock(event.seconds)}; best model: update {event.best_step:,} of {event.step:,}"


LOGGER = logging.getLogger("nbtextgen")
"""The package's logger; ``nbtextgen/__init__.py`` gives it a handler that writes nothing."""


def log(event: Event) -> None:
    """Log an event with Python's ``logging``: warnings as such, steps and checkpoints at level DEBUG, the rest at INFO."""
    if isinstance(event, TrainingWarning):
        level = logging.WARNING
    else:
        level = logging.DEBUG if isinstance(event, Step | Checkpoint) else logging.INFO
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, "%s", line(event).strip())


class TextProgress:
    """Prints events; a callback for ``TextGenerator.fit``.

    Of the validations it prints about ``VALIDATIONS``, spread over the training, and the last one. A stream that was closed,
    or whose reader is gone, does not end the training: nothing more is printed.
    """

    def __init__(self, stream: TextIO | None = None, words: Callable[[str], str] = python_words) -> None:
        """Prepare to print; ``words`` names the options in a warning as the user writes them, by default as in Python."""
        self.stream: TextIO | None = stream or sys.stdout
        self._words = words
        self._live = _is_terminal(self.stream)
        self._width = 0
        self._steps = 0
        self._printed = -math.inf
        self._skipped: list[Validation | Sample] = []

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Checkpoint):
            return
        if isinstance(event, Started):
            self._steps, self._printed, self._skipped = event.steps, -math.inf, []
        elif isinstance(event, Validation):
            self._skipped = [event]
            if event.step - self._printed < self._steps / VALIDATIONS:
                return
            self._printed = event.step
        elif isinstance(event, Sample) and self._skipped:
            self._skipped.append(event)
            if self._printed != event.step:
                return
        if isinstance(event, Ended) and self._skipped and self._skipped[0].step != self._printed:
            for skipped in self._skipped:
                self._print(skipped)
        self._print(event)

    def _print(self, event: Event) -> None:
        text = line(event, self._words)
        if not isinstance(event, Step):
            self._write(("\r" + " " * self._width + "\r" if self._width else "") + text + "\n")
            self._width = 0
        elif self._live:
            self._write("\r" + text.ljust(self._width))
            self._width = len(text)

    def _write(self, text: str) -> None:
        if self.stream is None:
            return
        try:
            encoding = getattr(self.stream, "encoding", None) or "utf-8"
            self.stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self.stream.flush()
        except (OSError, ValueError):  # its reader is gone, or it is closed
            self.stream = None


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False
