"""The processes that train one model together; a single one is the usual case, and costs nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from nbtextgen.core.errors import LaunchError

Value = TypeVar("Value")


@dataclass(frozen=True)
class ProcessGroup:
    """This process among those that train together.

    Every method but ``share`` is a meeting point: all processes must come to it, in the same order.

    Attributes:
        rank: number of this process, from zero; process zero decides, logs and saves.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def joined(cls) -> ProcessGroup:
        """The group that torchrun started this process in, or this process alone.

        Raises:
            LaunchError: if torchrun's variables are only partly there.
            torch.distributed.DistBackendError: if the others do not come.
        """
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            return cls()
        for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_PORT"):
            if not os.environ.get(name, "").isdigit():
                raise LaunchError(
                    f"TORCHELASTIC_RUN_ID is set as torchrun does it, but {name} is {os.environ.get(name)!r}; start the "
                    "processes with torchrun, or remove these variables from the environment."
                )
        if not dist.is_initialized():
            local = int(os.environ["LOCAL_RANK"])
            if torch.cuda.is_available():
                torch.cuda.set_device(local % torch.cuda.device_count())
            dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        return cls(dist.get_rank(), dist.get_world_size())

    def agree(self, values: Sequence[float]) -> list[float]:
        """The values of the first process."""
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64)
        dist.broadcast(tensor, 0)
        return [float(value) for value in tensor]

    def add(self, values: Sequence[float]) -> list[float]:
        """Sums over all processes."""
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64)
        _sum(tensor)
        return [float(value) for value in tensor]

    def most(self, value: int) -> int:
        """The largest value that any process has."""
        return max(self.gather(value))

    def average(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace each tensor by its mean over all processes."""
        if self.size > 1:
            for tensor in tensors:
                _sum(tensor)
                tensor /= self.size

    def gather(self, value: Value) -> list[Value]:
        """The values of all processes, in order of rank."""
        values = [value] * self.size
        if self.size > 1:
            dist.all_gather_object(values, value)  # pyright: ignore[reportUnknownMemberType]
        return values

    def once(self, make: Callable[[], Value]) -> Value:
        """The result of ``make`` in the first process; the others do not call it."""
        if self.size == 1:
            return make()
        results: list[Value | None] = [make() if self.rank == 0 else None]
        dist.broadcast_object_list(results, 0)
        return cast("Value", results[0])

    def share(self, rows: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """This process's part of a batch: neighbours, cut where the parts hold about as many tokens.

        Args:
            rows: row numbers of the whole batch, similar lengths beside one another.
            lengths: tokens of every row of the data.
        """
        if self.size == 1:
            return rows
        totals = np.cumsum(lengths[rows])
        cuts = [int((totals < totals[-1] * part / self.size).sum()) for part in range(1, self.size)]
        return np.split(rows, cuts)[self.rank]

    def wrapped(self, module: nn.Module, device: torch.device) -> nn.Module:
        """The module with its gradients averaged over the processes, exchanged while they are still being computed."""
        if self.size == 1:
            return module
        # ``joined`` has chosen the GPU of this process.
        devices = [torch.cuda.current_device()] if device.type == "cuda" else None
        wrapped = DistributedDataParallel(module, device_ids=devices, gradient_as_bucket_view=True)
        # The only buffer is a constant. Sending it in every pass would also make a process that failed in one, and
        # passes again, wait for others that do not. (As an argument this makes torch 2.13 warn of a new name.)
        wrapped.broadcast_buffers = False
        return wrapped


def _sum(tensor: torch.Tensor) -> None:
    """Replace a tensor by its sum over all processes."""
    dist.all_reduce(tensor)  # pyright: ignore[reportUnknownMemberType]
