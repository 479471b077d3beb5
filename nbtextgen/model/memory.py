"""When a computation did not fit into the memory: how to know it, and what to do before a smaller one is tried."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch

from nbtextgen.core.errors import MemoryShortError
from nbtextgen.model.cpu import stop_keeping_freed_memory

_MESSAGES = ("can't allocate memory", "bad_alloc", "could not create a", "CUDNN_STATUS_ALLOC")
"""What PyTorch's other exceptions say in that case; the third is oneDNN's."""


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
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _MESSAGES)


def make_room() -> None:
    """Return memory that is kept but not used, before a smaller computation is tried."""
    stop_keeping_freed_memory()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
