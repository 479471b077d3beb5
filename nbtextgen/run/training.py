"""Training a run's folder: every event is logged, the state and the best model are kept as they come."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import torch

from nbtextgen.inference.predictor import Predictor
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.pipeline import model_folder
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.pipeline.fit import LocalTraining
from nbtextgen.run.folder import Run
from nbtextgen.run.log import LogWriter
from nbtextgen.run.requests import Requested
from nbtextgen.training.checkpoints import FoundCheckpoint, read_state, write_state
from nbtextgen.training.controls import Controls
from nbtextgen.training.device import choose_device
from nbtextgen.training.distributed import ProcessGroup
from nbtextgen.training.events import Checkpoint, Ended, Event, TrainingWarning, Validation
from nbtextgen.training.state import TrainerState
from nbtextgen.training.threads import threads_on_resume

MEMBER = 1_000_000_000
"""Networks of an ensemble follow one another: update ``n`` of network ``k`` is filed as step ``k * MEMBER + n``."""


class RunTraining:
    """The ``TrainingSession`` that trains a run in this process, from its newest checkpoint."""

    def __init__(
        self, run: Run, controls: Controls | None = None, notes: Sequence[str] = (), group: ProcessGroup | None = None
    ) -> None:
        """Prepare to train.

        Args:
            run: what to train.
            controls: stop, pause and live settings; requests in the folder are followed as well.
            notes: what the user should know first.
            group: the processes that train it together; the first one logs and keeps.
        """
        self._group = group or ProcessGroup()
        self._run, self._notes = run, list(notes)
        self._controls = Requested(run.requests, controls or Controls())
        self._fitting: LocalTraining | None = None
        self._log: LogWriter | None = None
        self._device = choose_device(run.plan.training.device)
        self._said: set[tuple[str, str]] = set()

    def run(self) -> Generator[Event, None, None]:
        """Train to the end, yielding events.

        Raises:
            ModelFileError: when another process trains the run, or what it holds is damaged.
        """
        if self._group.rank:
            self._fitting = self._prepared()
            yield from self._fitting.run()
            return
        self._run.lock.acquire()
        try:
            for series in (self._run.checkpoints, self._run.best):
                series.sweep()
            if not self._started_again():
                self._controls.forget()
            self._log = LogWriter(self._run.log)
            self._fitting = self._prepared()
            for event in self._fitting.run():
                yield from self._handled(event)
        except (GeneratorExit, KeyboardInterrupt):
            if self._fitting is not None and self._fitting.progress is not None:
                done = self._fitting.progress
                self._append(Ended("interrupted", done.step, done.best_step, done.seconds))
            raise
        finally:
            if self._log is not None:
                self._log.close()
            self._run.lock.release()

    def stop(self) -> None:
        """End the training under way, keeping its best weights; see ``LocalTraining.stop``."""
        if self._fitting is not None:
            self._fitting.stop()

    def predictor(self) -> Predictor | None:
        """What was trained, or ``None`` when nothing was."""
        return None if self._fitting is None else self._fitting.predictor()

    def best_so_far(self) -> Predictor | None:
        """The best so far; see ``LocalTraining.best_so_far``."""
        return None if self._fitting is None else self._fitting.best_so_far()

    @property
    def plan(self) -> Plan:
        """All settings."""
        return self._run.plan

    def _started_again(self) -> bool:
        """Whether what was asked of those who died is still to be followed: torchrun started this process in their place."""
        return self._run.agent.held() or os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"

    def _checkpoint(self) -> FoundCheckpoint[TrainerState] | None:
        """The newest good state, the same in all processes: the first, which has tidied up before, says which."""
        found = None if self._group.rank else self._run.checkpoint()
        step = self._group.once(lambda: None if found is None else found.step)
        if self._group.rank and step is not None:
            return FoundCheckpoint(read_state(self._run.checkpoints.path(step)), step)
        return found

    def _prepared(self) -> LocalTraining:
        """Read everything from the folder."""
        found, notes = self._checkpoint(), list(self._notes)
        state, done = None, list[Seq2Seq]()
        if found is not None:
            state = found.content
            notes += [f"{why} The checkpoint before it is used." for why in found.skipped]
            notes += _differences(state, self._device, threads_on_resume(state.values, self._run.plan.training.threads))
            member = found.step // MEMBER
            if member:
                done = self._run.best_model().content.networks[:member]
        run = self._run
        return LocalTraining(
            run.plan,
            run.training_data(),
            self._controls,
            checkpoints=True,
            done=done,
            state=state,
            notes=notes,
            group=self._group,
        )

    # Keeping ------------------------------------------------------------------------------------------------------

    def _handled(self, event: Event) -> Iterator[Event]:
        """Keep what an event brings, then log it and hand it on."""
        assert self._fitting is not None
        if isinstance(event, Checkpoint):
            state = self._fitting.state()
            made_with = _made_with(self._device, state.values["threads"]["number"])
            state = dataclasses.replace(state, values={**state.values, "made_with": made_with})
            written = yield from self._kept("checkpoint", lambda: self._write_checkpoint(event.step, state))
            if not written:
                return
        elif isinstance(event, Ended) or (isinstance(event, Validation) and event.best):
            yield from self._kept("best model", lambda: self._write_best(event.step))
        yield from self._logged(event)

    def _write_checkpoint(self, step: int, state: TrainerState) -> None:
        assert self._fitting is not None and self._log is not None
        self._log.sync()
        self._run.checkpoints.commit(self._fitting.member * MEMBER + step, lambda folder: write_state(folder, state))

    def _write_best(self, step: int) -> None:
        assert self._fitting is not None
        predictor, run = self._fitting.best_so_far(), self._run
        if predictor is not None:
            key = (len(predictor.networks) - 1) * MEMBER + step
            run.best.commit(key, lambda folder: model_folder.write_model(folder, predictor, run.plan, run.options))

    def _kept(self, what: str, write: Callable[[], None]) -> Generator[Event, None, bool]:
        """Do ``write``; where the disk refuses, say so once and train on. Gives whether it was written."""
        try:
            write()
        except OSError as error:
            why = error.strerror or str(error)
            if not self._run.folder.is_dir():
                why = "the folder is gone"
            if (what, why) not in self._said:
                self._said.add((what, why))
                yield from self._logged(
                    TrainingWarning(
                        f"The {what} could not be written to {self._run.folder} ({why}); training goes on, what was "
                        "written before is untouched, and it is tried again each time."
                    )
                )
            return False
        return True

    def _logged(self, event: Event) -> Iterator[Event]:
        """Write the event to the log, then hand it on."""
        if self._log is not None:
            failed = self._append(event)
            if failed and ("log", failed) not in self._said:
                self._said.add(("log", failed))
                yield TrainingWarning(
                    f"The event log {self._run.log} cannot be written ({failed}); training goes on without it."
                )
        yield event

    def _append(self, event: Event) -> str:
        """Log an event; gives why not, or nothing."""
        try:
            if self._log is not None:
                self._log.append(event)
        except OSError as error:
            return error.strerror or str(error)
        return ""


def _made_with(device: torch.device, threads: int) -> dict[str, Any]:
    """What the bits of a result depend on, beside the run itself."""
    return {"torch": torch.__version__, "threads": threads, "device": device.type}


def _differences(state: TrainerState, device: torch.device, threads: int) -> list[str]:
    """A note when the run goes on under other conditions, so that it may differ in the last bits."""
    then, now = state.values.get("made_with"), _made_with(device, threads)
    if not isinstance(then, dict):
        return []
    changed = [f"{name} {then.get(name)} then, {value} now" for name, value in now.items() if then.get(name) != value]
    if not changed:
        return []
    return [f"The run goes on under other conditions ({'; '.join(changed)}): weights may differ in the last bits."]
