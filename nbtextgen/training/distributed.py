"""The processes that train one model together; one alone is the usual case, and costs nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Value = TypeVar("Value")


@dataclass(frozen=True)
class ProcessGroup:
    """This process among those that train together.

    Every method but ``share`` is a meeting point: all processes must come to it, in the same order.

    Attributes:
        rank: which one this is, from zero; zero decides, logs and keeps.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def joined(cls) -> ProcessGroup:
        """The group that torchrun started this process in, or this process alone.

        Raises:
            torch.distributed.DistBackendError: when the others do not come.
        """
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            return cls()
        import torch.distributed as dist

        if not dist.is_initialized():
            local = int(os.environ["LOCAL_RANK"])
            if torch.cuda.is_available():
                torch.cuda.set_device(local % torch.cuda.device_count())
            dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        return cls(dist.get_rank(), dist.get_world_size())

    def agree(self, values: Sequence[float]) -> list[float]:
        """What the first process has for these numbers."""
        if self.size == 1:
            return list(values)
        import torch.distributed as dist

        tensor = torch.tensor(values, dtype=torch.float64)
        dist.broadcast(tensor, 0)
        return tensor.tolist()

    def add(self, values: Sequence[float]) -> list[float]:
        """Sums over all processes."""
        if self.size == 1:
            return list(values)
        import torch.distributed as dist

        tensor = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(tensor)
        return tensor.tolist()

    def most(self, value: int) -> int:
        """The largest value that any process has."""
        return max(self.gather(value))

    def average(self, tensors: Sequence[torch.Tensor]) -> None:
        """Put the mean over all processes in the place of each tensor."""
        if self.size == 1:
            return
        import torch.distributed as dist

        for tensor in tensors:
            dist.all_reduce(tensor)
            tensor /= self.size

    def gather(self, value: Value) -> list[Value]:
        """What each process has, in order of rank."""
        if self.size == 1:
            return [value]
        import torch.distributed as dist

        found: list[Value | None] = [None] * self.size
        dist.all_gather_object(found, value)
        return found  # type: ignore[return-value]

    def once(self, make: Callable[[], Value]) -> Value:
        """What ``make`` gives in the first process; the others do not call it."""
        if self.size == 1:
            return make()
        import torch.distributed as dist

        found = [make() if self.rank == 0 else None]
        dist.broadcast_object_list(found, 0)
        return found[0]  # type: ignore[return-value]

    def share(self, rows: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """This process's part of a batch: neighbours, cut where the parts hold about as many tokens.

        Args:
            rows: row numbers of the whole batch, similar lengths beside one another.
            lengths: tokens of every row of the data.
        """
        if self.size == 1:
            return rows
        upto = np.cumsum(lengths[rows])
        cuts = [
            0,
            *(int(np.searchsorted(upto, upto[-1] * part / self.size)) for part in range(1, self.size)),
            len(rows),
        ]
        return rows[cuts[self.rank] : cuts[self.rank + 1]]

    def wrapped(self, module: nn.Module, device: torch.device) -> nn.Module:
        """The module with its gradients averaged over the processes, exchanged while they are still being computed."""
        if self.size == 1:
            return module
        from torch.nn.parallel import DistributedDataParallel

        ids = (
            [device.index if device.index is not None else torch.cuda.current_device()]
            if device.type == "cuda"
            else None
        )
        wrapped = DistributedDataParallel(module, device_ids=ids, gradient_as_bucket_view=True)
        # The only buffer is a constant. Sending it in every pass would also make a process that failed in one, and
        # passes again, wait for others that do not. (As an argument this makes torch 2.13 warn of a new name.)
        wrapped.broadcast_buffers = False
        return wrapped
