"""Validation of a network on held-out pairs: by loss and accuracy, and by what it generates; its best weights are kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from nbtextgen.core.errors import MemoryShortError
from nbtextgen.data.batching import Examples, Ids, padded_batches
from nbtextgen.model.memory import in_fitting_parts
from nbtextgen.model.seq2seq import Seq2Seq, TokenScores
from nbtextgen.training.config import TrainingConfig
from nbtextgen.training.state import Progress
from nbtextgen.training.step import Updater, memory_short
from nbtextgen.training.threads import TrainingThreads
from nbtextgen.training.weight_averaging import KeptWeights


@dataclass(frozen=True)
class ValidationResult:
    """What the model generates for held-out sources.

    Attributes:
        metric: the metric that selects checkpoints, or ``None`` if that is not one of generated texts.
        higher_is_better: whether a higher ``metric`` is better.
        samples: source, reference and output of some pairs.
        task_name, task, task_pairs: see ``Validation``.
    """

    metric: float | None = None
    higher_is_better: bool = False
    samples: tuple[tuple[str, str, str], ...] = ()
    task_name: str = ""
    task: float | None = None
    task_pairs: int = 0


FEW_UPDATES = 20
"""A training of fewer updates is too short for anything to be learned."""
MANY_UPDATES = 100
"""Updates after which the moving mean of the loss has forgotten the first one."""
UNMOVED = 0.98
"""Training has learned nothing if its mean loss is at least this fraction of the first update's."""
ACCURACY_TIE = 1e-3
"""Percentage points of accuracy that one nat of validation loss is worth: far less than one token of a validation set."""

WHOLE_OUTPUTS = ("sequence-accuracy", "exact")
"""Metrics that count whole outputs, so that some weights are equally good."""


@dataclass(frozen=True)
class ValidationScores:
    """How a network predicts the tokens of held-out references, each given the ones before it.

    Attributes:
        loss: negative log-likelihood in nats per token.
        accuracy: percentage of tokens that have the highest probability.
        sequence_accuracy: percentage of references of which all tokens have it, which is the exact match of greedy search.
    """

    loss: float
    accuracy: float
    sequence_accuracy: float


ValidationMetric = Callable[[Seq2Seq, ValidationScores], ValidationResult]
"""Generates with a network for held-out sources, and measures that; the scores are those of all held-out references."""


@dataclass(frozen=True)
class ValidationOutcome:
    """What a validation found.

    Attributes:
        loss: negative log-likelihood in nats per token.
        metric_name, metric: the metric that selects the best weights.
        best: whether these weights are the best so far.
        generated: what the network generates for held-out sources.
    """

    loss: float
    metric_name: str
    metric: float
    best: bool
    generated: ValidationResult


class Validator:
    """Validates the network that an ``Updater`` trains, and decides whether its weights are the best so far."""

    def __init__(
        self,
        updater: Updater,
        weights: KeptWeights,
        held_out: Examples,
        config: TrainingConfig,
        threads: TrainingThreads,
        metric: ValidationMetric | None,
    ) -> None:
        """Prepare validations.

        Args:
            updater: has the network, its device, and the processes that train together.
            weights: keeps the best weights; gives those to validate.
            held_out: the examples to validate on.
            config: how the best weights are selected, and the schedule.
            threads: generation uses all of them.
            metric: generates with the network; ``None``: loss and accuracy only.
        """
        self._updater, self._weights, self._held_out = updater, weights, held_out
        self._config, self._threads, self._metric = config, threads, metric

    def validate(self, progress: Progress) -> ValidationOutcome:
        """Measure; keep the weights if they are the best; write into ``progress`` whether anything improved."""
        with self._weights.averaged():
            self._updater.model.eval()
            scores = validation_scores(self._updater, self._held_out)
            with self._threads.all_threads():
                result = self._updater.group.once(lambda: self._generated(scores))
            name, value = selected_metric(self._config.select_by, scores, result)
            key = selection_key(name, value, scores, result)
            improved = self._weights.best is None or key < progress.best
            # Of equally good weights the later ones are kept: their learning rate is lower.
            best = improved or (name in WHOLE_OUTPUTS and key == progress.best)
            if best:
                self._weights.keep_best()
                progress.best, progress.best_step = key, progress.step
        if improved or scores.loss < progress.best_loss:
            progress.stale = 0
        else:
            progress.stale += 1
            if self._config.schedule == "plateau":
                progress.halvings += 1
        progress.best_loss = min(progress.best_loss, scores.loss)
        return ValidationOutcome(scores.loss, name, value, best, result)

    def _generated(self, scores: ValidationScores) -> ValidationResult:
        return self._metric(self._updater.model, scores) if self._metric else ValidationResult()


def unmoved_warning(progress: Progress, share: float, config: TrainingConfig) -> str:
    """What to tell the user if the loss has not moved since the first update, after the warm-up; else an empty string.

    Args:
        progress: how far the run is.
        share: fraction of the planned run that is done.
        config: its settings.
    """
    moved = not progress.first_loss or progress.level < UNMOVED * progress.first_loss
    # The level is a mean of many updates, so that of a few is still near the first loss.
    earliest = min(1.0, 2 * config.warmup) if progress.step >= MANY_UPDATES else 0.5
    if moved or progress.step < FEW_UPDATES // 2 or share < earliest:
        return ""
    return (
        f"The training loss has not moved in {progress.step:,} updates ({progress.first_loss:.3g} at first, "
        f"{progress.level:.3g} now): nothing is learned. Raise --learning-rate "
        f"(now {config.learning_rate:g}), and check that each target belongs to its source."
    )


def selected_metric(select_by: str | None, scores: ValidationScores, result: ValidationResult) -> tuple[str, float]:
    """Name and value of the metric that selects the best weights."""
    if result.metric is not None:
        return select_by or "", result.metric
    if select_by == "sequence-accuracy":
        return select_by, scores.sequence_accuracy
    return ("accuracy", scores.accuracy) if select_by == "accuracy" else ("loss", scores.loss)


def selection_key(name: str, value: float, scores: ValidationScores, result: ValidationResult) -> float:
    """The number that is lowest for the best weights; the loss decides between equal accuracies of tokens."""
    if name == "accuracy":
        key = -value + ACCURACY_TIE * scores.loss
    elif name == "sequence-accuracy":
        key = -value if math.isfinite(scores.loss) else math.inf
    else:
        key = -value if name != "loss" and result.higher_is_better else value
    return math.inf if math.isnan(key) else key


@torch.inference_mode()
def validation_scores(updater: Updater, examples: Examples) -> ValidationScores:
    """Score held-out examples; all processes must call it, and each gets the same figures.

    Args:
        updater: has the network, its device, and the processes that train together.
        examples: the held-out examples.

    Raises:
        MemoryShortError: in all processes, if in one of them not even one pair at a time fits.
    """
    scores: list[tuple[int, TokenScores, int]] = []
    widest = 0  # tokens of the widest pair that did not fit
    for number, (_, source, target, copies) in enumerate(padded_batches(examples, batch_tokens=8192, batch_size=256)):
        if number % updater.group.size != updater.group.rank:
            continue
        batch = _batch_scores(updater, source, target, copies)
        if batch is None:
            widest = source.shape[1] + target.shape[1]
            break
        scores.append((number, batch, len(source)))
    widest = updater.group.most(widest)
    if widest:
        raise memory_short("validation", widest)
    # Added in the order of the batches, so that any number of processes gives the same figures.
    parts = sorted((part for scores in updater.group.gather(scores) for part in scores), key=lambda part: part[0])
    total = _summed([batch for _, batch, _ in parts])
    tokens, pairs = max(1, total.tokens), max(1, sum(pairs for *_, pairs in parts))
    return ValidationScores(total.nll / tokens, 100 * total.correct / tokens, 100 * total.whole / pairs)


def _batch_scores(updater: Updater, source: Ids, target: Ids, copies: Ids | None) -> TokenScores | None:
    """Scores of a batch, in parts that fit into the memory; ``None`` if not even one pair does."""

    def token_scores(rows: NDArray[np.intp]) -> TokenScores:
        with updater.arithmetic():
            return updater.model.token_scores(
                torch.as_tensor(source[rows], device=updater.device),
                torch.as_tensor(target[rows], device=updater.device),
                None if copies is None else torch.as_tensor(copies[rows], device=updater.device),
            )

    try:
        parts = [scores for _, scores in in_fitting_parts(token_scores, np.arange(len(source)))]
    except MemoryShortError:
        return None
    return _summed(parts)


def _summed(parts: Sequence[TokenScores]) -> TokenScores:
    """The scores of all parts."""
    return TokenScores(
        sum(part.nll for part in parts),
        sum(part.correct for part in parts),
        sum(part.tokens for part in parts),
        sum(part.whole for part in parts),
    )
