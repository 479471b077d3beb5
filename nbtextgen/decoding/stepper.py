"""``Stepper``: the interface that decoding needs of a model, and ensembles of such models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

State = Any
"""Decoding state of a model, which the search passes on without looking inside."""


class Stepper(Protocol):
    """A model that generates one token at a time. States are values; only ``replace`` reuses the storage of one."""

    def start(self, source: Tensor, width: int, copy_ids: Tensor | None = None, /) -> State:
        """Encode ``source (batch, source_length)`` for ``width`` hypotheses per source.

        Networks with a copy head need the target-side id of every source token, ``copy_ids`` of the same shape.
        """
        ...

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """Advance every hypothesis by one token; ``tokens (batch, width)`` are the last tokens.

        Returns:
            log-probabilities ``(batch, width, vocabulary)``, attention ``(batch, width, source_length)``, next state.
        """
        ...

    def reorder(self, state: State, parents: Tensor) -> State:
        """Continue from the hypotheses ``parents (batch, new_width)`` of each source."""
        ...

    def keep(self, state: State, rows: Tensor) -> State:
        """Continue with the batch ``rows (kept,)`` only."""
        ...

    def replace(self, state: State, rows: Tensor, other: State, other_rows: Tensor) -> State:
        """Overwrite ``rows (count,)`` of the batch with ``other_rows (count,)`` of a state that has just started.

        ``state`` must not be used afterwards.
        """
        ...


class Ensemble:
    """Several models decoding together: the mean of their probabilities and of their attention."""

    def __init__(self, members: Sequence[Stepper]) -> None:
        self.members = list(members)

    def start(self, source: Tensor, width: int, copy_ids: Tensor | None = None, /) -> list[State]:
        return [member.start(source, width, copy_ids) for member in self.members]

    def step(self, tokens: Tensor, state: list[State]) -> tuple[Tensor, Tensor, list[State]]:
        results = [member.step(tokens, each) for member, each in zip(self.members, state, strict=True)]
        logs = torch.logsumexp(torch.stack([result[0] for result in results]), 0) - math.log(len(results))
        attention = torch.stack([result[1] for result in results]).mean(0)
        return logs, attention, [result[2] for result in results]

    def reorder(self, state: list[State], parents: Tensor) -> list[State]:
        return [member.reorder(each, parents) for member, each in zip(self.members, state, strict=True)]

    def keep(self, state: list[State], rows: Tensor) -> list[State]:
        return [member.keep(each, rows) for member, each in zip(self.members, state, strict=True)]

    def replace(self, state: list[State], rows: Tensor, other: list[State], other_rows: Tensor) -> list[State]:
        triples = zip(self.members, state, other, strict=True)
        return [member.replace(mine, rows, new, other_rows) for member, mine, new in triples]
