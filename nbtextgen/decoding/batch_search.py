"""What greedy and beam search share: the loop over a batch whose finished sources make room for waiting ones."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.decoding.batch import Batch, BatchChange
from nbtextgen.decoding.constraints import Constraints
from nbtextgen.decoding.hypothesis import Hypothesis


class BatchSearch(ABC):
    """A search over many sources, one token per step."""

    def __init__(self, batch: Batch, constraints: Constraints, limits: Tensor) -> None:
        """Prepare the search.

        Args:
            batch: the sources.
            constraints: rules of the outputs, and the configuration.
            limits: the most output tokens of each source, ``(sources,)``.
        """
        self.batch, self.constraints, self.config = batch, constraints, constraints.config
        self.max_lengths: list[int] = limits.tolist()
        self.limits = limits.to(batch.source.device)
        self.finished: list[list[Hypothesis]] = [[] for _ in self.max_lengths]

    def run(self, cancellation: CancellationToken | None = None) -> list[list[Hypothesis]]:
        """Search until every source is finished; ``cancellation`` ends the search with ``Cancelled`` at its next step."""
        while True:
            self._follow(self.batch.refill())
            if not len(self.batch.source_indices):
                return self.finished
            if cancellation is not None:
                cancellation.raise_if_cancelled()
            self._advance()
            self._finish_rows()

    @abstractmethod
    def _follow(self, change: BatchChange | None) -> None:
        """Apply a change of the batch's rows to the search."""

    @abstractmethod
    def _advance(self) -> None:
        """Make one step of the network and choose tokens."""

    @abstractmethod
    def _finish_rows(self) -> None:
        """Finish the sources whose outputs are complete."""
