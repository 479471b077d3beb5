"""The batch of a search, in which waiting sources take the rows of finished ones, and the loop over its steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.decoding.constraints import Constraints
from nbtextgen.decoding.hypothesis import MAX_KEPT_ATTENTION, Hypothesis
from nbtextgen.decoding.stepper import State, Stepper
from nbtextgen.tokenizers.base import BOS

MIN_FREE_FRACTION = 0.125
"""The batch is refilled or compacted only if this fraction of its rows is free, since both copy memory."""


@dataclass
class _Step:
    """What one step appended to the hypotheses, in arrays: lists for every row would keep Python's garbage collector busy.

    Attributes:
        row_of: the batch row of every source, by source index.
        parents: the hypothesis that each one continues, ``(rows, width)``; ``None``: itself.
        tokens: appended tokens, ``(rows, width)``.
        logs: their log-probabilities, ``(rows, width)``.
        attention: ``(rows, width, source_length)`` in the order before ``parents``, or ``None`` to bound memory.
        rivals: see ``Hypothesis.rivals``, ``(rows, width)``, or ``None``.
    """

    row_of: dict[int, int]
    parents: NDArray[np.int64] | None
    tokens: NDArray[np.int64]
    logs: NDArray[np.float32]
    attention: NDArray[np.float32] | None
    rivals: NDArray[np.float32] | None


@dataclass(frozen=True)
class Trace:
    """The last tokens of one hypothesis, with what was noted beside each: see ``Hypothesis``.

    ``attention`` is ``None`` where it was not kept, and ``rivals`` is empty in a search that notes none.
    """

    tokens: list[int]
    logs: list[float]
    rivals: list[float]
    attention: list[NDArray[np.float32]] | None


@dataclass(frozen=True)
class BatchChange:
    """How ``Batch.refill`` changed the rows: those that are ``kept`` (``None`` is all), and those where a source starts."""

    kept: Tensor | None
    new: Tensor


class Batch:
    """Up to ``size`` sources that are decoded together, with ``width`` hypotheses each.

    Attributes:
        source_indices: the source in every row, ``(rows,)``.
        unfinished: whether that source is still decoded, ``(rows,)``; the other rows are free.
        steps: number of tokens generated in every row, ``(rows,)``.
        last_tokens: the last token of every hypothesis, ``(rows, width)``.
        state: decoding state of the model.
        generated: all tokens ``(rows, width, length)``, with -1 before a row's first one; ``None`` if not needed.
        received: attention that each source token has received so far, ``(rows, width, source_length)``; ``None`` if not needed.
        source_lengths: number of tokens of every source, ``(sources,)``.
    """

    def __init__(
        self,
        model: Stepper,
        source: Tensor,
        copy_ids: Tensor | None,
        *,
        width: int,
        size: int,
        keep_generated: bool,
        keep_received: bool = False,
    ) -> None:
        """Create an empty batch of ``source (sources, source_length)``; nothing is encoded yet.

        ``copy_ids`` has the same shape. Sources that are sorted by length are decoded fastest.
        """
        self.model, self.source, self.copy_ids, self.width, self.size = model, source, copy_ids, width, size
        self.source_lengths = (source != 0).sum(1).clamp_min(1)
        device = source.device
        self.source_indices: Tensor = torch.arange(0, device=device)
        self.unfinished: Tensor = torch.ones(0, dtype=torch.bool, device=device)
        self.steps: Tensor = self.source_indices
        self.last_tokens: Tensor = torch.full((0, width), BOS, device=device)
        self.generated: Tensor | None = self.last_tokens.unsqueeze(-1)[..., :0] if keep_generated else None
        self.received: Tensor | None = torch.zeros((0, width, 0), device=device) if keep_received else None
        self.state: State = None
        # Sources that are encoded ahead and wait for a free row; ``_waiting_start`` is the first row of their state.
        self._encoded = self._waiting_start = 0
        self._waiting: Tensor = self.source_indices
        self._waiting_state: State = None
        self._history: deque[_Step] = deque()
        self._row_of: dict[int, int] = {}
        self._attention_size = 0
        self._without_attention: set[int] = set()

    def refill(self) -> BatchChange | None:
        """Fill free rows with waiting sources, or drop the free rows if none wait; ``None`` if nothing changed."""
        waiting = len(self._waiting) or self._encoded < len(self.source)
        if not len(self.source_indices):
            return self._changed(self._start()) if waiting else None
        free = (~self.unfinished).nonzero()[:, 0]
        size = self.size if waiting else len(self.source_indices)
        if not len(free) or (len(free) < size * MIN_FREE_FRACTION and len(free) < len(self.source_indices)):
            return None
        return self._changed(self._fill(free) if waiting else self._compact())

    def _changed(self, change: BatchChange) -> BatchChange:
        """Note which source is in which row now."""
        indices: list[int] = to_list(self.source_indices)
        self._row_of = {index: row for row, index in enumerate(indices)}
        return change

    def _encode(self) -> None:
        """Encode as many of the remaining sources as the batch has rows."""
        end = min(len(self.source), self._encoded + self.size)
        longest = int(self.source_lengths[self._encoded : end].max())
        copies = None if self.copy_ids is None else self.copy_ids[self._encoded : end, :longest].clone()
        self._waiting_state = self.model.start(self.source[self._encoded : end, :longest], self.width, copies)
        self._waiting = torch.arange(self._encoded, end, device=self.source.device)
        self._waiting_start, self._encoded = self._encoded, end

    def _start(self) -> BatchChange:
        """Start with the first sources."""
        self._encode()
        self.state, self.source_indices, self._waiting = self._waiting_state, self._waiting, self._waiting[:0]
        count = len(self.source_indices)
        self.unfinished = torch.ones(count, dtype=torch.bool, device=self.source.device)
        self.steps = torch.zeros_like(self.source_indices)
        self.last_tokens = self.last_tokens.new_full((count, self.width), BOS)
        if self.generated is not None:
            self.generated = self.last_tokens.unsqueeze(-1)[..., :0]
        if self.received is not None:
            self.received = self.received.new_zeros((count, self.width, 0))
        return BatchChange(None, torch.arange(count, device=self.source.device))

    def _fill(self, free: Tensor) -> BatchChange:
        """Let waiting sources take ``free`` rows."""
        if not len(self._waiting):
            self._encode()
        new, self._waiting = self._waiting[: len(free)], self._waiting[len(free) :]
        rows = free[: len(new)]
        self.state = self.model.replace(self.state, rows, self._waiting_state, new - self._waiting_start)
        self.source_indices, self.unfinished, self.steps, self.last_tokens = (
            values.index_copy(0, rows, new_values)
            for values, new_values in (
                (self.source_indices, new),
                (self.unfinished, torch.ones_like(new, dtype=torch.bool)),
                (self.steps, torch.zeros_like(new)),
                (self.last_tokens, self.last_tokens.new_full((len(new), self.width), BOS)),
            )
        )
        if self.generated is not None:
            self.generated = self.generated.index_fill(0, rows, -1)
        if self.received is not None:
            self.received = self.received.index_fill(0, rows, 0.0)
        return BatchChange(None, rows)

    def _compact(self) -> BatchChange:
        """Drop the free rows."""
        kept = self.unfinished.nonzero()[:, 0]
        self.source_indices, self.steps = self.source_indices[kept], self.steps[kept]
        self.last_tokens, self.unfinished = self.last_tokens[kept], self.unfinished[kept]
        if self.generated is not None:
            self.generated = self.generated[kept]
        if self.received is not None:
            self.received = self.received[kept]
        self.state = self.model.keep(self.state, kept) if len(kept) else None
        return BatchChange(kept, kept[:0])

    def append(
        self,
        tokens: Tensor,
        logs: Tensor,
        attention: Tensor,
        parents: Tensor | None = None,
        rivals: Tensor | None = None,
    ) -> None:
        """Append one token to every hypothesis.

        Tokens, log-probabilities, those of rivals, and ``parents``, the hypothesis that each one continues (by default
        itself), are ``(rows, width)``; ``attention (rows, width, source_length)`` is in the order before ``parents``.
        """
        kept_attention = self._keep_attention(attention)
        self._history.append(
            _Step(
                self._row_of,
                None if parents is None else parents.numpy(force=True),
                tokens.numpy(force=True),
                to_numpy(logs),
                kept_attention,
                None if rivals is None else to_numpy(rivals),
            )
        )
        if self.generated is not None:
            generated = self.generated
            if parents is not None:
                generated = _of_parents(generated, parents)
            self.generated = torch.cat([generated, tokens.unsqueeze(-1)], -1)
        if parents is not None:
            self.state = self.model.reorder(self.state, parents)
            if self.received is not None:
                self.received = _of_parents(self.received, parents)
        self.last_tokens, self.steps = tokens, self.steps + self.unfinished

    def receive(self, attention: Tensor) -> None:
        """Add the ``attention (rows, width, source_length)`` of a step to ``received``, before ``append`` reorders it.

        The sources of the rows, and with them the longest of their lengths, change between steps.
        """
        if self.received is not None:
            self.received = attention + F.pad(self.received, (0, attention.shape[-1] - self.received.shape[-1]))

    def _keep_attention(self, attention: Tensor) -> NDArray[np.float32] | None:
        """Return the attention to keep; beyond ``MAX_KEPT_ATTENTION`` that of all sources in the batch is dropped."""
        if self._attention_size + attention.numel() > MAX_KEPT_ATTENTION:
            self._without_attention |= self._row_of.keys()
            for step in self._history:
                step.attention = None
            self._attention_size = 0
        if self._without_attention.issuperset(self._row_of):
            return None
        self._attention_size += attention.numel()
        return to_numpy(attention)

    def trace_back(self, index: int, column: int, length: int) -> Trace:
        """Follow the hypothesis in ``column`` of a source back through its last ``length`` steps."""
        tokens, logs, rivals, attention = list[int](), list[float](), list[float](), list[NDArray[np.float32]]()
        for step in islice(reversed(self._history), length):
            row = step.row_of[index]
            tokens.append(step.tokens.item(row, column))
            logs.append(step.logs.item(row, column))
            if step.rivals is not None:
                rivals.append(step.rivals.item(row, column))
            if step.parents is not None:
                column = step.parents.item(row, column)
            if step.attention is not None:
                attention.append(step.attention[row, column])
        kept = None if index in self._without_attention else attention[::-1]
        return Trace(tokens[::-1], logs[::-1], rivals[::-1], kept)

    def stack_attention(self, index: int, attention: list[NDArray[np.float32]] | None) -> NDArray[np.float32] | None:
        """Stack the attention of one output over the tokens of its source, ``(steps, source_length)``."""
        if attention is None:
            return None
        length = int(self.source_lengths[index])
        return np.array([weights[:length] for weights in attention], np.float32)  # np.stack is slower

    def finish(self, rows: list[int]) -> None:
        """Free the rows of finished sources, and forget the past steps that no other source needs."""
        self.unfinished[rows] = False
        oldest = int((self.steps * self.unfinished).max())
        while len(self._history) > oldest:
            attention = self._history.popleft().attention
            self._attention_size -= 0 if attention is None else attention.size
        if self.generated is not None:
            self.generated = self.generated[..., max(0, self.generated.shape[-1] - oldest) :]


class BatchSearch(ABC):
    """A search over many sources, one token per step; greedy and beam search say what happens in a step."""

    def __init__(
        self, batch: Batch, constraints: Constraints, limits: Tensor, finished: list[list[Hypothesis]]
    ) -> None:
        """Prepare the search; ``limits (sources,)`` are the most output tokens of each source.

        ``finished`` has an empty list for each source, to which its hypotheses are added.
        """
        self.batch, self.constraints, self.config = batch, constraints, constraints.config
        self.max_lengths: list[int] = to_list(limits)
        self.limits = limits.to(batch.source.device)
        self.finished = finished

    def run(self, cancellation: CancellationToken | None = None) -> None:
        """Search until every source is finished; ``cancellation`` ends the search with ``Cancelled`` at its next step."""
        while True:
            change = self.batch.refill()
            if change is not None:
                self._follow(change)
            if not len(self.batch.source_indices):
                return
            if cancellation is not None:
                cancellation.raise_if_cancelled()
            self._advance()
            self._finish_rows()

    @abstractmethod
    def _follow(self, change: BatchChange) -> None:
        """Apply a change of the batch's rows to the search."""

    @abstractmethod
    def _advance(self) -> None:
        """Make one step of the network and choose tokens."""

    @abstractmethod
    def _finish_rows(self) -> None:
        """Finish the sources whose outputs are complete."""


def _of_parents(values: Tensor, parents: Tensor) -> Tensor:
    """Return for each hypothesis the values of the one that it continues: of ``(rows, width, length)``, by ``(rows, width)``."""
    return values.gather(1, parents.unsqueeze(-1).expand(-1, -1, values.shape[-1]))


def to_numpy(values: Tensor) -> NDArray[np.float32]:
    """Return the values as a NumPy array; from a CPU without copying."""
    return values.float().numpy(force=True)


def to_list(values: Tensor) -> Any:
    """Return the values as a list of Python numbers, nested if there are several dimensions."""
    return cast("Any", values).tolist()  # PyTorch does not say what the list holds
