"""The small interface that decoding asks of a model, and ensembles of such models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor


class Stepper(Protocol):
    """A model that writes one token at a time. States are values; only ``replace`` uses one up."""

    def start(self, source: Tensor, width: int, copy_ids: Tensor | None = None, /) -> Any:
        """Encode ``source (batch, source_length)`` for ``width`` hypotheses a row.

        Networks with a copy head are given the target-side id of every source token, ``copy_ids`` of the same shape.
        """
        ...

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Tensor, Any]:
        """From last ``tokens (batch, width)``: log-probabilities and attention ``(batch, width, ...)``, next state."""
        ...

    def reorder(self, state: Any, parents: Tensor) -> Any:
        """Continue from ``parents (batch, new_width)`` of each row."""
        ...

    def keep(self, state: Any, rows: Tensor) -> Any:
        """Continue with ``rows (kept,)`` of the batch only."""
        ...

    def replace(self, state: Any, places: Tensor, other: Any, rows: Tensor) -> Any:
        """Continue with ``rows (count,)`` of a state that has just started in ``places (count,)`` of the batch.

        ``state`` is not to be used afterwards.
        """
        ...


class Ensemble:
    """Several models writing together: the mean of their probabilities, and of their attention."""

    def __init__(self, members: Sequence[Stepper]) -> None:
        self.members = list(members)

    def start(self, source: Tensor, width: int, copy_ids: Tensor | None = None, /) -> list[Any]:
        return [member.start(source, width, copy_ids) for member in self.members]

    def step(self, tokens: Tensor, state: list[Any]) -> tuple[Tensor, Tensor, list[Any]]:
        results = [member.step(tokens, each) for member, each in zip(self.members, state, strict=True)]
        logs = torch.logsumexp(torch.stack([result[0] for result in results]), 0) - math.log(len(results))
        attention = torch.stack([result[1] for result in results]).mean(0)
        return logs, attention, [result[2] for result in results]

    def reorder(self, state: list[Any], parents: Tensor) -> list[Any]:
        return [member.reorder(each, parents) for member, each in zip(self.members, state, strict=True)]

    def keep(self, state: list[Any], rows: Tensor) -> list[Any]:
        return [member.keep(each, rows) for member, each in zip(self.members, state, strict=True)]

    def replace(self, state: list[Any], places: Tensor, other: list[Any], rows: Tensor) -> list[Any]:
        every = zip(self.members, state, other, strict=True)
        return [member.replace(one, places, two, rows) for member, one, two in every]
