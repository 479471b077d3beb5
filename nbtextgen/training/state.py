"""Where a training run stands: everything needed to go on as if it had never stopped."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from nbtextgen.core.errors import ModelFileError
from nbtextgen.core.files import JsonObject

Weights = dict[str, Tensor]
_LATER = ("best_loss", "improved", "decay_from", "validated", "validated_step", "first_loss", "risen")
"""Fields that earlier checkpoints lack."""
_MAY_BE_INFINITE = ("best", "best_loss")
"""Fields that are infinite before the first validation; JSON has ``null`` for them."""


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        step: updates done.
        epoch: the pass under way, from one.
        position: updates of this pass that are done.
        best: figure of the best validation, lower is better.
        best_step: the update it was made after.
        stale: validations since the last that improved the figure or the loss.
        halvings: how often the learning rate was halved.
        setbacks: how often training went back to a good state.
        level: moving mean of the training loss, nats per token; zero before the first update.
        seconds: time spent training, pauses left out.
        best_loss: lowest validation loss, nats per token.
        improved: fraction of the planned run at the last validation that improved something.
        decay_from: fraction of the planned run at which an early decay of the learning rate began; zero before.
        validated: ``seconds`` at the end of the last validation.
        validated_step: the update it was made after.
        first_loss: training loss of the first update, nats per token.
        risen: updates in a row, up to the last, of which the loss was far above its mean.
    """

    step: int = 0
    epoch: int = 1
    position: int = 0
    best: float = math.inf
    best_step: int = 0
    stale: int = 0
    halvings: int = 0
    setbacks: int = 0
    level: float = 0.0
    seconds: float = 0.0
    best_loss: float = math.inf
    improved: float = 0.0
    decay_from: float = 0.0
    validated: float = 0.0
    validated_step: int = 0
    first_loss: float = 0.0
    risen: int = 0

    def measure_anew(self) -> None:
        """Forget the losses so far: with what was changed by hand they may rise, which is no divergence and no standstill."""
        self.level, self.best_loss, self.stale, self.risen = 0.0, math.inf, 0, 0

    def as_dict(self) -> dict[str, float | None]:
        """Plain values that strict JSON can hold."""
        values = dataclasses.asdict(self)
        return values | {name: values[name] if math.isfinite(values[name]) else None for name in _MAY_BE_INFINITE}

    @classmethod
    def from_dict(cls, values: JsonObject) -> Progress:
        """Read ``as_dict`` back; raises ``ModelFileError`` for values of the wrong type."""
        progress = cls()
        for each in dataclasses.fields(cls):
            value: Any = values.get(each.name, each.default if each.name in _LATER else None)
            value = math.inf if value is None and each.name in _MAY_BE_INFINITE else value
            whole = each.type == "int"
            valid = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
            if not valid or (whole and value < 0):
                raise ModelFileError(f"The checkpoint is damaged: its {each.name} is {value!r}.")
            setattr(progress, each.name, value)
        return progress


@dataclass(frozen=True)
class TrainerState:
    """A trainer's state as tensors and plain values.

    Attributes:
        tensors: named tensors in groups: ``weights``, ``optimizer``, ``average``, ``best``, ``random``, ``last-1``...
        values: ``progress``, ``steering`` and what goes with the groups.
    """

    tensors: Mapping[str, Weights]
    values: JsonObject = field(default_factory=JsonObject)

    def group(self, name: str) -> Weights:
        """One group; raises ``ModelFileError`` if it is missing."""
        if name not in self.tensors:
            raise ModelFileError(f"The checkpoint is damaged: it has no {name}.")
        return dict(self.tensors[name])


def parameters_of(model: nn.Module) -> Weights:
    """The learned tensors by name, a tied one once; views, not copies."""
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


@torch.no_grad()
def fill(tensors: Weights, saved: Weights, what: str) -> None:
    """Copy saved tensors into living ones.

    Raises:
        ModelFileError: if a name, a shape or a kind of number differs.
    """
    if tensors.keys() != saved.keys():
        name = sorted(tensors.keys() ^ saved.keys())[0]
        raise ModelFileError(f"{what} does not fit the run: {name!r} is missing or unexpected.")
    for name, tensor in tensors.items():
        if tensor.shape != saved[name].shape or tensor.dtype != saved[name].dtype:
            shapes = f"{tuple(saved[name].shape)} {saved[name].dtype}, not {tuple(tensor.shape)} {tensor.dtype}"
            raise ModelFileError(f"{what} does not fit the run: {name!r} is {shapes}.")
    for name, tensor in tensors.items():
        tensor.copy_(saved[name])


def optimizer_tensors(optimizer: torch.optim.Optimizer, model: nn.Module) -> Weights:
    """The optimizer's moments and counts, named ``parameter/moment``."""
    return {
        f"{name}/{key}": value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module, saved: Weights) -> None:
    """Put moments and counts back; raises ``ModelFileError`` if they do not belong to the model."""
    parameters = dict(model.named_parameters())
    optimizer.state.clear()
    for key, value in saved.items():
        name, _, moment = key.rpartition("/")
        if name not in parameters or value.shape not in (parameters[name].shape, torch.Size([])):
            raise ModelFileError(f"The checkpoint's optimizer does not fit the run: {key!r}.")
        # A count stays where the optimizer made it: on the CPU for plain kernels, with the weights for fused ones.
        optimizer.state[parameters[name]][moment] = value.to(parameters[name].device, copy=True)
    if saved and len({frozenset(optimizer.state[parameter]) for parameter in parameters.values()}) > 1:
        raise ModelFileError("The checkpoint's optimizer does not fit the run: some moments are missing.")


def random_state(device: torch.device) -> Weights:
    """State of the random generators that training draws from."""
    state = {"cpu": torch.get_rng_state()}
    return state | {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else state


def restore_random_state(saved: Weights, device: torch.device) -> None:
    """Put the generators back; raises ``ModelFileError`` if the state is damaged."""
    try:
        torch.set_rng_state(saved["cpu"])
        if device.type == "cuda" and "cuda" in saved:
            torch.cuda.set_rng_state(saved["cuda"], device)
    except (KeyError, RuntimeError, TypeError) as error:
        raise ModelFileError(f"The checkpoint's random state is damaged: {error}.") from error
