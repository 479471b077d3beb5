"""Progress as text: one line that rewrites itself in a terminal, a line per validation in a log."""

from __future__ import annotations

import sys
from typing import TextIO

from nbtextgen.core.escaping import pictured
from nbtextgen.training.events import (
    Changed,
    Checkpoint,
    Ended,
    Event,
    Resumed,
    Sample,
    Started,
    Step,
    TrainingWarning,
    Validation,
)


def clock(seconds: float) -> str:
    """Seconds as ``1:05`` or ``2:03:04``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def of(done: int, planned: int) -> str:
    """``3/10``, or ``3`` if no number is planned because a time limit ends training."""
    return f"{done:,}/{planned:,}" if planned else f"{done:,}"


def _threads(number: int) -> str:
    return f" {number} thread{'' if number == 1 else 's'}" if number else ""


def line(event: Event) -> str:
    """An event in one line of text."""
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
        return f"Note: {pictured(event.text)}"
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


class TextProgress:
    """Prints events; a callback for ``TextGenerator.fit``."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self._live = self.stream.isatty()
        self._width = 0

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Checkpoint):
            return
        text = line(event)
        if isinstance(event, Step):
            if self._live:
                self.stream.write("\r" + text.ljust(self._width))
                self._width = len(text)
        else:
            self.stream.write(("\r" + " " * self._width + "\r" if self._width else "") + text + "\n")
            self._width = 0
        self.stream.flush()
