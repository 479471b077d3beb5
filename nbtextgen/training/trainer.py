"""The training loop: a generator of events that any number of callbacks can watch."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch

from nbtextgen.data.batching import Examples, batches
from nbtextgen.model.recurrent import Dropout
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.training.config import TrainingConfig
from nbtextgen.training.controls import Controls, LiveSettings
from nbtextgen.training.device import choose_device, choose_precision
from nbtextgen.training.distributed import ProcessGroup
from nbtextgen.training.events import (
    Changed,
    Checkpoint,
    Ended,
    Event,
    Resumed,
    Sample,
    Started,
    TrainingWarning,
    Validation,
)
from nbtextgen.training.state import (
    Progress,
    TrainerState,
    fill,
    optimizer_tensors,
    parameters_of,
    random_state,
    restore_optimizer,
    restore_random_state,
)
from nbtextgen.training.step import Updater
from nbtextgen.training.stopping import RunLength
from nbtextgen.training.threads import TrainingThreads, is_small
from nbtextgen.training.throughput import ThroughputMeter
from nbtextgen.training.validation import (
    ValidationMetric,
    ValidationResult,
    selected_metric,
    selection_key,
    validation_scores,
)
from nbtextgen.training.weight_averaging import LastAverage, MovingAverage, Weights, put, snapshot

SETBACKS = 3
"""How often training goes back to a good state before it gives up."""
EXPLODED = 3.0
"""A loss this many nats per token above twice its mean is no noise."""


class Trainer:
    """Trains one network and keeps its best weights.

    ``for event in trainer.run(): ...`` does the work; afterwards the model holds the best weights seen. When the
    loop is left early, ``finish`` puts them there.
    """

    def __init__(
        self,
        model: Seq2Seq,
        train: Examples,
        valid: Examples | None,
        config: TrainingConfig,
        *,
        judge: ValidationMetric | None = None,
        controls: Controls | None = None,
        choices: Mapping[str, object] | None = None,
        checkpoints: bool = False,
        group: ProcessGroup | None = None,
        epoch_examples: Callable[[Examples, int], Examples] | None = None,
        seconds: float | None = None,
    ) -> None:
        """Prepare a run.

        Args:
            model: the network, with fresh or pretrained weights.
            train: examples to learn from.
            valid: examples held out, or ``None``: then the training loss selects the best checkpoint.
            config: with ``epochs``, ``learning_rate``, ``schedule``, ``batch_tokens`` and ``batch_size`` given.
            judge: lets the model write, for ``select_by`` and for samples.
            controls: stop, pause, learning rate, dropout and teacher forcing from outside.
            choices: settings chosen from the data, for the first event.
            group: the processes that train together.
            checkpoints: yield a ``Checkpoint`` now and then; while it is handled, ``state`` gives what to keep.
            epoch_examples: makes the examples of an epoch from ``train`` and its number, the same ones every time.
            seconds: time limit; replaces ``config.max_minutes``.
        """
        assert config.learning_rate and config.schedule and config.batch_tokens and config.batch_size
        self.config = config
        self.train, self.valid, self.judge = train, valid, judge
        self.controls = controls or Controls()
        self.group = group or ProcessGroup()
        self.choices = dict(choices or {})
        self.device = choose_device(config.device)
        self.precision = choose_precision(config.precision, self.device)
        self.model = model.to(self.device)
        self.best_weights: Weights | None = None
        self.progress = Progress()
        self._checkpoints = checkpoints
        self._epoch_examples = epoch_examples
        self._resumed_from: TrainerState | None = None
        self._steering = LiveSettings()
        self._dropouts = [(each, each.probability) for each in model.modules() if isinstance(each, Dropout)]
        self._began = time.perf_counter()
        self._agreed = 0.0
        small = is_small(model.config.hidden_size or 0, config.batch_size, model.vocabulary_size)
        adaptive = self.device.type == "cpu" and self.group.size == 1
        self.threads = TrainingThreads(config.threads, adaptive=adaptive, small=small)
        self._updater = Updater(self.model, train, config, self.device, self.precision, self.group)
        self._first_weights = snapshot(self.model)
        self._ema = MovingAverage(model, config.ema_decay) if config.average == "ema" else None
        self._last = LastAverage(config.average_last) if config.average == "last" else None
        updates_per_epoch = math.ceil(len(self.epoch_batches(0)) / config.accumulate)
        self.run_length = RunLength(config, updates_per_epoch, seconds)

    # The loop -----------------------------------------------------------------------------------------------------

    def run(self) -> Generator[Event, None, None]:
        """Train, yielding events; ends with the best weights in the model, also when interrupted."""
        with self.threads.in_use():
            yield from self._run()

    def _run(self) -> Iterator[Event]:
        config = self.config
        random_before = random_state(self.device)
        torch.manual_seed(config.seed)
        if self.group.rank:  # dropout should differ between the processes
            torch.manual_seed(config.seed + 1_000_003 * self.group.rank + self.progress.step)
        elif self._resumed_from is not None:
            restore_random_state(self._resumed_from.group("random"), self.device)
        self._began = time.perf_counter() - self.progress.seconds
        yield Started(
            parameters=sum(parameter.numel() for parameter in self.model.parameters()),
            pairs=len(self.train),
            valid_pairs=len(self.valid) if self.valid is not None else 0,
            steps=self.run_length.expected_steps(self.progress, self.progress.seconds),
            epochs=config.epochs or 0,
            device=str(self.device),
            precision=self.precision,
            choices=self.choices,
            threads=self.threads.number,
        )
        if self._resumed_from is not None:
            yield Resumed(self.progress.step, self.progress.epoch, self.progress.seconds)
            self._resumed_from = None
        reason = "interrupted"
        try:
            reason = yield from self._train()
        except KeyboardInterrupt:
            pass
        finally:
            self.finish()
            restore_random_state(random_before, self.device)
        yield Ended(reason, self.progress.step, self.progress.best_step, self._seconds())

    def finish(self) -> None:
        """Put the best weights found so far into the model."""
        if self.best_weights is not None:
            put(self.model, self.best_weights)
        elif self._ema is not None and self._ema.updates:
            put(self.model, self._averaged())
        self._set_dropout(None)
        self.model.eval()

    def _train(self) -> Iterator[Event]:
        """The epochs; returns why it ended (a generator's return value)."""
        config, done = self.config, self.progress
        report = ThroughputMeter(config.epochs or 0)
        kept, interval = time.perf_counter(), config.checkpoint_seconds
        while True:
            groups = list(_grouped(self.epoch_batches(done.epoch), config.accumulate))
            for group in groups[done.position :]:
                yield from self.follow_controls()
                reason = "interrupted" if self._steering.stop else self.run_length.reason_to_stop(done, self._seconds())
                began = time.perf_counter()
                if self._checkpoints and (reason or began - kept >= interval):
                    yield Checkpoint(done.step, self._seconds())
                    kept = time.perf_counter()
                    if config.checkpoint_seconds:  # at most a twentieth of the time goes into checkpoints
                        interval = max(config.checkpoint_seconds, 20 * (kept - began))
                    report.leave_out(kept - began)
                if reason:
                    if done.step != done.validated_step:
                        yield from self._validate()
                    return reason
                loss, tokens, seen = self.threads.measure(partial(self.update, group))
                done.position += 1
                yield from self.threads.events(done.step)
                yield from (TrainingWarning(note) for note in self._updater.notes())
                if self._went_wrong(loss / tokens):
                    if not (yield from self._go_back(loss / tokens)):
                        return "diverged"
                else:
                    report.add(loss, tokens, seen)
                if report.due() or done.step == self.run_length.steps:
                    epoch = min(done.epoch, config.epochs or done.epoch)
                    seconds = self._seconds()
                    steps, left = (
                        self.run_length.expected_steps(done, seconds),
                        self.run_length.seconds_left(done, seconds),
                    )
                    yield report.event(done.step, steps, epoch, self._rate(), seconds, left)
                if self.run_length.validation_due(done, self._seconds()):
                    began = time.perf_counter()
                    yield from self._validate()
                    report.leave_out(time.perf_counter() - began)
            done.epoch, done.position = done.epoch + 1, 0

    def follow_controls(self) -> Iterator[Event]:
        """Take over what was changed from outside, and wait while paused; the same in all processes."""
        while True:
            wanted, known = self.controls.steering(), self._steering
            if self.group.size > 1:
                *asked, self._agreed = self.group.agree([*wanted.as_numbers(), self._clock()])
                wanted = LiveSettings.from_numbers(asked)
            self._steering = wanted
            self._set_dropout(wanted.dropout)
            for name in ("rate_factor", "dropout", "teacher_forcing", "paused"):
                value = getattr(wanted, name)
                if value != getattr(known, name):
                    yield Changed(name, value, self.progress.step)
            if wanted.stop or not wanted.paused:
                return
            began = time.perf_counter()
            self.controls.wait(0.5)
            self._began += time.perf_counter() - began

    def _set_dropout(self, wanted: float | None) -> None:
        """Give every dropout this probability, or its configured one."""
        for module, configured in self._dropouts:
            module.probability = configured if wanted is None else wanted

    # Stopping and going on ----------------------------------------------------------------------------------------

    def state(self) -> TrainerState:
        """What ``restore`` needs; whole only between updates, that is while a ``Checkpoint`` is handled.

        The tensors are the living ones: write them before training goes on.
        """
        self.progress.seconds = self._seconds()
        tensors = {
            "weights": parameters_of(self.model),
            "optimizer": optimizer_tensors(self._updater.optimizer, self.model),
            "random": random_state(self.device),
        }
        values: dict[str, Any] = {
            "progress": self.progress.as_dict(),
            "moments": len(tensors["optimizer"]),  # none before the first update, after a setback, of plain SGD
            "steering": dataclasses.asdict(dataclasses.replace(self._steering, stop=False, paused=False)),
            "threads": self.threads.as_dict(),
        }
        if self.best_weights is not None:
            tensors["best"] = self.best_weights
        else:
            tensors["first"] = self._first_weights
        if self._ema is not None:
            tensors["average"] = dict(zip(tensors["weights"], self._ema.mean, strict=True))
            values["average_updates"] = self._ema.updates
        if self._last is not None:
            tensors |= {f"last-{number}": weights for number, weights in enumerate(self._last.kept, 1)}
        return TrainerState(tensors, values)

    def restore(self, state: TrainerState) -> None:
        """Go on from a ``state`` when ``run`` is called; to the bit with the same device and torch, and as many threads.

        Raises:
            ModelFileError: when the state is not one of such a trainer.
        """
        living = parameters_of(self.model)
        fill(living, state.group("weights"), "The checkpoint")
        moments = {} if state.values.get("moments") == 0 else state.group("optimizer")
        restore_optimizer(self._updater.optimizer, self.model, moments)
        if "best" in state.tensors:
            self.best_weights = snapshot(self.model)
            fill(self.best_weights, state.group("best"), "The checkpoint's best model")
        else:
            fill(self._first_weights, state.group("first"), "The checkpoint's first weights")
        if self._ema is not None:
            fill(dict(zip(living, self._ema.mean, strict=True)), state.group("average"), "The checkpoint's average")
            self._ema.updates = int(state.values["average_updates"])
        if self._last is not None:
            for number in range(1, self.config.average_last + 1):
                if f"last-{number}" in state.tensors:
                    self._last.add(snapshot(self.model))
                    fill(self._last.kept[-1], state.group(f"last-{number}"), "The checkpoint's average")
        self.progress = Progress.from_dict(state.values["progress"])
        self._steering = LiveSettings(**state.values["steering"])
        self.threads.restore(state.values)
        steering = self._steering
        self.controls.steer(lambda now: dataclasses.replace(steering, stop=now.stop, paused=now.paused))
        self._resumed_from = state

    @property
    def examples(self) -> Examples:
        """The examples of the epoch whose batches were planned last."""
        return self._updater.train

    @property
    def steps_done(self) -> int:
        """Updates made so far."""
        return self.progress.step

    def _seconds(self) -> float:
        """Time spent training; what the first process says where there are several, for decisions hang on it."""
        return self._clock() if self.group.size == 1 else self._agreed

    def _clock(self) -> float:
        return time.perf_counter() - self._began

    def _agreed_clock(self) -> float:
        """Seconds since the start now, the same in all processes."""
        return self._clock() if self.group.size == 1 else self.group.agree([self._clock()])[0]

    def epoch_batches(self, epoch: int) -> list[np.ndarray]:
        """Row numbers of an epoch's batches, in the order in which they are trained on."""
        rng = np.random.default_rng([self.config.seed, epoch])
        examples = self.train
        if self._epoch_examples is not None:
            examples = self._epoch_examples(self.train, epoch)
            self._updater.use(examples)
        return batches(
            examples,
            batch_tokens=self.config.batch_tokens or 1,
            batch_size=self.config.batch_size or 1,
            rng=rng,
        )

    # One update ---------------------------------------------------------------------------------------------------

    def update(self, group: list[np.ndarray]) -> tuple[float, int, int]:
        """One optimizer step over a group of batches; gives summed loss, target tokens, and all tokens read."""
        wanted = self._steering.teacher_forcing
        forcing = self.config.teacher_forcing if wanted is None else wanted
        done = self._updater.update(group, self._rate(), forcing)
        if math.isfinite(done.loss) and self._ema is not None:
            self._ema.update()
        self.progress.step += 1
        return done.loss, done.tokens, done.seen

    def _went_wrong(self, loss: float) -> bool:
        """Whether an update's loss, in nats per token, shows that training has left its course."""
        level = self.progress.level
        if not math.isfinite(loss) or (level and loss > 2 * level + EXPLODED):
            return True
        self.progress.level = loss if not level else level + 0.05 * (loss - level)
        return False

    def _go_back(self, loss: float) -> Generator[Event, None, bool]:
        """Return to the last good weights, with half the rate and a fresh optimizer; gives whether that may help."""
        done = self.progress
        if done.setbacks == SETBACKS:
            yield TrainingWarning(
                f"The loss went up to {loss:.3g} again at update {done.step:,}, after {SETBACKS} returns to the last good "
                "state: training stopped, the best model so far is kept. Use a lower --learning-rate."
            )
            return False
        put(self.model, self.best_weights if self.best_weights is not None else self._first_weights)
        self._updater.optimizer.state.clear()
        done.halvings += 1
        done.setbacks += 1
        if done.setbacks == 1:
            yield TrainingWarning(
                f"The loss went up to {loss:.3g} at update {done.step:,}: training goes on from the last good state "
                "(the best validated one) with half the learning rate, and would do so twice more."
            )
        return True

    def _rate(self) -> float:
        config = self.config
        share = self.run_length.rate(self.progress, self._seconds())
        return (config.learning_rate or 0.0) * share * 0.5**self.progress.halvings * self._steering.rate_factor

    # Validation ---------------------------------------------------------------------------------------------------

    def _averaged(self) -> Weights:
        assert self._ema is not None
        with self._ema.applied():
            return snapshot(self.model)

    def _validate(self) -> Iterator[Event]:
        """Measure, remember the weights if they are the best, and report."""
        config, done, began = self.config, self.progress, self._agreed_clock()
        held = self.valid if self.valid is not None else self.train.take(range(min(len(self.train), 500)))
        with self._ema.applied() if self._ema is not None else nullcontext():
            self.model.eval()
            weights = None
            if self._last is not None:
                live = snapshot(self.model)
                self._last.add(live)
                put(self.model, self._last.mean())
            scores = validation_scores(self._updater, held)
            with self.threads.all_threads():
                judgement = self.group.once(
                    lambda: self.judge(self.model) if self.judge else ValidationResult(None, False)
                )
            name, value = selected_metric(config.select_by, scores, judgement)
            key = selection_key(name, value, scores, judgement)
            best = self.best_weights is None or key < done.best
            if best:
                weights = snapshot(self.model)
            if self._last is not None:
                put(self.model, live)  # pyright: ignore[reportPossiblyUnboundVariable]
        if best:
            done.best, self.best_weights, done.best_step = key, weights, done.step
        if best or scores.loss < done.best_loss:
            done.stale = 0
        else:
            done.stale += 1
            if config.schedule == "plateau":
                done.halvings += 1
        done.best_loss = min(done.best_loss, scores.loss)
        self.run_length.validated(done, began, self._agreed_clock())
        yield Validation(done.step, done.epoch, scores.loss, name, value, best, self._seconds())
        for source, target, output in judgement.samples:
            yield Sample(done.step, source, target, output)


def _grouped(parts: list[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    for start in range(0, len(parts), size):
        yield parts[start : start + size]
