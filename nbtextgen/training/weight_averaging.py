"""Averages of weights over time, which often generalise better than the last ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]


def snapshot(model: nn.Module) -> Weights:
    """A copy of the model's weights, a tied one once."""
    return {name: value.detach().clone() for name, value in model.named_parameters()}


@torch.no_grad()
def put(model: nn.Module, weights: Weights) -> None:
    """Copy a ``snapshot`` into the model."""
    for name, parameter in model.named_parameters():
        parameter.copy_(weights[name])


class MovingAverage:
    """Exponential moving average of the parameters (Polyak & Juditsky 1992), with the usual short memory at first."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._live: list[Tensor] = list(model.parameters())
        self.mean = [parameter.detach().clone() for parameter in self._live]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the current weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self.mean, self._live, 1.0 - decay)  # pyright: ignore[reportPrivateImportUsage]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Run the block with the averages in the model, then put the live weights back."""
        kept = [parameter.detach().clone() for parameter in self._live]
        with torch.no_grad():
            torch._foreach_copy_(self._live, self.mean)  # pyright: ignore[reportPrivateImportUsage]
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._live, kept)  # pyright: ignore[reportPrivateImportUsage]


class LastAverage:
    """Mean of the last ``count`` validated checkpoints (Vaswani et al. 2017, sec. 6.1)."""

    def __init__(self, count: int) -> None:
        self.kept: deque[Weights] = deque(maxlen=count)

    def add(self, weights: Weights) -> None:
        """Remember a checkpoint, forgetting the oldest beyond ``count``."""
        self.kept.append(weights)

    def mean(self) -> Weights:
        """The averaged weights."""
        first = self.kept[0]
        return {
            name: torch.stack([weights[name] for weights in self.kept]).mean(0)
            if first[name].is_floating_point()
            else first[name]
            for name in first
        }
