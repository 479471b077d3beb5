"""The weights kept beside those in training: the first, the best, and averages over time, which often generalise better."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nbtextgen.training.config import TrainingConfig
from nbtextgen.training.state import TrainerState, Weights, fill

SNAPSHOT = 0.7
"""Position in the schedule at which a snapshot is kept. Tables typed by many hands, 8,000 outputs: the area under the ROC curve of
wrong ones, beyond that of the mean log-probability, grows from 0.009 to 0.020 by one from there, and to 0.014 by one from 0.5."""


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
        self._names = [name for name, _ in model.named_parameters()]
        self._mean = [parameter.detach().clone() for parameter in self._live]

    @property
    def mean(self) -> Weights:
        """The averages by name, not copied."""
        return dict(zip(self._names, self._mean, strict=True))

    @torch.no_grad()
    def update(self) -> None:
        """Take in the current weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self._mean, self._live, 1.0 - decay)  # pyright: ignore[reportPrivateImportUsage, reportPrivateUsage]


class KeptWeights:
    """What training keeps of a model's weights, apart from those that it trains.

    Attributes:
        best: the weights of the best validation, or ``None`` before the first one. They are replaced as a whole, never
            changed, so another thread may read them.
        snapshot: the weights in training at ``SNAPSHOT``, if the settings ask for them; replaced as a whole likewise.
    """

    def __init__(self, model: nn.Module, config: TrainingConfig) -> None:
        self._model, self._first = model, snapshot(model)
        self.best: Weights | None = None
        self.snapshot: Weights | None = None
        self._keep_snapshot = config.snapshot
        self._average = MovingAverage(model, config.ema_decay) if config.average == "ema" else None
        self._last = deque[Weights](maxlen=config.average_last) if config.average == "last" else None

    def update(self, position: float) -> None:
        """Take the current weights into the moving average, and keep them at their ``position`` in the schedule."""
        if self._average is not None:
            self._average.update()
        if self._keep_snapshot and self.snapshot is None and position >= SNAPSHOT:
            self.snapshot = snapshot(self._model)

    @contextmanager
    def averaged(self) -> Generator[None]:
        """Run the block with the weights that are validated in the model: averages, if the settings ask for them.

        ``last`` averages the last validated checkpoints (Vaswani et al. 2017, sec. 6.1).
        """
        if self._average is None and self._last is None:
            yield
            return
        live = snapshot(self._model)
        if self._last is not None:
            self._last.append(live)
            put(self._model, {name: torch.stack([each[name] for each in self._last]).mean(0) for name in live})
        elif self._average is not None:
            put(self._model, self._average.mean)
        try:
            yield
        finally:
            put(self._model, live)

    def keep_best(self) -> None:
        """Keep the weights that are in the model as the best ones."""
        self.best = snapshot(self._model)

    def go_back(self) -> None:
        """Put the best weights into the model, or the first ones before the first validation."""
        put(self._model, self._first if self.best is None else self.best)

    def finish(self) -> None:
        """Put the best weights into the model; before the first validation, the moving average if there is one."""
        if self.best is not None:
            put(self._model, self.best)
        elif self._average is not None and self._average.updates:
            put(self._model, self._average.mean)

    # Checkpoints --------------------------------------------------------------------------------------------------

    def tensors(self) -> dict[str, Weights]:
        """The kept weights in groups, not copied."""
        groups = {"first": self._first} if self.best is None else {"best": self.best}
        if self._average is not None:
            groups["average"] = self._average.mean
        if self.snapshot is not None:
            groups["snapshot"] = self.snapshot
        return groups | {f"last-{number}": weights for number, weights in enumerate(self._last or (), 1)}

    def values(self) -> dict[str, int]:
        """What belongs to ``tensors`` in the values of a checkpoint."""
        return {} if self._average is None else {"average_updates": self._average.updates}

    def restore(self, state: TrainerState) -> None:
        """Read ``tensors`` and ``values`` back; raises ``ModelFileError`` if they do not fit the model."""
        if "best" in state.tensors:
            self.best = snapshot(self._model)
            fill(self.best, state.group("best"), "The checkpoint's best model")
        else:
            fill(self._first, state.group("first"), "The checkpoint's first weights")
        if "snapshot" in state.tensors:
            self.snapshot = snapshot(self._model)
            fill(self.snapshot, state.group("snapshot"), "The checkpoint's snapshot")
        if self._average is not None:
            fill(self._average.mean, state.group("average"), "The checkpoint's average")
            self._average.updates = int(state.values["average_updates"])
        if self._last is not None:
            for number in range(1, (self._last.maxlen or 0) + 1):
                if f"last-{number}" in state.tensors:
                    self._last.append(snapshot(self._model))
                    fill(self._last[-1], state.group(f"last-{number}"), "The checkpoint's average")
