"""The training loop: a generator of events that any number of listeners can watch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nbtextgen.data.examples import Examples, batches, pad, padded_batches
from nbtextgen.data.tokenizer import MASK, PAD
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.training.averaging import LastAverage, MovingAverage, Weights, snapshot
from nbtextgen.training.config import TrainingConfig
from nbtextgen.training.controls import Controls
from nbtextgen.training.device import choose_device, choose_precision
from nbtextgen.training.events import Ended, Event, Sample, Started, Step, Validation, Warning
from nbtextgen.training.schedule import rate_at

REPORT_SECONDS = 0.2


@dataclass(frozen=True)
class Judgement:
    """What a judge found by letting the model write: the figure that selects checkpoints (or none), and samples."""

    metric: float | None
    higher_is_better: bool
    samples: tuple[tuple[str, str, str], ...] = ()


Judge = Callable[[Seq2Seq], Judgement]


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
        judge: Judge | None = None,
        controls: Controls | None = None,
        choices: Mapping[str, object] | None = None,
    ) -> None:
        """Prepare a run.

        Args:
            model: the network, with fresh or pretrained weights.
            train: examples to learn from.
            valid: examples held out, or ``None``: then the training loss selects the best checkpoint.
            config: with ``epochs``, ``learning_rate``, ``schedule``, ``batch_tokens`` and ``batch_size`` given.
            judge: lets the model write, for ``select_by`` and for samples.
            controls: stop, pause and learning rate from outside.
            choices: settings chosen from the data, for the first event.
        """
        assert config.epochs and config.learning_rate and config.schedule and config.batch_tokens and config.batch_size
        self.config = config
        self.train, self.valid, self.judge = train, valid, judge
        self.controls = controls or Controls()
        self.choices = dict(choices or {})
        self.device = choose_device(config.device)
        self.precision = choose_precision(config.precision, self.device)
        self.model = model.to(self.device)
        self.best_weights: Weights | None = None
        self.best_step = 0
        self._best = math.inf
        self._stale = 0
        self._step = 0
        self._rate_halvings = 0
        self._began = time.perf_counter()
        self._optimizer = self._make_optimizer(config.learning_rate)
        self._ema = MovingAverage(model, config.ema_decay) if config.average == "ema" else None
        self._last = LastAverage(config.average_last) if config.average == "last" else None
        self._per_epoch = len(self._epoch_batches(0))
        planned = math.ceil(self._per_epoch / config.accumulate) * config.epochs
        self.steps = min(planned, config.max_steps or planned)

    # The loop -----------------------------------------------------------------------------------------------------

    def run(self) -> Iterator[Event]:
        """Train, yielding events; ends with the best weights in the model, also when interrupted."""
        config = self.config
        random_state = torch.get_rng_state()
        torch.manual_seed(config.seed)
        self._began = time.perf_counter()
        yield Started(
            parameters=sum(parameter.numel() for parameter in self.model.parameters()),
            pairs=len(self.train),
            valid_pairs=len(self.valid) if self.valid is not None else 0,
            steps=self.steps,
            epochs=config.epochs or 0,
            device=str(self.device),
            precision=self.precision,
            choices=self.choices,
        )
        reason = "interrupted"
        try:
            reason = yield from self._train()
        except KeyboardInterrupt:
            pass
        finally:
            self.finish()
            torch.set_rng_state(random_state)
        yield Ended(reason, self._step, self.best_step, self._seconds())

    def finish(self) -> None:
        """Put the best weights found so far into the model."""
        if self.best_weights is not None:
            self.model.load_state_dict(self.best_weights)
        elif self._ema is not None and self._ema.updates:
            self.model.load_state_dict(self._averaged())
        self.model.eval()

    def _train(self) -> Iterator[Event]:
        """The epochs; returns why it ended (a generator's return value)."""
        config = self.config
        every = config.validate_every or math.ceil(self._per_epoch / config.accumulate)
        report = _Report(self.steps, config.epochs or 0)
        epoch = 0
        while True:
            epoch += 1
            for group in _grouped(self._epoch_batches(epoch), config.accumulate):
                self.controls.wait_while_paused()
                reason = self._reason_to_stop()
                if reason:
                    if self._step % every:
                        yield from self._validate(epoch)
                    return reason
                loss, tokens, seen = self._update(group)
                if not math.isfinite(loss):
                    yield Warning(
                        f"The loss became {loss} at update {self._step}: training stopped, the best model so far is "
                        "kept. Use a lower --learning-rate."
                    )
                    return "diverged"
                report.add(loss, tokens, seen)
                if report.due() or self._step == self.steps:
                    yield report.event(self._step, min(epoch, config.epochs or epoch), self._rate(), self._left())
                if self._step % every == 0 or self._step == self.steps:
                    yield from self._validate(epoch)
                    report.restart()
                    if config.patience and self._stale >= config.patience:
                        return "early"

    @property
    def steps_done(self) -> int:
        """Updates made so far."""
        return self._step

    def _left(self) -> float:
        """Seconds to go at the pace so far, within the time allowed."""
        spent = self._seconds()
        left = spent / max(1, self._step) * (self.steps - self._step)
        return min(left, self.config.max_minutes * 60 - spent) if self.config.max_minutes else left

    def _reason_to_stop(self) -> str:
        if self.controls.stopping:
            return "interrupted"
        if self._step >= self.steps:
            return "finished"
        if self.config.max_minutes and self._seconds() >= self.config.max_minutes * 60:
            return "time"
        return ""

    def _seconds(self) -> float:
        return time.perf_counter() - self._began

    def _epoch_batches(self, epoch: int) -> list[np.ndarray]:
        rng = np.random.default_rng([self.config.seed, epoch])
        return batches(
            self.train,
            batch_tokens=self.config.batch_tokens or 1,
            batch_size=self.config.batch_size or 1,
            rng=rng,
        )

    # One update ---------------------------------------------------------------------------------------------------

    def _update(self, group: list[np.ndarray]) -> tuple[float, int, int]:
        """One optimizer step over a group of batches; gives summed loss, target tokens, and all tokens read."""
        config = self.config
        self.model.train()
        rate = self._rate()
        for settings in self._optimizer.param_groups:
            settings["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        counted = sum(len(self.train.targets[row]) - 1 for rows in group for row in rows)
        summed, seen = 0.0, 0
        for rows in group:
            part = self.train.take(rows.tolist())
            source, target = self._tensor(part.sources), self._tensor(part.targets)
            copies = None if part.copies is None else self._tensor(part.copies)
            with self._arithmetic():
                loss = self.model.loss(
                    self._masked(source),
                    target,
                    copies,
                    smoothing=config.label_smoothing,
                    teacher_forcing=config.teacher_forcing,
                    coverage_weight=config.coverage_weight,
                )
            (loss.total / counted).backward()
            summed += float(loss.nll)
            seen += sum(map(len, part.sources)) + loss.tokens
        if config.clip:
            norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
            if not torch.isfinite(norm):
                summed = math.nan
        if math.isfinite(summed):
            self._optimizer.step()
            if self._ema is not None:
                self._ema.update()
        self._step += 1
        return summed, counted, seen

    def _masked(self, source: Tensor) -> Tensor:
        """Hide a share of the source tokens, so that masked inputs stay familiar to the model."""
        if not self.config.source_masking:
            return source
        hidden = (torch.rand(source.shape, device=source.device) < self.config.source_masking) & (source != PAD)
        return source.masked_fill(hidden, MASK)

    def _tensor(self, rows: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(pad(rows)).to(self.device, non_blocking=True)

    @contextmanager
    def _arithmetic(self) -> Iterator[None]:
        low = torch.autocast(self.device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()
        with low:
            yield

    def _rate(self) -> float:
        config = self.config
        share = rate_at(config.schedule or "constant", self._schedule_step(), self.steps, config.warmup)
        return (config.learning_rate or 0.0) * share * 0.5**self._rate_halvings * self.controls.rate_factor

    def _schedule_step(self) -> int:
        """Updates done, or what the clock says when time is the tighter limit, so that decay ends with the run."""
        if not self.config.max_minutes:
            return self._step
        return max(self._step, int(self.steps * min(1.0, self._seconds() / (self.config.max_minutes * 60))))

    def _make_optimizer(self, rate: float) -> torch.optim.Optimizer:
        config = self.config
        parameters = list(self.model.parameters())
        fused = self.device.type in ("cpu", "cuda")
        if config.optimizer == "sgd":
            return torch.optim.SGD(
                parameters, rate, momentum=config.momentum, weight_decay=config.weight_decay, fused=fused
            )
        kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
        return kind(parameters, rate, betas=(0.9, 0.98), weight_decay=config.weight_decay, fused=fused)

    # Validation ---------------------------------------------------------------------------------------------------

    def _averaged(self) -> Weights:
        assert self._ema is not None
        with self._ema.applied():
            return snapshot(self.model)

    def _validate(self, epoch: int) -> Iterator[Event]:
        """Measure, remember the weights if they are the best, and report."""
        with self._ema.applied() if self._ema is not None else nullcontext():
            self.model.eval()
            weights = None
            if self._last is not None:
                live = snapshot(self.model)
                self._last.add(live)
                self.model.load_state_dict(self._last.mean())
            loss = self.validation_loss()
            judgement = self.judge(self.model) if self.judge else Judgement(None, False)
            by_loss = judgement.metric is None
            value = loss if judgement.metric is None else judgement.metric
            key = -value if judgement.higher_is_better and not by_loss else value
            best = self.best_weights is None or key < self._best
            if best:
                weights = snapshot(self.model)
            if self._last is not None:
                self.model.load_state_dict(live)  # pyright: ignore[reportPossiblyUnboundVariable]
        if best:
            self._best, self._stale, self.best_weights, self.best_step = key, 0, weights, self._step
        else:
            self._stale += 1
            if self.config.schedule == "plateau":
                self._rate_halvings += 1
        name = "loss" if by_loss else self.config.select_by
        yield Validation(self._step, epoch, loss, name, value, best, self._seconds())
        for source, target, output in judgement.samples:
            yield Sample(self._step, source, target, output)

    @torch.inference_mode()
    def validation_loss(self) -> float:
        """Negative log-likelihood per target token in nats, on the held-out examples (else on some training ones)."""
        examples = self.valid if self.valid is not None else self.train.take(range(min(len(self.train), 500)))
        total, tokens = 0.0, 0
        for _, source, target, copies in padded_batches(examples, batch_tokens=8192, batch_size=256):
            with self._arithmetic():
                loss = self.model.loss(
                    torch.from_numpy(source).to(self.device),
                    torch.from_numpy(target).to(self.device),
                    None if copies is None else torch.from_numpy(copies).to(self.device),
                )
            total += float(loss.nll)
            tokens += loss.tokens
        return total / max(1, tokens)


def _grouped(parts: list[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    for start in range(0, len(parts), size):
        yield parts[start : start + size]


class _Report:
    """Adds up updates between two ``Step`` events."""

    def __init__(self, steps: int, epochs: int) -> None:
        self.steps, self.epochs = steps, epochs
        self._started = time.perf_counter()
        self.restart()

    def restart(self) -> None:
        """Begin a new window; time spent elsewhere (a validation) is not counted as training."""
        self._since = time.perf_counter()
        self._loss, self._tokens, self._seen = 0.0, 0, 0

    def add(self, loss: float, tokens: int, seen: int) -> None:
        """Count one update."""
        self._loss += loss
        self._tokens += tokens
        self._seen += seen

    def due(self) -> bool:
        """Whether it is time to tell the listeners."""
        return time.perf_counter() - self._since >= REPORT_SECONDS

    def event(self, step: int, epoch: int, rate: float, left: float) -> Step:
        """The window as an event; begins a new one."""
        now = time.perf_counter()
        pace = self._seen / max(1e-9, now - self._since)
        event = Step(
            step,
            self.steps,
            epoch,
            self.epochs,
            self._loss / max(1, self._tokens),
            rate,
            pace,
            now - self._started,
            max(0.0, left),
        )
        self.restart()
        return event
