"""Attention of the decoder over the encoded source, with scores written as in their papers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import torch
from torch import Tensor, nn

from nbtextgen.model.initialization import initialise_linear


@dataclass(frozen=True)
class Memory:
    """The encoded source, projected once and read at every step.

    Attributes:
        keys: what queries are scored against, ``(batch, source_length, key_size)``.
        values: what is averaged into the context, ``(batch, source_length, memory_size)``.
        mask: true at real tokens, ``(batch, source_length)``.
        copy_ids: target-side id of every source token for the copy head, ``(batch, source_length)``, or ``None``.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor
    copy_ids: Tensor | None = None

    @cached_property
    def padded(self) -> bool:
        """Whether any position must be masked; always true on a GPU, where the check would wait for the device."""
        return self.mask.device.type != "cpu" or not bool(self.mask.all())

    @classmethod
    def joined(cls, memories: Sequence[Memory], length: int) -> Memory:
        """Return one memory of the rows of all ``memories``, padded to ``length`` source tokens."""

        def join(parts: list[Tensor]) -> Tensor:
            whole = parts[0].new_zeros(sum(map(len, parts)), length, *parts[0].shape[2:])
            for place, part in zip(torch.split(whole, [len(part) for part in parts]), parts, strict=True):
                place[:, : part.shape[1]] = part
            return whole

        values = join([memory.values for memory in memories])
        shared = memories[0].keys is memories[0].values
        keys = values if shared else join([memory.keys for memory in memories])
        copies = [memory.copy_ids for memory in memories if memory.copy_ids is not None]
        return cls(keys, values, join([memory.mask for memory in memories]), join(copies) if copies else None)

    def keep(self, rows: Tensor) -> Memory:
        """Return the memory of the batch ``rows (kept,)`` only."""
        copy_ids = None if self.copy_ids is None else self.copy_ids[rows]
        return Memory(self.keys[rows], self.values[rows], self.mask[rows], copy_ids)

    @cached_property
    def lengths(self) -> list[int]:
        """Number of positions of every row up to its last real token."""
        ends = (self.mask * torch.arange(1, self.mask.shape[1] + 1)).amax(1)
        return cast("list[int]", ends.numpy().tolist())

    def part(self, rows: slice, length: int) -> Memory:
        """Return the first ``length`` tokens of consecutive batch ``rows``, without copying."""
        keys = self.keys[rows, :length]
        values = keys if self.values is self.keys else self.values[rows, :length]
        return Memory(keys, values, self.mask[rows, :length])

    def replace(self, rows: Tensor, other: Memory, other_rows: Tensor) -> Memory:
        """Overwrite ``rows (count,)`` with ``other_rows (count,)`` of another memory; reuses this one's storage."""
        longest = max(self.mask.shape[1], other.mask.shape[1])

        def put(mine: Tensor, new: Tensor) -> Tensor:
            mine = pad_to(mine, longest, 1)
            mine[rows, : new.shape[1]] = new[other_rows]
            return mine

        mask = pad_to(self.mask, longest, 1)
        mask[rows] = False
        mask = put(mask, other.mask)
        values = put(self.values, other.values)
        keys = values if self.keys is self.values else put(self.keys, other.keys)
        copy_ids = self.copy_ids
        if copy_ids is not None and other.copy_ids is not None:
            copy_ids = pad_to(copy_ids, longest, 1)
            copy_ids[rows] = 0
            copy_ids = put(copy_ids, other.copy_ids)
        return Memory(keys, values, mask, copy_ids)._trimmed()

    def _trimmed(self) -> Memory:
        """Drop a tail that is padding in every row, if it is long enough to be worth a copy."""
        longest = int(self.mask.sum(1).max())
        if longest > 0.8 * self.mask.shape[1]:
            return self
        values = self.values[:, :longest].contiguous()
        keys = values if self.keys is self.values else self.keys[:, :longest].contiguous()
        copy_ids = None if self.copy_ids is None else self.copy_ids[:, :longest].contiguous()
        return Memory(keys, values, self.mask[:, :longest].contiguous(), copy_ids)


def pad_to(values: Tensor, length: int, dim: int) -> Tensor:
    """Append zeros along ``dim`` up to ``length``."""
    missing = length - values.shape[dim]
    if not missing:
        return values
    shape = [*values.shape[:dim], missing, *values.shape[dim + 1 :]]
    return torch.cat([values, values.new_zeros(shape)], dim)


class Attention(nn.Module):
    """Weights over the source for each query, and the weighted mean of the memory.

    ``kind`` is one of

    * ``dot``: q . k (Luong et al. 2015, sec. 3.1), after one projection where the sizes differ
    * ``general``: q W k (same)
    * ``additive``: v . tanh(W q + U k) (Bahdanau et al. 2015, sec. 3.1)
    * ``multihead``: scaled dot products in ``heads`` subspaces (Vaswani et al. 2017, sec. 3.2.2)

    With ``coverage``, the running sum of past weights is added to the score through one learned number per
    head (See et al. 2017, eq. 11, in the form that works for every score).
    """

    def __init__(self, kind: str, query_size: int, memory_size: int, heads: int, coverage: bool) -> None:
        super().__init__()
        self.kind = kind
        self.heads = heads if kind == "multihead" else 1
        same = kind == "dot" and query_size == memory_size
        self.key = nn.Identity() if same else nn.Linear(memory_size, query_size, bias=False)
        if kind == "additive":
            self.query = nn.Linear(query_size, query_size)
            self.score = nn.Linear(query_size, 1, bias=False)
        if kind == "multihead":
            self.query = nn.Linear(query_size, query_size, bias=False)
            self.value = nn.Linear(memory_size, memory_size, bias=False)
        for layer in self.children():
            if isinstance(layer, nn.Linear):
                initialise_linear(layer)
        self.coverage = nn.Parameter(torch.zeros(1)) if coverage else None

    def project(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values of ``encoded (batch, source_length, memory_size)``, computed once per source."""
        return self.key(encoded), self.value(encoded) if self.kind == "multihead" else encoded

    def forward(self, queries: Tensor, memory: Memory, covered: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Attend from ``queries (batch, steps, query_size)``.

        Args:
            queries: decoder outputs.
            memory: the encoded source.
            covered: coverage vector, the sum of past weights ``(batch, steps, source_length)``; with coverage only.

        Returns:
            the context ``(batch, steps, memory_size)`` and the weights ``(batch, steps, source_length)``
            (the mean over heads), which sum to one over the source.
        """
        return self._contexts(self.head_weights(queries, memory, covered), memory)

    def with_coverage(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Tensor]:
        """Attend from all steps in turn; the score of each step includes the weights of the steps before it.

        Scores and contexts of all steps are computed at once. Only the softmax, which needs the sum of the weights of
        earlier steps, goes step by step.

        Args:
            queries: decoder outputs, ``(batch, steps, query_size)``.
            memory: the encoded source.

        Returns:
            context and weights as in ``forward``, and the coverage loss ``(batch, steps)`` (See et al. 2017, eq. 12).
        """
        assert self.coverage is not None
        scores = self._scores(queries, memory.keys).masked_fill(~memory.mask[:, None, None, :], float("-inf"))
        covered = scores.new_zeros(scores.shape[0], scores.shape[-1])
        steps, losses = list[Tensor](), list[Tensor]()
        for step_scores in scores.unbind(2):
            weights = (step_scores + (self.coverage * covered).unsqueeze(1)).softmax(-1)
            mean = weights.squeeze(1) if self.heads == 1 else weights.mean(1)
            losses.append(torch.minimum(mean, covered).sum(-1))
            covered = covered + mean
            steps.append(weights)
        return *self._contexts(torch.stack(steps, 2), memory), torch.stack(losses, 1)

    def _contexts(self, weights: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Average the values by ``weights (batch, heads, steps, source_length)``; also return the mean weights over heads."""
        if self.heads == 1:
            weights = weights.squeeze(1)
            return torch.bmm(weights, memory.values), weights
        batch, length, size = memory.values.shape
        values = memory.values.view(batch, length, self.heads, size // self.heads).transpose(1, 2)
        context = (weights @ values).transpose(1, 2).reshape(batch, -1, size)
        return context, weights.mean(1)

    def head_weights(self, queries: Tensor, memory: Memory, covered: Tensor | None = None) -> Tensor:
        """Return the weights of every head, ``(batch, heads, steps, source_length)``; arguments as in ``forward``."""
        scores = self._scores(queries, memory.keys)
        if self.coverage is not None and covered is not None:
            scores = scores + (self.coverage * covered).unsqueeze(1)
        if memory.padded:
            scores = scores.masked_fill(~memory.mask[:, None, None, :], float("-inf"))
        return scores.softmax(-1)

    def _scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return unnormalised scores ``(batch, heads, steps, source_length)``."""
        if self.kind == "additive":
            projected = self.query(queries)
            sums = [torch.tanh(projected[:, step : step + 1] + keys) for step in range(projected.shape[1])]
            return torch.stack([self.score(step_sum).squeeze(-1) for step_sum in sums], 1).unsqueeze(1)
        if self.kind == "multihead":
            batch, _, size = keys.shape
            shape = (batch, -1, self.heads, size // self.heads)
            split = self.query(queries).view(shape).transpose(1, 2)
            return split @ keys.view(shape).permute(0, 2, 3, 1) * (size // self.heads) ** -0.5
        return torch.bmm(queries, keys.transpose(1, 2)).unsqueeze(1)
