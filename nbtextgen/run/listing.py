"""The list of runs, as plain records to sort and compare."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from nbtextgen.core.errors import ModelFileError
from nbtextgen.core.files import JsonObject, checked_path
from nbtextgen.run.folder import Run
from nbtextgen.training.events import Ended, Event, Resumed, Started, Step, Validation


@dataclass(frozen=True)
class RunRecord:
    """Summary of one run.

    Attributes:
        name, folder, created: its name, its folder, when it began (UTC).
        state: ``training``, ``finished``, ``early``, ``time``, ``interrupted``, ``diverged``; ``broken off`` if its
            process died; ``unreadable`` with the reason in ``problem``.
        step, steps, epoch: updates done and planned, passes begun; 0 are planned where a time limit leaves the number open.
        seconds: time spent training.
        pairs, parameters: training pairs, and learned parameters of the network.
        metric_name, metric: the metric that selects the best model, and its best value.
        best_loss: validation loss of that model, nats per target token.
        best_step: the update it is from.
        settings: all settings by name.
        fingerprint: equal for two runs on the same pairs.
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
    settings: JsonObject | None = None
    fingerprint: str = ""
    problem: str = ""

    @property
    def updates(self) -> str:
        """The updates done and planned in words: ``302 of 900``, or ``302`` where a time limit leaves the number open."""
        return f"{self.step:,} of {self.steps:,}" if self.steps else f"{self.step:,}"


def runs(folder: str | Path = "runs") -> list[RunRecord]:
    """All runs in a folder, newest first; a run that cannot be read is listed with its problem.

    Args:
        folder: the parent folder of the runs, as in ``fit(run=...)``.

    Raises:
        ModelFileError: for a file, or a folder that is a run itself.

    Example:
        >>> small = TextGenerator(hidden_size=8, max_steps=2).fit(pairs, run="runs/first", callbacks=[])
        >>> [(each.name, each.state, each.step) for each in runs()]
        [('first', 'finished', 2)]
    """
    parent = checked_path(folder)
    if parent.is_file():
        raise ModelFileError(f"{parent} is a file; give the folder that holds the runs.")
    if not parent.is_dir():
        return []
    if Run.is_run(parent):
        raise ModelFileError(
            f"{parent} is a run itself; give the folder that holds the runs, {parent.absolute().parent}."
        )
    records = [record(path) for path in parent.iterdir() if not path.name.startswith(".") and Run.is_run(path)]
    return sorted(records, key=lambda each: (each.created, each.name), reverse=True)


def record(folder: Path) -> RunRecord:
    """The summary of one run."""
    try:
        run = Run.open(folder)
    except ModelFileError as error:
        return RunRecord(folder.name, folder, problem=str(error))
    values: JsonObject = {"state": "broken off"}
    for event in run.history():
        values |= _values(event)
    if run.training:
        values["state"] = "training"
    settings = {name: value for part in run.plan.as_dict().values() for name, value in part.items()}
    return RunRecord(run.name, folder, run.created, settings=settings, fingerprint=run.fingerprint, **values)


def _values(event: Event) -> JsonObject:
    """The attributes of a record that an event changes."""
    if isinstance(event, Started):
        return {"pairs": event.pairs, "parameters": event.parameters, "steps": event.steps, "state": "broken off"}
    if isinstance(event, Ended):
        return {"state": event.reason, "step": event.step, "seconds": event.seconds}
    if not isinstance(event, Step | Resumed | Validation):
        return {}
    values: JsonObject = {"step": event.step, "epoch": event.epoch, "seconds": event.seconds}
    if isinstance(event, Validation):
        values["metric_name"] = event.metric_name
        if event.best:
            values |= {"metric": event.metric, "best_loss": event.loss, "best_step": event.step}
    return values
