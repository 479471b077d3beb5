"""The training loop: a generator of events that any number of callbacks can watch."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from nbtextgen.data.batching import Examples, batches
from nbtextgen.model.cpu import return_freed_memory
from nbtextgen.model.isolation import others_turn, seed_generators
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
from nbtextgen.training.schedule import RunLength
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
from nbtextgen.training.step import ThroughputMeter, Update, Updater
from nbtextgen.training.threads import TrainingThreads, is_small
from nbtextgen.training.validation import FEW_UPDATES, ValidationMetric, Validator, unmoved_warning
from nbtextgen.training.weight_averaging import KeptWeights

SETBACKS = 3
"""How often training goes back to a good state before it gives up."""
EXPLODED, HIGH_UPDATES = 3.0, 3
"""A loss this many nats per token above twice its mean is high, and has exploded if so many updates in a row have one. A single
batch may: it holds pairs of one length, which the wrong targets of an untidy table often have in common."""
CHECKPOINT_SHARE = 0.05
"""Checkpoints take at most this fraction of the time."""
TRAINING_SAMPLE = 500
"""Training pairs that are validated on when none are held out."""


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
        metric: ValidationMetric | None = None,
        controls: Controls | None = None,
        choices: Mapping[str, object] | None = None,
        checkpoints: bool = False,
        group: ProcessGroup | None = None,
        epoch_examples: Callable[[Examples, int], Examples] | None = None,
        seconds: float | None = None,
        pretrained: bool = False,
    ) -> None:
        """Prepare a run.

        Args:
            model: the network, with fresh or pretrained weights.
            train: examples to learn from.
            valid: examples held out, or ``None``: then the training loss selects the best checkpoint.
            config: with ``epochs``, ``learning_rate``, ``schedule``, ``batch_tokens`` and ``batch_size`` given.
            metric: generates with the model, for ``select_by`` and for samples.
            controls: stop, pause, learning rate, dropout and teacher forcing from outside.
            choices: settings chosen from the data, for the first event.
            checkpoints: yield a ``Checkpoint`` now and then; while it is handled, ``state`` gives what to keep.
            group: the processes that train together.
            epoch_examples: makes the examples of an epoch from ``train`` and its number, the same ones every time.
            seconds: time limit; replaces ``config.max_minutes``.
            pretrained: the weights have been trained, so few updates and a loss that hardly moves are as they should be.
        """
        assert config.learning_rate and config.schedule and config.batch_tokens and config.batch_size
        self.config = config
        self.train, self.valid = train, valid
        self.controls = controls or Controls()
        self.group = group or ProcessGroup()
        self.choices = dict(choices or {})
        self.device = choose_device(config.device)
        self.precision = choose_precision(config.precision, self.device, model)
        self.model = model.to(self.device)
        self.progress = Progress()
        self.batches = list[NDArray[np.int64]]()  # of the update under way
        self._checkpoints = checkpoints
        self._epoch_examples = epoch_examples
        self._resumed_from: TrainerState | None = None
        self._steering = LiveSettings()
        self._dropouts = [(each, each.probability) for each in model.modules() if isinstance(each, Dropout)]
        self._began = time.perf_counter()
        self._agreed = 0.0
        self._pretrained, self._reported_unmoved = pretrained, pretrained
        small = is_small(model.config.hidden_size or 0, config.batch_size, model.vocabulary_size)
        adaptive = self.device.type == "cpu" and self.group.size == 1
        self.threads = TrainingThreads(config.threads, adaptive=adaptive, small=small)
        self._updater = Updater(self.model, train, config, self.device, self.precision, self.group)
        self.kept = KeptWeights(model, config)  # may be read from any thread
        held_out = train.take(range(min(len(train), TRAINING_SAMPLE))) if valid is None else valid
        self._validator = Validator(self._updater, self.kept, held_out, config, self.threads, metric)
        updates_per_epoch = math.ceil(len(self.epoch_batches(0)) / config.accumulate)
        self.run_length = RunLength(config, updates_per_epoch, seconds, has_validation=valid is not None)

    # The loop -----------------------------------------------------------------------------------------------------

    def run(self) -> Generator[Event, None, None]:
        """Train, yielding events; ends with the best weights in the model, also when interrupted."""
        try:
            with self.threads.in_use():
                yield from self._run()
        finally:
            return_freed_memory()

    def _run(self) -> Iterator[Event]:
        config = self.config
        random_before = random_state(self.device)
        seed_generators(config.seed)
        if self.group.rank:  # dropout should differ between the processes
            seed_generators(config.seed + 1_000_003 * self.group.rank + self.progress.step)
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
        elif self.run_length.steps and self.run_length.steps < FEW_UPDATES and not self._pretrained:
            yield TrainingWarning(
                f"The training is planned with {self.run_length.steps} update{'s' * (self.run_length.steps > 1)} only, too "
                "few for anything to be learned; raise --epochs or --max-steps, or lower --batch-size."
            )
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
        """Put the best weights so far into the model."""
        self.kept.finish()
        self._set_dropout(None)
        self.model.eval()

    def _train(self) -> Generator[Event, None, str]:
        """The epochs; returns why they ended."""
        config, progress = self.config, self.progress
        meter = ThroughputMeter(config.epochs or 0)
        saved, interval = time.perf_counter(), config.checkpoint_seconds
        while True:
            planned = self.epoch_batches(progress.epoch)
            for start in range(progress.position * config.accumulate, len(planned), config.accumulate):
                yield from self.follow_controls()
                stopped = self._steering.stop
                reason = "interrupted" if stopped else self.run_length.reason_to_stop(progress, self._seconds())
                began = time.perf_counter()
                if self._checkpoints and (reason or began - saved >= interval):
                    yield Checkpoint(progress.step, self._seconds())
                    saved = time.perf_counter()
                    if config.checkpoint_seconds:
                        interval = max(config.checkpoint_seconds, (saved - began) / CHECKPOINT_SHARE)
                    meter.leave_out(saved - began)
                if reason:
                    if progress.step != progress.validated_step:
                        yield from self._validate()
                    return reason
                update = self.threads.measure(partial(self.update, planned[start : start + config.accumulate]))
                progress.position += 1
                yield from self.threads.events(progress.step)
                yield from (TrainingWarning(note) for note in self._updater.notes())
                if self._diverged(update.loss / update.tokens):
                    if not (yield from self._go_back(update.loss / update.tokens)):
                        return "diverged"
                else:
                    meter.add(update)
                if meter.due() or progress.step == self.run_length.steps:
                    yield self._step_event(meter)
                if self.run_length.validation_due(progress, self._seconds()):
                    began = time.perf_counter()
                    yield from self._validate()
                    meter.leave_out(time.perf_counter() - began)
            progress.epoch, progress.position = progress.epoch + 1, 0

    def _step_event(self, meter: ThroughputMeter) -> Event:
        progress, seconds = self.progress, self._seconds()
        steps, left = (
            self.run_length.expected_steps(progress, seconds),
            self.run_length.seconds_left(progress, seconds),
        )
        epoch = min(progress.epoch, self.config.epochs or progress.epoch)
        return meter.event(progress.step, steps, epoch, self._rate(), seconds, left)

    def follow_controls(self) -> Iterator[Event]:
        """Take over what was changed from outside, and wait while paused; the same in all processes."""
        while True:
            requested, before = self.controls.steering(), self._steering
            if self.group.size > 1:
                *numbers, self._agreed = self.group.agree([*requested.as_numbers(), self._clock()])
                requested = LiveSettings.from_numbers(numbers)
            self._steering = requested
            self._set_dropout(requested.dropout)
            for name in ("rate_factor", "dropout", "teacher_forcing", "paused"):
                value = getattr(requested, name)
                if value != getattr(before, name):
                    if name != "paused":
                        self.progress.measure_anew()
                    yield Changed(name, value, self.progress.step)
            if requested.stop or not requested.paused:
                return
            began = time.perf_counter()
            with others_turn():
                self.controls.wait(0.5)
            self._began += time.perf_counter() - began

    def _set_dropout(self, probability: float | None) -> None:
        """Give every dropout this probability, or its configured one."""
        for module, configured in self._dropouts:
            module.probability = configured if probability is None else probability

    # Stopping and going on ----------------------------------------------------------------------------------------

    def state(self) -> TrainerState:
        """What ``restore`` needs; whole only between updates, that is while a ``Checkpoint`` is handled.

        The tensors are the living ones: write them before training goes on.
        """
        self.progress.seconds = self._seconds()
        moments = optimizer_tensors(self._updater.optimizer, self.model)
        tensors = {"weights": parameters_of(self.model), "optimizer": moments, "random": random_state(self.device)}
        values = {
            "progress": self.progress.as_dict(),
            "moments": len(moments),  # none before the first update, after a setback, of plain SGD
            "steering": dataclasses.asdict(dataclasses.replace(self._steering, stop=False, paused=False)),
            "threads": self.threads.as_dict(),
        }
        return TrainerState(tensors | self.kept.tensors(), values | self.kept.values())

    def restore(self, state: TrainerState) -> None:
        """Go on from a ``state`` when ``run`` is called; to the bit with the same device and torch, and as many threads.

        Raises:
            ModelFileError: if the state is not one of such a trainer.
        """
        fill(parameters_of(self.model), state.group("weights"), "The checkpoint")
        moments = {} if state.values.get("moments") == 0 else state.group("optimizer")
        restore_optimizer(self._updater.optimizer, self.model, moments)
        self.kept.restore(state)
        self.progress = Progress.from_dict(state.values["progress"])
        self._steering = steering = LiveSettings(**state.values["steering"])
        self.threads.restore(state.values)
        self.controls.steer(lambda now: dataclasses.replace(steering, stop=now.stop, paused=now.paused))
        self._resumed_from = state

    @property
    def examples(self) -> Examples:
        """The examples of the epoch whose batches were planned last."""
        return self._updater.train

    def _seconds(self) -> float:
        """Time spent training. Decisions depend on it, so several processes take that of the first one."""
        return self._clock() if self.group.size == 1 else self._agreed

    def _clock(self) -> float:
        return time.perf_counter() - self._began

    def _agreed_clock(self) -> float:
        """Seconds since the start now, the same in all processes."""
        return self._clock() if self.group.size == 1 else self.group.agree([self._clock()])[0]

    def epoch_batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Row numbers of an epoch's batches, in the order in which they are trained on."""
        config, examples = self.config, self.train
        if self._epoch_examples is not None:
            examples = self._epoch_examples(self.train, epoch)
            self._updater.use(examples)
        assert config.batch_tokens and config.batch_size
        rng = np.random.default_rng([config.seed, epoch])
        return batches(examples, batch_tokens=config.batch_tokens, batch_size=config.batch_size, rng=rng)

    # One update ---------------------------------------------------------------------------------------------------

    def update(self, group: list[NDArray[np.int64]]) -> Update:
        """One optimizer step over a group of batches."""
        requested = self._steering.teacher_forcing
        forcing = self.config.teacher_forcing if requested is None else requested
        self.batches = group
        update = self._updater.update(group, self._rate(), forcing)
        self.batches = []
        if math.isfinite(update.loss):
            self.kept.update(self.run_length.position(self.progress, self._seconds()))
        self.progress.step += 1
        return update

    def _diverged(self, loss: float) -> bool:
        """Whether the loss, in nats per token, has exploded with this update; one that is not far above the mean goes into it."""
        progress, level = self.progress, self.progress.level
        if progress.step == 1:
            progress.first_loss = loss if math.isfinite(loss) else 0.0
        is_high = not math.isfinite(loss) or (level > 0 and loss > 2 * level + EXPLODED)
        progress.risen = progress.risen + 1 if is_high else 0
        if not is_high:
            progress.level = loss if not level else level + 0.05 * (loss - level)
        return not math.isfinite(loss) or progress.risen >= HIGH_UPDATES

    def _go_back(self, loss: float) -> Generator[Event, None, bool]:
        """Return to the last good weights, with half the rate and a fresh optimizer; gives whether that may help."""
        progress = self.progress
        progress.risen = 0
        if by_hand := self._steering.risks():
            self.controls.steer(LiveSettings.without_risks)
            self.kept.go_back()
            self._updater.optimizer.state.clear()
            yield TrainingWarning(
                f"The loss went up to {loss:.3g} at update {progress.step:,} with {by_hand}, set by hand: that is undone, and "
                "training goes on from the last good state."
            )
            return True
        if progress.setbacks == SETBACKS:
            yield TrainingWarning(
                f"The loss went up to {loss:.3g} again at update {progress.step:,}, after {SETBACKS} returns to the last good "
                "state: training stopped, the best model so far is kept. Use a lower --learning-rate."
            )
            return False
        self.kept.go_back()
        self._updater.optimizer.state.clear()
        progress.halvings += 1
        progress.setbacks += 1
        if progress.setbacks == 1:
            yield TrainingWarning(
                f"The loss went up to {loss:.3g} at update {progress.step:,}: training goes on from the last good state "
                "(the best validated one) with half the learning rate, and would do so twice more."
            )
        return True

    def _rate(self) -> float:
        share = self.run_length.rate(self.progress, self._seconds())
        return (self.config.learning_rate or 0.0) * share * 0.5**self.progress.halvings * self._steering.rate_factor

    # Validation ---------------------------------------------------------------------------------------------------

    def _validate(self) -> Iterator[Event]:
        """Validate and report."""
        progress, began = self.progress, self._agreed_clock()
        outcome = self._validator.validate(progress)
        self.run_length.validated(progress, began, self._agreed_clock())
        generated, named = outcome.generated, (outcome.metric_name, outcome.metric, outcome.best)
        task = (generated.task_name, generated.task, generated.task_pairs)
        yield Validation(progress.step, progress.epoch, outcome.loss, *named, self._seconds(), *task)
        for source, target, output in generated.samples:
            yield Sample(progress.step, source, target, output)
        yield from self._check_learning()

    def _check_learning(self) -> Iterator[Event]:
        """Warn once if the training loss has not moved since the first update."""
        share = self.run_length.share(self.progress, self._seconds())
        if not self._reported_unmoved and (warning := unmoved_warning(self.progress, share, self.config)):
            self._reported_unmoved = True
            yield TrainingWarning(warning)
