"""One training started from a notebook, in the foreground or the background, with what controls and shows it."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from nbtextgen.core.errors import NbTextGenError
from nbtextgen.notebook.background import BackgroundWorker
from nbtextgen.notebook.live.ipykernel6 import dispatch_widget_messages
from nbtextgen.notebook.live.record import Record
from nbtextgen.training.controls import Controls
from nbtextgen.training.events import Event

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator
    from nbtextgen.pipeline.defaults import Plan

WAKE_SECONDS = 0.05
EventCallback = Callable[[Event], None]


class TrainingView(Protocol):
    """Shows a training in the current cell (``show``), takes in its events, and shows its result (``over``)."""

    def show(self) -> None: ...
    def __call__(self, event: Event) -> None: ...
    def over(self) -> None: ...


class Training:
    """A call of ``fit`` that can run while the user works in the notebook.

    Attributes:
        name: the variable that receives the model.
        model: the generator; it generates with the best weights so far from the first validation on.
        controls: stop, pause, and settings that act on the running model.
        record: what has happened so far.
        plan: all settings, when they are known before training begins (a resumed run).
        at_end: called with the model, in the thread that trained it.
        view: what shows it in the notebook, or ``None``.
        worker: the background thread.
        elsewhere: whether other processes train, and this kernel only watches them.
        touched: whether a message of the panel was handled, after which the page takes the kernel to be idle.
        callbacks: called with every event, in the thread that trains.
    """

    def __init__(self, name: str, model: TextGenerator | None, fit: Callable[..., TextGenerator]) -> None:
        """Prepare; ``fit`` takes ``callbacks`` and ``controls``, and creates the model if ``model`` is ``None``."""
        self.name, self.model = name, model
        self.controls = Controls()
        self.record = Record(name)
        self.view: TrainingView | None = None
        self.callbacks: list[EventCallback] = [self.record]
        self._fit = fit
        self.plan: Plan | None = None
        self.at_end: Callable[[TextGenerator], object] = lambda model: None
        self.worker = BackgroundWorker(f"textgen_train {name}")
        self.touched = False
        self.elsewhere = False

    @property
    def running(self) -> bool:
        """Whether it runs in the background."""
        return self.worker.busy

    def run(self) -> TextGenerator:
        """Train in this thread; an interrupt stops after the current update and keeps the best model so far."""
        try:
            with _interrupt_calls(self.controls.stop):
                self.model = self._fit(callbacks=[self.notify], controls=self.controls)
                return self.model
        except Exception as error:
            self.record.error = self.record.words(error.message) if isinstance(error, NbTextGenError) else str(error)
            raise
        finally:
            if self.view is not None:
                self.view.over()

    def notify(self, event: Event) -> None:
        """Pass an event to the callbacks."""
        for callback in list(self.callbacks):
            callback(event)

    def start(self) -> None:
        """Train in the background; the thread ends with the kernel."""
        self.worker.submit(lambda _: self.at_end(self.run()))

    @property
    def configured(self) -> dict[str, float]:
        """Dropout and teacher forcing as configured; empty before training starts."""
        plan = self.plan or (self.model.plan if self.model is not None and self.record.started is not None else None)
        if plan is None:
            return {}
        return {"dropout": plan.model.dropout or 0.0, "teacher_forcing": plan.training.teacher_forcing}

    async def ended(self, kernel: object = None) -> TextGenerator:
        """Wait for the background training; an interrupt of the cell stops it and keeps its best model.

        Args:
            kernel: the kernel that runs the cell, so that it handles widget messages that wait behind the cell.

        Raises:
            Exception: whatever ``fit`` raised.
        """
        while self.running:
            if self.touched:
                self.touched = False
                _publish_busy(kernel)
            try:
                # An interrupt's signal does not wake the loop when another thread takes it: the loop wakes by itself.
                await asyncio.sleep(WAKE_SECONDS)
                await dispatch_widget_messages(kernel)
            except asyncio.CancelledError:  # how a kernel interrupts a cell that awaits
                self.controls.stop()
        if self.worker.error is not None:
            raise self.worker.error
        assert self.model is not None
        return self.model


def _publish_busy(kernel: object) -> None:
    """Say again that the cell runs: after every message that is handled meanwhile, the kernel says that it is idle."""
    publish = getattr(kernel, "_publish_status", None)
    if publish is not None:
        publish("busy", "shell")


@contextmanager
def _interrupt_calls(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` on the first interrupt and interrupt on the second; only the main thread receives interrupts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(*_: object) -> None:
        signal.signal(signal.SIGINT, before)
        stop()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
