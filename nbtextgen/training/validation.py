"""Validation of a network on held-out pairs: by loss and accuracy, and by what it generates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from nbtextgen.data.batching import Examples, Ids, padded_batches
from nbtextgen.model.memory import is_out_of_memory
from nbtextgen.model.seq2seq import Seq2Seq, TokenScores
from nbtextgen.training.step import Updater, memory_short


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


ValidationMetric = Callable[[Seq2Seq], ValidationResult]
ACCURACY_TIE = 1e-3
"""Percentage points of accuracy that one nat of validation loss is worth: far less than one token of a validation set."""


@dataclass(frozen=True)
class ValidationScores:
    """How a network predicts the tokens of held-out references, each given the ones before it.

    Attributes:
        loss: negative log-likelihood in nats per token.
        accuracy: percentage of tokens that have the highest probability.
    """

    loss: float
    accuracy: float


def selected_metric(select_by: str | None, scores: ValidationScores, result: ValidationResult) -> tuple[str, float]:
    """Name and value of the metric that selects the best weights."""
    if result.metric is not None:
        return select_by or "", result.metric
    return ("accuracy", scores.accuracy) if select_by == "accuracy" else ("loss", scores.loss)


def selection_key(name: str, value: float, scores: ValidationScores, result: ValidationResult) -> float:
    """The number that is lowest for the best weights; the loss decides between equal accuracies."""
    if name == "accuracy":
        key = -value + ACCURACY_TIE * scores.loss
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
    scores: list[tuple[int, float, int, int]] = []
    widest = 0  # tokens of the widest pair that did not fit
    for number, (_, source, target, copies) in enumerate(padded_batches(examples, batch_tokens=8192, batch_size=256)):
        if number % updater.group.size != updater.group.rank:
            continue
        batch = _batch_scores(updater, source, target, copies)
        if batch is None:
            widest = source.shape[1] + target.shape[1]
            break
        scores.append((number, batch.nll, batch.correct, batch.tokens))
    widest = updater.group.most(widest)
    if widest:
        raise memory_short("validation", widest)
    # Added in the order of the batches, so that any number of processes gives the same figures.
    parts = sorted(part for scores in updater.group.gather(scores) for part in scores)
    tokens = max(1, sum(part[3] for part in parts))
    return ValidationScores(sum(part[1] for part in parts) / tokens, 100 * sum(part[2] for part in parts) / tokens)


def _batch_scores(updater: Updater, source: Ids, target: Ids, copies: Ids | None) -> TokenScores | None:
    """Scores of a batch, halved until its parts fit into the memory; ``None`` if not even one pair does."""
    try:
        with updater.arithmetic():
            return updater.model.token_scores(
                torch.as_tensor(source, device=updater.device),
                torch.as_tensor(target, device=updater.device),
                None if copies is None else torch.as_tensor(copies, device=updater.device),
            )
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    if len(source) == 1:
        return None
    half, nll, correct, tokens = len(source) // 2, 0.0, 0, 0
    for rows in (slice(half), slice(half, None)):
        part = _batch_scores(updater, source[rows], target[rows], None if copies is None else copies[rows])
        if part is None:
            return None
        nll, correct, tokens = nll + part.nll, correct + part.correct, tokens + part.tokens
    return TokenScores(nll, correct, tokens)
