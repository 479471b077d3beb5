"""The number of threads that one Python thread computes with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def set_threads(number: int, default: int) -> None:
    """Let this Python thread compute with ``number`` threads, and those that have not used torch yet with ``default``."""
    torch.set_num_threads(number)  # for this thread, and as the default of all that are yet to use torch
    if number != default:
        other = threading.Thread(target=torch.set_num_threads, args=(default,))
        other.start()
        other.join()


@contextmanager
def computing_with(number: int) -> Iterator[None]:
    """Let this Python thread compute with ``number`` threads inside of this, and as before afterwards."""
    before = torch.get_num_threads()
    if number == before:
        yield
        return
    set_threads(number, before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
