"""Judging a network on what was held out: by its loss, and by what it writes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from nbtextgen.data.batching import Examples, Ids, padded_batches
from nbtextgen.model.seq2seq import Seq2Seq, TokenScores
from nbtextgen.training.step import Updater, is_out_of_memory, memory_short


@dataclass(frozen=True)
class ValidationResult:
    """What a judge found by letting the model write: the figure that selects checkpoints (or none), and samples."""

    metric: float | None
    higher_is_better: bool
    samples: tuple[tuple[str, str, str], ...] = ()


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


def selected_metric(select_by: str | None, scores: ValidationScores, judgement: ValidationResult) -> tuple[str, float]:
    """Name and value of the metric that selects the best weights."""
    if judgement.metric is not None:
        return select_by or "", judgement.metric
    return ("accuracy", scores.accuracy) if select_by == "accuracy" else ("loss", scores.loss)


def selection_key(name: str, value: float, scores: ValidationScores, judgement: ValidationResult) -> float:
    """What the best weights have the lowest value of; equal accuracies are told apart by the loss."""
    if name == "accuracy":
        key = -value + ACCURACY_TIE * scores.loss
    else:
        key = -value if name != "loss" and judgement.higher_is_better else value
    return math.inf if math.isnan(key) else key


@torch.inference_mode()
def validation_scores(updater: Updater, examples: Examples) -> ValidationScores:
    """Score held-out examples; all processes must call it, and each gets the same figures.

    Args:
        updater: holds the network, where it is, and who else trains it.
        examples: the held-out examples.

    Raises:
        MemoryShortError: in all processes, when in one of them not even one pair at a time fits.
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
    """Scores of a batch; ``None`` when the memory does not even hold one pair.

    A batch that does not fit is halved, again and again, by this process alone: there is nothing to exchange.
    """
    try:
        with updater.arithmetic():
            return updater.model.token_scores(
                torch.from_numpy(source).to(updater.device),
                torch.from_numpy(target).to(updater.device),
                None if copies is None else torch.from_numpy(copies).to(updater.device),
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
