"""Before a run: what it would cost, and which learning rate suits it, by really training a throw-away network a little."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nbtextgen.data.batching import CopyMap, Examples, pad
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.pipeline.dataset import open_source
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.pipeline.training_data import TrainingData, epoch_examples
from nbtextgen.training.range_test import RangeTest, range_config, range_test
from nbtextgen.training.trainer import Trainer

SAMPLE = 4000
"""Most pairs that are tokenized for an estimate; the others are taken to be of like lengths."""
TIMED = 6
"""Updates timed, spread over short and long batches."""


@dataclass(frozen=True)
class CostEstimate:
    """What a run would cost.

    Attributes:
        parameters: numbers that are learned.
        source_types, target_types: sizes of the vocabularies.
        updates: per epoch.
        epochs: planned.
        epoch_seconds: for one epoch's updates, from a few that were really made; validation comes on top.
        memory: bytes for weights, gradients, optimizer, kept copies of the weights, and the largest batch's
            intermediate results; what Python and PyTorch take themselves comes on top.
    """

    parameters: int
    source_types: int
    target_types: int
    updates: int
    epochs: int
    epoch_seconds: float
    memory: int

    @property
    def seconds(self) -> float:
        """For all epochs."""
        return self.epoch_seconds * self.epochs

    def __str__(self) -> str:
        return (
            f"{self.parameters:,} parameters; vocabularies of {self.source_types:,} and {self.target_types:,}; "
            f"about {_size(self.memory)} of memory; {self.updates:,} updates an epoch, about {_time(self.epoch_seconds)}; "
            f"{self.epochs:,} epoch{'' if self.epochs == 1 else 's'}, about {_time(self.seconds)}"
        )


class TrialRun:
    """A training on a sample of its data: fresh networks to time, and to search a learning rate with."""

    def __init__(self, plan: Plan, data: TrainingData, size: int) -> None:
        """Prepare a trial.

        Args:
            plan: all settings.
            data: tokenizers and a sample of the training examples.
            size: how many training examples there are in all.
        """
        self.plan, self.data, self.size = plan, data, size

    def trainer(self) -> Trainer:
        """A fresh network with a trainer whose learning rate is only moved from outside."""
        plan, data = self.plan, self.data
        with torch.random.fork_rng():
            torch.manual_seed(plan.training.seed)
            network = Seq2Seq(plan.model, data.source.size, data.target.size)
        copy = CopyMap(data.source, data.target) if plan.model.copy else None
        augmented = epoch_examples(plan, data.source, data.target, copy, plan.training.seed)
        return Trainer(
            network, data.train, None, range_config(replace(plan.training, epochs=1)), epoch_examples=augmented
        )

    def estimate(self, on_progress: Callable[[], bool] = lambda: True) -> CostEstimate:
        """Count, and time a few updates.

        Args:
            told: asked between updates; ``False`` ends the timing early.
        """
        with torch.random.fork_rng():
            trainer = self.trainer()
            trainer.controls.rate_factor = 0.0  # the network stays as it is, every update costs the same
            began = time.perf_counter()
            planned = trainer.epoch_batches(1)
            preparing = time.perf_counter() - began  # augmentation is paid for in every epoch
            examples = trainer.examples
            batches = sorted(planned, key=lambda rows: _width(examples, rows))
            largest = batches[-1]
            activations = _activations(trainer.model, examples.take(largest.tolist()))
            chosen = [batches[int(at)] for at in np.linspace(0, len(batches) - 1, min(TIMED, len(batches)))]
            trainer.update([largest])  # the first update also pays for memory that later ones use again
            paces = []
            for rows in chosen:
                began = time.perf_counter()
                trainer.update([rows])
                paces.append((time.perf_counter() - began) / _width(examples, rows))
                if not on_progress():
                    break
        scale = self.size / len(self.data.train)
        parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
        # Weights, gradients, two moments of Adam (one of SGD), the best weights so far, and averages.
        copies = (
            5
            + (self.plan.training.average == "ema")
            + self.plan.training.average_last * (self.plan.training.average == "last")
            - (self.plan.training.optimizer == "sgd")
        )
        width = sum(_width(examples, rows) for rows in batches)
        epoch_seconds = (statistics.median(paces) * width + preparing) * scale
        return CostEstimate(
            parameters * self.plan.training.ensemble,
            self.data.source.size,
            self.data.target.size,
            max(1, round(len(batches) * scale / self.plan.training.accumulate)),
            self._epochs(epoch_seconds),
            epoch_seconds,
            4 * parameters * copies + activations,
        )

    def _epochs(self, seconds: float) -> int:
        """Epochs of all networks, when one takes so many seconds: as planned, or what fits into the time limit."""
        training = self.plan.training
        if training.epochs or not training.max_minutes:
            return (training.epochs or 1) * training.ensemble
        return max(1, round(training.max_minutes * 60 / seconds))

    def find_learning_rate(
        self, *, updates: int = 150, on_progress: Callable[[int], bool] = lambda update: True
    ) -> RangeTest:
        """Run the range test; see ``nbtextgen.training.range_test``."""
        with torch.random.fork_rng():
            torch.manual_seed(self.plan.training.seed)
            return range_test(self.trainer(), updates=updates, on_progress=on_progress)


def trial_run(
    options: Mapping[str, Any], data: Any, targets: Any = None, source: str | None = None, target: str | None = None
) -> TrialRun:
    """The training that ``fit`` would start, on a sample of its data; arguments and errors as ``prepare_data``."""
    training_source = open_source(options, data, targets, None, source, target)
    return TrialRun(training_source.plan, *training_source.sample(SAMPLE))


def _width(examples: Examples, rows: np.ndarray) -> int:
    """Tokens of a batch, padding included."""
    return len(rows) * (
        max(len(examples.sources[row]) for row in rows) + max(len(examples.targets[row]) for row in rows)
    )


def _activations(model: Seq2Seq, batch: Examples) -> int:
    """Bytes that one forward pass keeps for the backward pass, counted once per storage."""
    seen: dict[int, int] = {}
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    device = next(model.parameters()).device
    parts = [None if side is None else torch.from_numpy(pad(side)).to(device) for side in vars(batch).values()]
    source, target, copies = parts
    assert source is not None and target is not None
    model.train()
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        model.loss(source, target, copies)
    return sum(seen.values())


def _size(number: float) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{max(1, number / 1e6):,.0f} MB"


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
