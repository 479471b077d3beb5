"""A batch that is being written: rows that end leave it, waiting sources take their places, and the past is remembered."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbtextgen.decoding.hypothesis import MAX_KEPT_ATTENTION
from nbtextgen.decoding.stepper import Stepper

_WORTH_IT = 0.125
"""Share of the places that must be free before others take them, or the batch closes up: both cost a little."""


@dataclass
class _Step:
    """One step of the batch: for each row and hypothesis what it continued, what it wrote, and where it looked.

    ``at`` tells where a source was in the batch then; ``attention`` is ``(rows, width, source_length)``, in the
    order of the hypotheses that were continued, or ``None`` once it takes too much memory.
    """

    at: dict[int, int]
    parents: list[list[int]]
    tokens: list[list[int]]
    logs: list[list[float]]
    attention: NDArray[np.float32] | None


@dataclass(frozen=True)
class Change:
    """What happened to the places of a batch.

    Attributes:
        kept: the places that stay, in their new order, or ``None`` for all as they were.
        new: the places, after that, in which a source begins.
    """

    kept: Tensor | None
    new: Tensor


class Batch:
    """Sources that are being written for, ``places`` of them at a time, ``width`` hypotheses each.

    Attributes:
        rows: numbers of the sources in the batch, ``(rows,)``.
        alive: whether each is still being written for, ``(rows,)``; the others' places are free.
        steps: tokens that each of them has, ``(rows,)``.
        last: the last token of every hypothesis, ``(rows, width)``.
        state: of the model.
        written: tokens so far ``(rows, width, length)`` with -1 before a row's first, if they were asked for.
        lengths: tokens of every source, ``(sources,)``.
    """

    def __init__(
        self,
        model: Stepper,
        source: Tensor,
        copy_ids: Tensor | None,
        *,
        width: int,
        places: int,
        bos: int,
        keep_written: bool,
    ) -> None:
        """Make ready; nothing is encoded yet.

        Args:
            model: what encodes and writes.
            source: ``(sources, source_length)``, best in order of their lengths.
            copy_ids: as ``source``, for networks with a copy head.
            width: hypotheses a source.
            places: sources written for at a time.
            bos: what every hypothesis begins with.
            keep_written: whether ``written`` is needed.
        """
        self.model, self.source, self.copy_ids = model, source, copy_ids
        self.width, self.places, self.bos = width, places, bos
        self.lengths = (source != 0).sum(1).clamp_min(1)
        device = source.device
        self.rows = torch.arange(0, device=device)
        self.alive = torch.ones(0, dtype=torch.bool, device=device)
        self.steps = self.rows
        self.last = torch.full((0, width), bos, device=device)
        self.written = self.last.unsqueeze(-1)[..., :0] if keep_written else None
        self.state: Any = None
        self._begun = self._first = 0
        self._ready: Tensor = self.rows
        self._ready_state: Any = None
        self._past: deque[_Step] = deque()
        self._kept_attention = 0
        self._without_attention: set[int] = set()

    def fill(self) -> Change | None:
        """Let waiting sources take free places; when none wait, close up. ``None`` where nothing is done."""
        waiting = len(self._ready) or self._begun < len(self.source)
        if not len(self.rows):
            return self._start() if waiting else None
        free = (~self.alive).nonzero()[:, 0]
        places = self.places if waiting else len(self.rows)
        if not len(free) or (len(free) < places * _WORTH_IT and len(free) < len(self.rows)):
            return None
        return self._take(free) if waiting else self._close()

    def _encode(self) -> None:
        """Make as many waiting sources ready as there are places."""
        end = min(len(self.source), self._begun + self.places)
        longest = int(self.lengths[self._begun : end].max())
        copies = None if self.copy_ids is None else self.copy_ids[self._begun : end, :longest].clone()
        self._ready_state = self.model.start(self.source[self._begun : end, :longest], self.width, copies)
        self._ready = torch.arange(self._begun, end, device=self.source.device)
        self._first, self._begun = self._begun, end

    def _start(self) -> Change:
        """The first batch."""
        self._encode()
        self.state, self.rows, self._ready = self._ready_state, self._ready, self._ready[:0]
        count = len(self.rows)
        self.alive = torch.ones(count, dtype=torch.bool, device=self.rows.device)
        self.steps = torch.zeros_like(self.rows)
        self.last = self.last.new_full((count, self.width), self.bos)
        if self.written is not None:
            self.written = self.last.unsqueeze(-1)[..., :0]
        return Change(None, torch.arange(count, device=self.rows.device))

    def _take(self, free: Tensor) -> Change:
        """Waiting sources take free places."""
        if not len(self._ready):
            self._encode()
        new, self._ready = self._ready[: len(free)], self._ready[len(free) :]
        places = free[: len(new)]
        self.state = self.model.replace(self.state, places, self._ready_state, new - self._first)
        self.rows, self.alive, self.steps, self.last = (
            each.index_copy(0, places, value)
            for each, value in (
                (self.rows, new),
                (self.alive, torch.ones_like(new, dtype=torch.bool)),
                (self.steps, torch.zeros_like(new)),
                (self.last, self.last.new_full((len(new), self.width), self.bos)),
            )
        )
        if self.written is not None:
            self.written = self.written.index_fill(0, places, -1)
        return Change(None, places)

    def _close(self) -> Change:
        """Go on without the free places."""
        kept = self.alive.nonzero()[:, 0]
        self.rows, self.steps, self.last = self.rows[kept], self.steps[kept], self.last[kept]
        self.alive = self.alive[kept]
        if self.written is not None:
            self.written = self.written[kept]
        self.state = self.model.keep(self.state, kept) if len(kept) else None
        return Change(kept, kept[:0])

    def append(self, tokens: Tensor, logs: Tensor, attention: Tensor, parents: Tensor | None = None) -> None:
        """Every hypothesis has written a token.

        Args:
            tokens: ``(rows, width)``.
            logs: their log-probabilities, same shape.
            attention: of the step, ``(rows, width, source_length)``, in the order before ``parents``.
            parents: which hypothesis each one continues, ``(rows, width)``; each its own by default.
        """
        at = {row: place for place, (row, alive) in enumerate(self.living()) if alive}
        order = [list(range(self.width))] * len(self.rows) if parents is None else parents.tolist()
        self._past.append(_Step(at, order, tokens.tolist(), logs.tolist(), self._kept(attention, at)))
        if self.written is not None:
            written = self.written
            if parents is not None:
                written = written.gather(1, parents.unsqueeze(-1).expand(-1, -1, written.shape[-1]))
            self.written = torch.cat([written, tokens.unsqueeze(-1)], -1)
        if parents is not None:
            self.state = self.model.reorder(self.state, parents)
        self.last, self.steps = tokens, self.steps + self.alive

    def _kept(self, attention: Tensor, at: dict[int, int]) -> NDArray[np.float32] | None:
        """What is kept of a step's attention; beyond ``MAX_KEPT_ATTENTION``, sources in the batch go on without any."""
        if self._kept_attention + attention.numel() > MAX_KEPT_ATTENTION:
            self._without_attention |= at.keys()
            for step in self._past:
                step.attention = None
            self._kept_attention = 0
        if self._without_attention.issuperset(at):
            return None
        self._kept_attention += attention.numel()
        return on_host(attention)

    def path(
        self, row: int, column: int, length: int
    ) -> tuple[list[int], list[float], list[NDArray[np.float32]] | None]:
        """What a hypothesis wrote in its last ``length`` steps: tokens, log-probabilities, attention if it was kept."""
        tokens, logs, attention = [], [], []
        for back in range(1, length + 1):
            step = self._past[-back]
            place = step.at[row]
            tokens.append(step.tokens[place][column])
            logs.append(step.logs[place][column])
            column = step.parents[place][column]
            if step.attention is not None:
                attention.append(step.attention[place, column])
        return tokens[::-1], logs[::-1], None if row in self._without_attention else attention[::-1]

    def attended(self, row: int, attention: list[NDArray[np.float32]] | None) -> NDArray[np.float32] | None:
        """Attention of one output over its own source, ``(steps, source_length)``, if it was kept."""
        if attention is None:
            return None
        length = int(self.lengths[row])
        return np.stack([step[:length] for step in attention])

    def living(self) -> list[tuple[int, bool]]:
        """For each place its source, and whether that is still being written for."""
        return list(zip(self.rows.tolist(), self.alive.tolist(), strict=True))

    def end(self, places: list[int]) -> None:
        """The sources in these places are done; what only they still needed of the past is forgotten."""
        self.alive[places] = False
        oldest = int((self.steps * self.alive).max())
        while len(self._past) > oldest:
            attention = self._past.popleft().attention
            self._kept_attention -= 0 if attention is None else attention.size
        if self.written is not None:
            self.written = self.written[..., max(0, self.written.shape[-1] - oldest) :]


def on_host(values: Tensor) -> NDArray[np.float32]:
    """The values as a NumPy array; on a processor without copying."""
    return values.float().cpu().numpy()
