"""Training a run in this process: every event is logged, and checkpoints and best models are written to its folder."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Generator, Iterator, Sequence

import torch

from nbtextgen.core.errors import ModelFileError
from nbtextgen.core.files import JsonObject
from nbtextgen.inference.predictor import Predictor
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.pipeline import model_folder
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.pipeline.fit import LocalTraining
from nbtextgen.run.folder import Run
from nbtextgen.run.log import LogWriter
from nbtextgen.run.requests import FollowingControls
from nbtextgen.training.checkpoints import LoadedCheckpoint, write_state
from nbtextgen.training.controls import Controls
from nbtextgen.training.device import choose_device
from nbtextgen.training.distributed import ProcessGroup
from nbtextgen.training.events import Checkpoint, Ended, Event, TrainingWarning, Validation
from nbtextgen.training.state import TrainerState
from nbtextgen.training.threads import threads_on_resume

MEMBER = 1_000_000_000
"""Networks of an ensemble are trained in turn: update ``n`` of network ``k`` is saved as step ``k * MEMBER + n``."""


class RunTraining:
    """The ``TrainingSession`` that trains a run in this process, from its newest checkpoint."""

    is_remote = False

    def __init__(
        self, run: Run, controls: Controls | None = None, notes: Sequence[str] = (), group: ProcessGroup | None = None
    ) -> None:
        """Prepare to train.

        Args:
            run: the run to train.
            controls: stop, pause and live settings; requests in the folder are followed as well.
            notes: warnings for the user, reported first.
            group: the processes that train it together; the first one logs and saves.
        """
        self._group = group or ProcessGroup()
        self._run, self._notes = run, list(notes)
        self._controls = FollowingControls(run.requests, Controls.of(controls))
        self._training: LocalTraining | None = None
        self._log: LogWriter | None = None
        self._device = choose_device(run.plan.training.device)
        self._reported = set[tuple[str, str]]()

    def run(self) -> Generator[Event, None, None]:
        """Train to the end, yielding events.

        Raises:
            ModelFileError: if another process trains the run, or if its files are damaged.
        """
        if self._group.rank:
            self._training = self._open()
            yield from self._training.run()
            return
        self._run.lock.acquire()
        try:
            for series in (self._run.checkpoints, self._run.best):
                series.sweep()
            if not self._restarted():
                self._controls.forget()
            self._log = LogWriter(self._run.log)
            self._training = self._open()
            for event in self._training.run():
                yield from self._record(event)
        except (GeneratorExit, KeyboardInterrupt):
            if self._training is not None and self._training.progress is not None:
                done = self._training.progress
                self._append(Ended("interrupted", done.step, done.best_step, done.seconds))
            raise
        finally:
            if self._log is not None:
                self._log.close()
            self._run.lock.release()

    def stop(self) -> None:
        """End the training under way, keeping its best weights; see ``LocalTraining.stop``."""
        if self._training is not None:
            self._training.stop()

    def predictor(self) -> Predictor | None:
        """The trained model, that in the folder if this process has trained none, or ``None`` if there is none either."""
        predictor = None if self._training is None else self._training.predictor()
        if predictor is None and self._run.best.steps():
            with contextlib.suppress(ModelFileError):  # damaged
                return self._run.best_model().content
        return predictor

    def best_so_far(self) -> Predictor | None:
        """The best model so far; see ``LocalTraining.best_so_far``."""
        return None if self._training is None else self._training.best_so_far()

    @property
    def plan(self) -> Plan:
        """All settings."""
        return self._run.plan

    def _restarted(self) -> bool:
        """Whether torchrun started this process in place of one that died, whose requests still hold."""
        return self._run.agent.held() or os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"

    def _checkpoint(self) -> LoadedCheckpoint[TrainerState] | None:
        """The newest state that the first process can read, the same one in all processes."""
        checkpoint = None if self._group.rank else self._run.checkpoint()
        step = self._group.once(lambda: None if checkpoint is None else checkpoint.step)
        if self._group.rank and step is not None:
            return LoadedCheckpoint(self._run.read_checkpoint(self._run.checkpoints.path(step)), step)
        return checkpoint

    def _open(self) -> LocalTraining:
        """Read everything from the folder."""
        checkpoint, notes = self._checkpoint(), list(self._notes)
        state, done = None, list[Seq2Seq]()
        if checkpoint is not None:
            state = checkpoint.content
            notes += [f"{reason} The checkpoint before it is used." for reason in checkpoint.skipped]
            notes += _differences(state, self._device, threads_on_resume(state.values, self._run.plan.training.threads))
            member = checkpoint.step // MEMBER
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

    # Writing ------------------------------------------------------------------------------------------------------

    def _record(self, event: Event) -> Iterator[Event]:
        """Write what an event announces, then log the event and yield it."""
        if isinstance(event, Checkpoint):
            if not (yield from self._attempt("checkpoint", lambda: self._write_checkpoint(event.step))):
                return
        elif isinstance(event, Ended) or (isinstance(event, Validation) and event.best):
            yield from self._attempt("best model", lambda: self._write_best(event.step))
        yield from self._logged(event)

    def _write_checkpoint(self, step: int) -> None:
        assert self._training is not None and self._log is not None
        state = self._training.state()
        made_with = _made_with(self._device, state.values["threads"]["number"])
        values = {**state.values, "made_with": made_with, "run": self._run.identity}
        state = dataclasses.replace(state, values=values)
        self._log.sync()
        self._run.checkpoints.commit(self._training.member * MEMBER + step, lambda folder: write_state(folder, state))

    def _write_best(self, step: int) -> None:
        assert self._training is not None
        predictor, run = self._training.best_so_far(), self._run
        if predictor is not None:
            key = (len(predictor.networks) - 1) * MEMBER + step
            run.best.commit(
                key, lambda folder: model_folder.write_model(folder, predictor, run.plan, run.options, run.identity)
            )

    def _attempt(self, name: str, write: Callable[[], None]) -> Generator[Event, None, bool]:
        """Call ``write`` and return whether it succeeded; if the disk refuses, warn once and go on."""
        try:
            write()
        except OSError as error:
            reason = error.strerror or str(error)
            if not self._run.folder.is_dir():
                reason = "the folder is gone"
            if self._is_new(name, str(error.errno)):
                yield from self._logged(
                    TrainingWarning(
                        f"The {name} could not be written to {self._run.folder} ({reason}); training goes on, what was "
                        "written before is untouched, and it is tried again each time."
                    )
                )
            return False
        return True

    def _is_new(self, name: str, reason: str) -> bool:
        """Whether this failure has not been reported yet."""
        new = (name, reason) not in self._reported
        self._reported.add((name, reason))
        return new

    def _logged(self, event: Event) -> Iterator[Event]:
        """Write the event to the log, then yield it."""
        failure = self._append(event)
        if failure and self._is_new("log", failure):
            yield TrainingWarning(
                f"The event log {self._run.log} cannot be written ({failure}); training goes on without it."
            )
        yield event

    def _append(self, event: Event) -> str:
        """Log an event; returns why that failed, or an empty string."""
        try:
            if self._log is not None:
                self._log.append(event)
        except OSError as error:
            return error.strerror or str(error)
        return ""


def _made_with(device: torch.device, threads: int) -> dict[str, object]:
    """The conditions that the last bits of a result depend on."""
    return {"torch": torch.__version__, "threads": threads, "device": device.type}


def _differences(state: TrainerState, device: torch.device, threads: int) -> list[str]:
    """A note if the run goes on under other conditions, so that its weights may differ in the last bits."""
    then: JsonObject | None = state.values.get("made_with")
    now = _made_with(device, threads)
    if not isinstance(then, dict):
        return []
    changed = [f"{name} {then.get(name)} then, {value} now" for name, value in now.items() if then.get(name) != value]
    if not changed:
        return []
    return [f"The run goes on under other conditions ({'; '.join(changed)}): weights may differ in the last bits."]
