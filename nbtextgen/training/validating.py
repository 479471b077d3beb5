"""Judging a network on what was held out: by its loss, and by what it writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from nbtextgen.data.examples import Examples, padded_batches
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.training.updating import Updater


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
    """
    found: list[tuple[int, float, int]] = []
    for number, (_, source, target, copies) in enumerate(padded_batches(examples, batch_tokens=8192, batch_size=256)):
        if number % updater.group.size != updater.group.rank:
            continue
        with updater.arithmetic():
            loss = updater.model.loss(
                torch.from_numpy(source).to(updater.device),
                torch.from_numpy(target).to(updater.device),
                None if copies is None else torch.from_numpy(copies).to(updater.device),
            )
        found.append((number, float(loss.nll), loss.tokens))
    # Added in the order of the batches, so that any number of processes gives the same figure.
    parts = sorted(part for one in updater.group.gather(found) for part in one)
    return sum(nll for _, nll, _ in parts) / max(1, sum(tokens for _, _, tokens in parts))
