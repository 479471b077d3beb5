"""What runs there are, as plain records to look at, sort and compare."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbtextgen.core.errors import ModelFileError
from nbtextgen.run.folder import Run
from nbtextgen.training.events import Ended, Event, Resumed, Started, Step, Validation


@dataclass(frozen=True)
class RunRecord:
    """One run in figures.

    Attributes:
        name, folder, created: what it is called, where it is, when it began (UTC).
        state: ``training``, ``finished``, ``early``, ``time``, ``interrupted``, ``diverged``; ``broken off`` when its
            process died; ``unreadable`` with ``problem`` saying why.
        step, steps, epoch: updates done and planned, passes begun.
        seconds: time spent training.
        pairs, parameters: what it learned from, and how much there was to learn.
        metric_name, metric: the figure that selects the best model, and its best value.
        best_loss: validation loss of that model, nats per target token.
        best_step: the update it is from.
        settings: all settings by name.
        fingerprint: the same for two runs on the same pairs.
    """

    name: str
    folder: Path
    created: str = ""
    state: str = "unreadable"
    step: int = 0
    steps: int = 0
    epoch: int = 0
    seconds: float = 0.0
    pairs: int = 0
    parameters: int = 0
    metric_name: str = "loss"
    metric: float = math.nan
    best_loss: float = math.nan
    best_step: int = 0
    settings: dict[str, Any] | None = None
    fingerprint: str = ""
    problem: str = ""


def runs(folder: str | Path = "runs") -> list[RunRecord]:
    """All runs in a folder, newest first; one that cannot be read is listed with its problem.

    Args:
        folder: where ``fit(run=...)`` puts them.
    """
    place = Path(folder)
    if not place.is_dir():
        return []
    found = [record(path) for path in place.iterdir() if not path.name.startswith(".") and Run.is_one(path)]
    return sorted(found, key=lambda one: (one.created, one.name), reverse=True)


def record(folder: Path) -> RunRecord:
    """The figures of one run."""
    try:
        run = Run.open(folder)
    except ModelFileError as error:
        return RunRecord(folder.name, folder, problem=str(error))
    values: dict[str, Any] = {"state": "training" if run.training else "broken off"}
    for event in run.history():
        values |= _figures(event)
    if run.training:
        values["state"] = "training"
    settings = {name: value for part in run.plan.as_dict().values() for name, value in part.items()}
    return RunRecord(run.name, folder, run.created, settings=settings, fingerprint=run.fingerprint, **values)


def _figures(event: Event) -> dict[str, Any]:
    """What an event changes."""
    if isinstance(event, Started):
        return {"pairs": event.pairs, "parameters": event.parameters, "steps": event.steps, "state": "broken off"}
    if isinstance(event, Step):
        return {"step": event.step, "epoch": event.epoch, "seconds": event.seconds}
    if isinstance(event, Resumed):
        return {"step": event.step, "epoch": event.epoch, "seconds": event.seconds}
    if isinstance(event, Validation):
        now = {"step": event.step, "epoch": event.epoch, "seconds": event.seconds, "metric_name": event.metric_name}
        if event.best:
            now |= {"metric": event.metric, "best_loss": event.loss, "best_step": event.step}
        return now
    if isinstance(event, Ended):
        return {"state": event.reason, "step": event.step, "seconds": event.seconds}
    return {}
