"""Cost and learning rate of a planned run, from a few real updates of a throw-away network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbtextgen.core.options import Settings
from nbtextgen.core.wording import counted
from nbtextgen.data.batching import CopyMap, Examples, pad
from nbtextgen.model.isolation import forked_generators, isolated
from nbtextgen.model.memory import memory_errors
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.pipeline.dataset import open_source
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.pipeline.training_data import TrainingData, epoch_examples
from nbtextgen.training.range_test import RangeTest, range_config, range_test
from nbtextgen.training.trainer import Trainer

SAMPLE = 4000
"""Most pairs that are tokenized for an estimate; the others are assumed to have similar lengths."""
TIMED = 6
"""Updates timed, spread over short and long batches."""


@dataclass(frozen=True)
class CostEstimate:
    """Cost of a planned run.

    Attributes:
        parameters: learned parameters.
        source_types, target_types: sizes of the vocabularies.
        updates: per epoch.
        epochs: planned.
        epoch_seconds: time of one epoch's updates, without validation, from a few real updates.
        memory: bytes for weights, gradients, optimizer, kept copies of the weights, and the largest batch's
            intermediate results, without those that Python and PyTorch take themselves.
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
        """Time of all epochs."""
        return self.epoch_seconds * self.epochs

    def __str__(self) -> str:
        return (
            f"{self.parameters:,} parameters; vocabularies of {self.source_types:,} and {self.target_types:,}; "
            f"about {_size(self.memory)} of memory; {counted(self.updates, 'update')} an epoch, about {_time(self.epoch_seconds)}; "
            f"{counted(self.epochs, 'epoch')}, about {_time(self.seconds)}"
        )


class TrialRun:
    """A planned training with a sample of its data: times updates of fresh networks, and tests learning rates on them."""

    def __init__(self, plan: Plan, data: TrainingData, size: int) -> None:
        """Prepare a trial.

        Args:
            plan: all settings.
            data: tokenizers and a sample of the training examples.
            size: how many training examples there are in all.
        """
        self.plan, self.data, self.size = plan, data, size

    @isolated()
    def trainer(self) -> Trainer:
        """A trainer with a fresh network, whose learning rate only ``controls`` change."""
        plan, data = self.plan, self.data
        with forked_generators(plan.training.seed):
            network = Seq2Seq(plan.model, data.source.size, data.target.size)
        copy = CopyMap(data.source, data.target) if plan.model.copy else None
        augmented = epoch_examples(plan, data, copy, plan.training.seed)
        return Trainer(
            network, data.train, None, range_config(replace(plan.training, epochs=1)), epoch_examples=augmented
        )

    @isolated()
    @memory_errors(
        "There is not enough memory for a trial of the training; lower --hidden-size, --batch-size or --max-length."
    )
    def estimate(self, on_progress: Callable[[], bool] = lambda: True) -> CostEstimate:
        """Count, and time a few updates.

        Args:
            on_progress: called between updates; ``False`` ends the timing early.
        """
        config = self.plan.training
        with forked_generators():
            trainer = self.trainer()
            trainer.controls.rate_factor = 0.0  # the network stays as it is, so every update costs the same
            began = time.perf_counter()
            planned = trainer.epoch_batches(1)
            preparing = time.perf_counter() - began  # every epoch is augmented
            examples = trainer.examples
            source, target = examples.lengths()

            def width(rows: NDArray[np.int64]) -> int:
                """Tokens of a batch, padding included."""
                return len(rows) * int(source[rows].max() + target[rows].max())

            batches = sorted(planned, key=width)
            activations = _activations(trainer.model, examples.take(batches[-1].tolist()))
            trainer.update([batches[-1]])  # the first update also allocates memory that later ones use again
            token_seconds = list[float]()
            for number in range(count := min(TIMED, len(batches))):
                rows = batches[number * (len(batches) - 1) // max(1, count - 1)]
                began = time.perf_counter()
                trainer.update([rows])
                token_seconds.append((time.perf_counter() - began) / width(rows))
                if not on_progress():
                    break
        scale = self.size / len(self.data.train)
        parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
        # Weights, gradients, the best weights so far, two moments of Adam or one of SGD, and averages.
        copies = 5 - (config.optimizer == "sgd") + {"ema": 1, "last": config.average_last}.get(config.average or "", 0)
        epoch_seconds = (statistics.median(token_seconds) * sum(map(width, batches)) + preparing) * scale
        return CostEstimate(
            parameters * config.ensemble,
            self.data.source.size,
            self.data.target.size,
            max(1, round(len(batches) * scale / config.accumulate)),
            self._epochs(epoch_seconds),
            epoch_seconds,
            4 * parameters * copies + activations,
        )

    def _epochs(self, seconds: float) -> int:
        """Epochs of all networks as planned, or as many of this duration as fit into the time limit."""
        training = self.plan.training
        if training.epochs or not training.max_minutes:
            return (training.epochs or 1) * training.ensemble
        return max(1, round(training.max_minutes * 60 / seconds))

    @isolated()
    def find_learning_rate(
        self, *, updates: int = 150, on_progress: Callable[[int], bool] = lambda update: True
    ) -> RangeTest:
        """Run the range test; see ``nbtextgen.training.range_test``."""
        with forked_generators(self.plan.training.seed):
            return range_test(self.trainer(), updates=updates, on_progress=on_progress)


@isolated()
def trial_run(
    options: Settings,
    data: object,
    targets: object = None,
    source: str | int | None = None,
    target: str | int | None = None,
    encoding: str | None = None,
) -> TrialRun:
    """The training that ``fit`` would start, with a sample of its data; arguments and errors as ``prepare_data``."""
    training_source = open_source(options, data, targets, None, source, target, encoding)
    return TrialRun(training_source.plan, *training_source.sample(SAMPLE))


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
    source, target = (torch.as_tensor(pad(side), device=device) for side in (batch.sources, batch.targets))
    copies = None if batch.copies is None else torch.as_tensor(pad(batch.copies), device=device)
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
