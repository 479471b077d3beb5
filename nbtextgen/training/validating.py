"""Judging a network on what was held out: by its loss, and by what it writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from nbtextgen.data.examples import Examples, Ids, padded_batches
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.training.updating import Updater, is_out_of_memory, memory_short


@dataclass(frozen=True)
class Judgement:
    """What a judge found by letting the model write: the figure that selects checkpoints (or none), and samples."""

    metric: float | None
    higher_is_better: bool
    samples: tuple[tuple[str, str, str], ...] = ()


Judge = Callable[[Seq2Seq], Judgement]


@torch.inference_mode()
def validation_loss(updater: Updater, examples: Examples) -> float:
    """Negative log-likelihood per target token in nats; a meeting point of all processes, the same figure in each.

    Args:
        updater: holds the network, where it is, and who else trains it.
        examples: what it is judged on.

    Raises:
        MemoryShortError: in all processes, when in one of them not even one pair at a time fits.
    """
    found: list[tuple[int, float, int]] = []
    widest = 0  # tokens of the widest pair that did not fit
    for number, (_, source, target, copies) in enumerate(padded_batches(examples, batch_tokens=8192, batch_size=256)):
        if number % updater.group.size != updater.group.rank:
            continue
        summed = _summed(updater, source, target, copies)
        if summed is None:
            widest = source.shape[1] + target.shape[1]
            break
        found.append((number, *summed))
    widest = updater.group.most(widest)
    if widest:
        raise memory_short("validation", widest)
    # Added in the order of the batches, so that any number of processes gives the same figure.
    parts = sorted(part for one in updater.group.gather(found) for part in one)
    return sum(nll for _, nll, _ in parts) / max(1, sum(tokens for _, _, tokens in parts))


def _summed(updater: Updater, source: Ids, target: Ids, copies: Ids | None) -> tuple[float, int] | None:
    """Negative log-likelihood of a batch, and its target tokens; ``None`` when the memory does not even hold one pair.

    A batch that does not fit is halved, again and again, by this process alone: there is nothing to exchange.
    """
    try:
        with updater.arithmetic():
            loss = updater.model.loss(
                torch.from_numpy(source).to(updater.device),
                torch.from_numpy(target).to(updater.device),
                None if copies is None else torch.from_numpy(copies).to(updater.device),
            )
        return float(loss.nll), loss.tokens
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    if len(source) == 1:
        return None
    half, nll, tokens = len(source) // 2, 0.0, 0
    for rows in (slice(half), slice(half, None)):
        summed = _summed(updater, source[rows], target[rows], None if copies is None else copies[rows])
        if summed is None:
            return None
        nll, tokens = nll + summed[0], tokens + summed[1]
    return nll, tokens
