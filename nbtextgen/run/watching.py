"""Watching a run that other processes train: the same events and the same controls, whoever started it."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager

from nbtextgen.core.errors import ModelFileError
from nbtextgen.inference.predictor import Predictor
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.run.folder import Run
from nbtextgen.run.requests import POLL_SECONDS
from nbtextgen.training.controls import Controls
from nbtextgen.training.events import Event


class RemoteTraining:
    """What the sessions of runs that other processes train have in common: their settings and their models."""

    is_remote = True

    def __init__(self, run: Run) -> None:
        self._run = run
        self._best: tuple[int, Predictor] | None = None

    @property
    def plan(self) -> Plan:
        """All settings."""
        return self._run.plan

    def predictor(self) -> Predictor | None:
        """The best model, or ``None`` when there is none."""
        return self.best_so_far()

    def best_so_far(self) -> Predictor | None:
        """The best model in the folder, read again when there is a better one."""
        steps = self._run.best.steps()
        if not steps:
            return None
        if self._best is None or self._best[0] != steps[0]:
            try:
                model = self._run.best_model()
            except ModelFileError:
                return None if self._best is None else self._best[1]
            self._best = model.step, model.content
        return self._best[1]


class WatchedTraining(RemoteTraining):
    """The ``TrainingSession`` of a run that other processes train."""

    def __init__(self, run: Run, controls: Controls | None = None) -> None:
        """Watch a run; ``controls`` act on the processes that train it, and begin with earlier requests to them."""
        super().__init__(run)
        self.controls = controls or Controls()
        requested = run.controls.steering()
        self.controls.steer(lambda now: requested)

    def run(self) -> Generator[Event, None, None]:
        """Yield past events, then new ones until no process trains the run."""
        with forwarded(self.controls, self._run):
            yield from self._run.events(follow=True)

    def stop(self) -> None:
        """Stop watching; the training goes on. ``controls.stop()`` ends it."""


@contextmanager
def forwarded(controls: Controls, run: Run) -> Generator[None]:
    """While the block runs, forward changes of these controls to the processes that train the run."""
    over = threading.Event()
    before = run.controls.steering()

    def forward() -> None:
        nonlocal before
        while not over.wait(POLL_SECONDS):
            settings = controls.steering()
            if settings != before:
                before = settings
                try:
                    run.controls.steer(lambda _, settings=settings: settings)
                except ModelFileError:
                    return

    threading.Thread(target=forward, daemon=True).start()
    try:
        yield
    finally:
        over.set()
