"""One update, from some batches of pairs to changed weights, and the speed and mean loss of several updates."""

from __future__ import annotations

import functools
import inspect
import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from nbtextgen.core.errors import MemoryShortError
from nbtextgen.data.batching import Examples, Ids, pad
from nbtextgen.model.memory import is_out_of_memory, make_room
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import MASK, PAD
from nbtextgen.training.config import TrainingConfig
from nbtextgen.training.distributed import ProcessGroup
from nbtextgen.training.events import Step

Rows = NDArray[np.int64]
IDLE_UPDATES = 3
"""First updates with gradients of zero after which the user is warned."""
REPORT_SECONDS = 0.2
"""Seconds of training between two ``Step`` events."""


@dataclass(frozen=True)
class Update:
    """What one update saw, over all processes.

    Attributes:
        loss: negative log-likelihood in nats, summed over target tokens; not finite when nothing was changed.
        tokens: target tokens.
        seen: source and target tokens.
    """

    loss: float
    tokens: int
    seen: int


class _Loss(nn.Module):
    """The training loss as a ``forward``, which is what DistributedDataParallel hooks into."""

    def __init__(self, model: Seq2Seq, config: TrainingConfig) -> None:
        super().__init__()
        self.model, self.config = model, config

    def forward(
        self, source: Tensor, target: Tensor, copies: Tensor | None, teacher_forcing: float
    ) -> tuple[Tensor, Tensor]:
        """Loss to be minimised and negative log-likelihood, both summed over tokens."""
        loss = self.model.loss(
            source,
            target,
            copies,
            smoothing=self.config.label_smoothing,
            teacher_forcing=teacher_forcing,
            coverage_weight=self.config.coverage_weight,
        )
        return loss.total, loss.nll


class Updater:
    """Makes updates; where the memory does not hold a batch, it is split, and later ones of its size as well."""

    def __init__(
        self,
        model: Seq2Seq,
        train: Examples,
        config: TrainingConfig,
        device: torch.device,
        precision: str,
        group: ProcessGroup,
    ) -> None:
        self.model, self.config = model, config
        self.device, self.precision, self.group = device, precision, group
        self.optimizer = make_optimizer(model, config, device)
        self.use(train)
        self._loss = group.wrapped(_Loss(model, config), device)
        self._most = math.inf
        self._once = self._fitted = np.zeros(2)  # the most that fitted once, and twice
        self._idle: int | None = 0  # first updates whose gradients were all zero
        self._notes = list[str]()

    def use(self, train: Examples) -> None:
        """Take later batches from these examples."""
        source, target = train.lengths()
        self.train, self._widths, self._target_tokens = train, source + target, target - 1

    def notes(self) -> list[str]:
        """Warnings for the user since the last call."""
        notes, self._notes = self._notes, []
        return notes

    def update(self, batches: Sequence[Rows], rate: float, teacher_forcing: float) -> Update:
        """One optimizer step over some batches, whose gradients are added up.

        Raises:
            MemoryShortError: when not even one pair at a time fits.
        """
        for settings in self.optimizer.param_groups:
            settings["lr"] = rate
        tokens = sum(int(self._target_tokens[rows].sum()) for rows in batches)
        shares = [self.group.share(rows, self._widths) for rows in batches]
        while True:
            failed, summed, seen = False, 0.0, 0.0
            alone = self._untried(batches)
            try:
                summed, seen = self._gradients(shares, batches[0][:1], tokens, teacher_forcing, exchange=not alone)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or not alone:
                    raise
                failed = True  # the error is dropped after this block: its traceback holds on to what was computed
            short, summed, seen = self.group.add([float(failed), summed, seen])
            if not short:
                break
            self._halve(shares, failed=failed)
        if alone:
            self.group.average([each.grad for each in self.model.parameters() if each.grad is not None])
            needs = self._needs(batches)
            self._fitted = np.maximum(self._fitted, np.minimum(needs, self._once))
            self._once = np.maximum(self._once, needs)
        self._check_gradients()
        if self.config.clip:
            norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
            summed = summed if torch.isfinite(norm) else math.nan
        if math.isfinite(summed):
            self.optimizer.step()
        return Update(summed, tokens, int(seen))

    def _check_gradients(self) -> None:
        """Warn if all gradients of the first updates are zero, so that nothing is learned."""
        if self._idle is None:
            return
        self._idle += 1
        if any(bool(each.grad.any()) for each in self.model.parameters() if each.grad is not None):
            self._idle = None
        elif self._idle == IDLE_UPDATES:
            self._idle = None
            self._notes.append(
                f"All gradients were zero in the first {IDLE_UPDATES} updates, so nothing is learned; try another --seed or "
                "--precision=fp32, and check the pretrained embeddings if there are any."
            )

    def arithmetic(self) -> AbstractContextManager[object]:
        """A block that computes in bf16, if that was chosen."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()

    def tensor(self, rows: Sequence[Ids]) -> Tensor:
        """Rows of ids, padded, on the device."""
        ids = torch.as_tensor(pad(rows))
        # A GPU copies while it computes only from pinned memory.
        return (
            ids.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else ids.to(self.device)
        )

    def _needs(self, batches: Sequence[Rows]) -> NDArray[np.float64]:
        """Two sizes that the memory for some batches grows with: tokens of the largest, padding included, and for
        attention their squares."""
        shapes = [(len(rows), float(self._widths[rows].max())) for rows in batches if len(rows)]
        return np.array([max(rows * width**power for rows, width in shapes) for power in (1, 2)])

    def _untried(self, batches: Sequence[Rows]) -> bool:
        """Whether to compute all gradients before exchanging any, since the memory may not hold them.

        So it is with every batch larger than all that fitted twice (the first time, the optimizer has nothing in memory
        yet). Then no process waits for one whose memory is too short. A single process never waits.
        """
        return self.group.size == 1 or bool((self._needs(batches) > self._fitted).any())

    def _gradients(
        self, shares: Sequence[Rows], spare: Rows, tokens: int, teacher_forcing: float, *, exchange: bool
    ) -> tuple[float, float]:
        """Add up the gradients of this process's shares of the batches; gives their summed loss, and tokens.

        With ``exchange``, gradients are averaged over the processes while those of the last part are computed. A process
        without a share still has to meet the others, with ``spare``, a pair that counts for nothing.
        """
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        parts = [part for rows in shares for part in self._parts(rows)] or [spare[:0]]
        summed, seen = 0.0, 0
        for number, rows in enumerate(parts, 1):
            weight = self.group.size / tokens if len(rows) else 0.0
            part = self.train.take((rows if len(rows) else spare).tolist())
            copies = None if part.copies is None else self.tensor(part.copies)
            with self._exchanged(exchange and number == len(parts)):
                with self.arithmetic():
                    source = masked(self.tensor(part.sources), self.config.source_masking)
                    target = self.tensor(part.targets)
                    total, nll = self._loss(source, target, copies, teacher_forcing)
                (total * weight).backward()
            if len(rows):
                summed += float(nll)
                seen += int(self._widths[rows].sum()) - len(rows)
        return summed, seen

    def _exchanged(self, now: bool) -> AbstractContextManager[object]:
        """A block whose backward pass exchanges gradients with the other processes, or does not."""
        return nullcontext() if now or not isinstance(self._loss, DistributedDataParallel) else self._loss.no_sync()

    def _parts(self, rows: Rows) -> list[Rows]:
        """A batch in parts that fit into the memory, by experience."""
        if not len(rows):
            return []
        cost = len(rows) * int(self._widths[rows].max())
        return np.array_split(rows, min(len(rows), math.ceil(cost / self._most))) if cost > self._most else [rows]

    def _halve(self, shares: Sequence[Rows], *, failed: bool) -> None:
        """Halve the largest part that is computed at once, since the memory did not hold it, here or in another process.

        Raises:
            MemoryShortError: in all processes, when in one of them not even one pair at a time fits.
        """
        self.optimizer.zero_grad(set_to_none=True)
        make_room()
        parts = [part for rows in shares for part in self._parts(rows)]
        widest = max((int(self._widths[rows].max()) for rows in parts), default=0)
        hopeless, widest = failed and all(len(rows) == 1 for rows in parts), self.group.most(widest)
        if self.group.most(int(hopeless)):
            raise memory_short("training", widest)
        if self._most == math.inf:
            pairs = max((len(rows) for rows in parts), default=0)
            self._notes.append(
                f"A batch of {pairs:,} pairs and up to {widest:,} tokens did not fit into the memory; such batches are "
                "split from now on, which changes nothing but the speed. A lower --batch-size avoids it."
            )
        if parts:
            self._most = max(1.0, self._needs(parts)[0] / 2)


def masked(source: Tensor, share: float) -> Tensor:
    """Mask a share of the source tokens, so that the model learns what an output may be when parts of its source are missing.

    Explanations score outputs with random sets of units masked. A model that has seen such sources scores them by what is
    left (Frye et al. 2021, "Shapley explainability on the data manifold"), so twice the share of the pairs lose tokens, at
    a rate that is drawn for each from 0 to 1; a share over a half masks in all pairs, at rates from ``2 share - 1``. In each
    pair the tokens are missing in runs, like those of words and phrases, of a mean length that is drawn too.

    Args:
        source: token ids, ``(pairs, tokens)``.
        share: expected share of masked tokens, from 0 to below 1.

    Returns:
        Token ids, ``(pairs, tokens)``.
    """
    if not share:
        return source
    pairs, device = (len(source), 1), source.device
    lowest = max(0.0, 2 * share - 1)
    rate = lowest + (1 - lowest) * torch.rand(pairs, device=device)
    rate = rate * (torch.rand(pairs, device=device) < 2 * share)
    begins = torch.rand(source.shape, device=device) >= torch.rand(pairs, device=device)
    begin = torch.where(begins, torch.arange(source.shape[1], device=device), 0).cummax(1).values
    hidden = (torch.rand(source.shape, device=device) < rate).gather(1, begin)
    return source.masked_fill(hidden & (source != PAD), MASK)


def memory_short(what: str, tokens: int) -> MemoryShortError:
    """The error when nothing is left to split: ``what`` (training, validation) of one pair of so many tokens does not fit."""
    return MemoryShortError(
        f"There is not enough memory for the {what} of one pair of {tokens:,} tokens; lower --hidden-size or --max-length."
    )


def make_optimizer(model: nn.Module, config: TrainingConfig, device: torch.device) -> torch.optim.Optimizer:
    """The optimizer that the settings ask for."""
    options: dict[str, Any] = {"lr": config.learning_rate or 0.0, "weight_decay": config.weight_decay}
    kind: type[torch.optim.Optimizer] = torch.optim.SGD
    if config.optimizer == "sgd":
        options["momentum"] = config.momentum
    else:
        kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
        options["betas"] = (0.9, 0.98)
    return _without_compiler(kind)(model.parameters(), fused=device.type in ("cpu", "cuda"), **options)


@functools.cache
def _without_compiler(kind: type[torch.optim.Optimizer]) -> type[Any]:
    """A subclass whose methods do not import PyTorch's compiler when they are first called.

    That takes most of a second of the first training (about 800 modules, among them SymPy), and nothing is compiled here. The
    imports are in what wraps the methods; as in the wrapper of ``step``, no gradients are recorded.
    """
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in ("add_param_group", "zero_grad", "step")}
    return type(kind.__name__, (kind,), {name: torch.no_grad()(method) for name, method in methods.items()})


class ThroughputMeter:
    """Adds up updates between two ``Step`` events."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self._begin()

    def _begin(self) -> None:
        """Begin a new window."""
        self._since = time.perf_counter()
        self._loss, self._tokens, self._seen = 0.0, 0, 0

    def leave_out(self, seconds: float) -> None:
        """Do not count this time, spent within the window on a validation or a checkpoint, as training."""
        self._since += seconds

    def add(self, update: Update) -> None:
        """Count one update."""
        self._loss += update.loss
        self._tokens += update.tokens
        self._seen += update.seen

    def due(self) -> bool:
        """Whether the window is long enough for an event."""
        return time.perf_counter() - self._since >= REPORT_SECONDS

    def event(self, step: int, steps: int, epoch: int, rate: float, seconds: float, left: float) -> Step:
        """The window as an event, ``steps`` being the updates expected in all; begins a new one."""
        speed = self._seen / max(1e-9, time.perf_counter() - self._since)
        loss = self._loss / max(1, self._tokens)
        self._begin()
        return Step(step, steps, epoch, self.epochs, loss, rate, speed, seconds, max(0.0, left))
