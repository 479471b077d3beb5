"""Watching a run that other processes train: the same events, the same controls, whoever started it."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from nbtextgen.core.errors import ModelFileError
from nbtextgen.inference.predictor import Predictor
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.run.folder import Run
from nbtextgen.training.controls import Controls
from nbtextgen.training.events import Event

LOOK_SECONDS = 0.1


class WatchedTraining:
    """The ``TrainingSession`` of a run that other processes train."""

    def __init__(self, run: Run, controls: Controls | None = None) -> None:
        """Look at a run; ``controls`` act on those who train it, and begin with what was asked of them before."""
        self._run, self.controls = run, controls or Controls()
        asked = run.controls.steering()
        self.controls.steer(lambda now: asked)
        self._best: tuple[int, Predictor] | None = None

    @property
    def plan(self) -> Plan:
        """All settings."""
        return self._run.plan

    def run(self) -> Generator[Event, None, None]:
        """Yield what has happened so far and what happens, until nobody trains it any more."""
        with forwarded(self.controls, self._run):
            yield from self._run.events(follow=True)

    def stop(self) -> None:
        """Stop watching; the training goes on. To end it, too, there is ``controls.stop()``."""

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
                found = self._run.best_model()
            except ModelFileError:
                return None if self._best is None else self._best[1]
            self._best = found.step, found.content
        return self._best[1]


@contextmanager
def forwarded(controls: Controls, run: Run) -> Iterator[None]:
    """While the block runs, hand on what is set in this process to those who train the run."""
    over = threading.Event()
    known = run.controls.steering()

    def forward() -> None:
        nonlocal known
        while not over.wait(LOOK_SECONDS):
            wanted = controls.steering()
            if wanted != known:
                known = wanted
                try:
                    run.controls.steer(lambda _, wanted=wanted: wanted)
                except ModelFileError:
                    return

    threading.Thread(target=forward, daemon=True).start()
    try:
        yield
    finally:
        over.set()
