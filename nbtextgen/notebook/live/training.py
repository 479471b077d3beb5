"""One training started from a cell: in this thread or in one of its own, with what watches and steers it."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nbtextgen.notebook.background import BackgroundWorker
from nbtextgen.notebook.live.ipykernel6 import hear
from nbtextgen.notebook.live.record import Record
from nbtextgen.training.controls import Controls
from nbtextgen.training.events import Event

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator
    from nbtextgen.notebook.live.panel import PanelShow, TextShow
    from nbtextgen.pipeline.plan import Plan

WAKE_SECONDS = 0.05
Listener = Callable[[Event], None]


class Training:
    """A call of ``fit`` that can run while the notebook goes on.

    Attributes:
        name: the variable that receives the model.
        model: the generator; it writes with the best model so far as soon as there is one.
        controls: stop, pause, and settings that act on the running model.
        record: what has happened so far.
        plan: all settings, when they are known before training begins (a resumed run).
        at_end: called with the model, in the thread that trained it.
        shown: what shows it in the notebook, if anything.
        callbacks: called with every event, in the thread that trains.
    """

    def __init__(self, name: str, model: TextGenerator | None, fit: Callable[..., TextGenerator]) -> None:
        """Prepare.

        Args:
            name: the variable that receives the model.
            model: what will be trained; ``None`` when only ``fit`` will make it.
            fit: trains, taking ``callbacks`` and ``controls``.
        """
        self.name, self.model = name, model
        self.controls = Controls()
        self.record = Record(name)
        self.shown: PanelShow | TextShow | None = None
        self.callbacks: list[Listener] = [self.record]
        self._fit = fit
        self.plan: Plan | None = None
        self.at_end: Callable[[TextGenerator], object] = lambda model: None
        self.worker = BackgroundWorker(f"textgen_train {name}")

    @property
    def running(self) -> bool:
        """Whether it runs in the background."""
        return self.worker.busy

    def watch(self, progress: str, *, rich: bool) -> None:
        """Show progress as asked for; ``auto`` is a panel in a notebook and text elsewhere."""
        if progress == "none":
            return
        if not rich:
            from nbtextgen.training.progress import TextProgress

            self.callbacks.append(TextProgress())
            return
        self._show(progress)

    def _show(self, progress: str) -> None:
        from nbtextgen.notebook.live.panel import PanelShow, TextShow

        self.shown = TextShow(self) if progress == "text" else PanelShow(self)
        self.shown.show()
        self.callbacks.append(self.shown)

    def show(self, *, rich: bool) -> None:
        """Show the panel again, in the current cell; in a terminal, how far it is."""
        if not rich:
            from nbtextgen.notebook.live import static_view

            print(static_view.as_text(self.record))
            return
        if self.shown is None:
            self._show("panel")
        else:
            self.shown.show()

    def run(self) -> TextGenerator:
        """Train in this thread; an interrupt stops after the current update and keeps the best model so far."""
        try:
            with _interrupt_calls(self.controls.stop):
                self.model = self._fit(callbacks=[self._hear], controls=self.controls)
                return self.model
        except Exception as error:
            self.record.error = str(error)
            raise
        finally:
            if self.shown is not None:
                self.shown.over()

    def _hear(self, event: Event) -> None:
        for callback in list(self.callbacks):
            callback(event)

    def start(self) -> None:
        """Train in the background; the thread ends with the kernel."""
        self.worker.submit(lambda _: self.at_end(self.run()))

    @property
    def configured(self) -> dict[str, float]:
        """Dropout and teacher forcing as the model was configured; empty before training has begun."""
        plan = self.plan or (self.model.plan if self.model is not None and self.record.started is not None else None)
        if plan is None:
            return {}
        return {"dropout": plan.model.dropout or 0.0, "teacher_forcing": plan.training.teacher_forcing}

    async def ended(self, kernel: Any = None) -> TextGenerator:
        """Wait for the thread; an interrupt of the cell stops the training, which keeps its best model.

        Args:
            kernel: what runs the cell, so that widget messages that wait behind the cell can be heard.

        Raises:
            whatever ``fit`` raised.
        """
        while self.running:
            try:
                # An interrupt's signal does not wake the loop when another thread takes it: the loop wakes by itself.
                await asyncio.sleep(WAKE_SECONDS)
                await hear(kernel)
            except asyncio.CancelledError:  # how a kernel interrupts a cell that awaits
                self.controls.stop()
        if self.worker.error is not None:
            raise self.worker.error
        assert self.model is not None
        return self.model


@contextmanager
def _interrupt_calls(stop: Callable[[], None]) -> Iterator[None]:
    """Have the first interrupt call ``stop``, and a second one interrupt; only the main thread gets any."""
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
