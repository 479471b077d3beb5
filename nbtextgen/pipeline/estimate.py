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

from nbtextgen.data.batching import CopyMap, Examples, encode_examples, pad
from nbtextgen.data.pairs import Pairs
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.pipeline.dataset import planned
from nbtextgen.pipeline.fit import TrainingData, epoch_examples, train_tokenizers
from nbtextgen.pipeline.plan import Plan
from nbtextgen.tokenizers.base import Tokenizer
from nbtextgen.training.range_test import RangeTest, range_config, range_test
from nbtextgen.training.trainer import Trainer

SAMPLE = 4000
"""Most pairs that are tokenised for a rehearsal; lengths and times of the rest are taken to be like theirs."""
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
    """A run prepared on a sample of its pairs: tokenizers, examples, and fresh networks to try things on."""

    def __init__(self, plan: Plan, train: Pairs, pairs: int | None = None) -> None:
        """Tokenise a sample.

        Args:
            plan: all settings, none left open.
            train: the pairs to be trained on, or some of them.
            pairs: how many there are, when ``train`` is a part.

        Raises:
            OptionError, DataError: as training itself would.
        """
        self.plan, self.pairs = plan, pairs or len(train)
        rows = np.random.default_rng(plan.training.seed).permutation(len(train))[:SAMPLE]
        sample = train.take(sorted(rows.tolist()))
        self.source, self.target = train_tokenizers(plan, sample if len(train) > 20 * SAMPLE else train)
        copy = CopyMap(self.source, self.target) if plan.model.copy else None
        examples = encode_examples(sample.sources, sample.targets, self.source, self.target, copy)
        longest = plan.training.max_length
        source, target = examples.lengths()
        kept = [row for row in range(len(examples)) if source[row] <= longest and target[row] - 2 <= longest]
        self.examples = examples.take(kept or [0])

    @classmethod
    def of_text(cls, plan: Plan, material: TrainingData) -> TrialRun:
        """A run that learns to continue a text, whose windows are ready; the first ones are the sample."""
        found = cls.__new__(cls)
        found.plan, found.pairs = plan, len(material.train)
        found.source, found.target = material.source, material.target
        found.examples = material.train.take(range(min(SAMPLE // 4, len(material.train))))
        return found

    def trainer(self) -> Trainer:
        """A fresh network with the trainer that moves its learning rate only from outside."""
        return _trainer(self.plan, self.source, self.target, self.examples)

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
        scale = self.pairs / len(self.examples)
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
            self.source.size,
            self.target.size,
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
    """The run that would follow, on a sample of its data; arguments as ``prepared``."""
    from nbtextgen.data.corpus import Corpus

    if isinstance(data, Corpus):
        from nbtextgen.pipeline.continuation import text_plan, text_training_data

        chosen = text_plan(options, data.pieces())
        return TrialRun.of_text(chosen, text_training_data(chosen, data.text))
    if options["store"]:
        from nbtextgen.pipeline.streamed import StreamedData

        found = StreamedData.of(options, data, source, target)
        return TrialRun(found.plan, found.train, found.pairs)
    chosen, train, _, _ = planned(options, data, targets, None, source, target)
    return TrialRun(chosen, train)


def _trainer(plan: Plan, source: Tokenizer, target: Tokenizer, examples: Examples) -> Trainer:
    with torch.random.fork_rng():
        torch.manual_seed(plan.training.seed)
        network = Seq2Seq(plan.model, source.size, target.size)
    copy = CopyMap(source, target) if plan.model.copy else None
    made = epoch_examples(plan, source, target, copy, plan.training.seed)
    return Trainer(network, examples, None, range_config(replace(plan.training, epochs=1)), epoch_examples=made)


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
