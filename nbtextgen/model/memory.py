"""When a computation did not fit into the memory: how to know it, and what to do before a smaller one is tried."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from nbtextgen.core.errors import MemoryShortError, is_memory_short
from nbtextgen.model.cpu import stop_keeping_freed_memory

Result = TypeVar("Result")


@contextmanager
def memory_errors(message: str) -> Generator[None]:
    """Raise ``MemoryShortError`` with ``message`` if a computation in the block does not fit into the memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        make_room()
        raise MemoryShortError(message) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Return ``True`` if the machine or the GPU had no memory left."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and (is_memory_short(error) or "CUDNN_STATUS_ALLOC" in str(error))


def make_room() -> None:
    """Return memory that is kept but not used, before a smaller computation is tried."""
    stop_keeping_freed_memory()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def in_fitting_parts(
    compute: Callable[[NDArray[np.intp]], Result], rows: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], Result]]:
    """Yield ``rows`` in parts that fit into the memory, each with what ``compute`` returned for it.

    Args:
        compute: computes rows; each row must have the same result with any others.
        rows: ``(rows,)``, tried at once, and halved as long as the memory does not hold them. One row is tried again without
            oneDNN, which keeps each kernel that it has made for a shape.

    Raises:
        MemoryShortError: if not even one row fits.
    """
    pending, onednn = [rows], True
    while pending:
        part = pending.pop()
        try:
            with nullcontext() if onednn else _without_onednn():
                result = compute(part)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if len(part) == 1 and not onednn:
                raise MemoryShortError(
                    "There is not enough memory for one text of this length; use a shorter one."
                ) from error
        else:
            yield part, result
            continue
        make_room()  # here the error, which holds on to what was computed, is gone
        if len(part) == 1:
            pending.append(part)
            onednn = False
        else:
            half = len(part) // 2
            pending += [part[half:], part[:half]]


@contextmanager
def _without_onednn() -> Generator[None]:
    """Compute the block with PyTorch's own kernels; ``torch.backends.mkldnn.flags`` would warn about Intel's GPUs."""
    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = before
