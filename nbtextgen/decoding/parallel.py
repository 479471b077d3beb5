"""Run several searches at once: the steps of one search are too small to keep several cores busy."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.model.cpu import using_threads

T = TypeVar("T")


def run_parallel(
    searches: Sequence[Callable[[CancellationToken], T]],
    cancellation: CancellationToken | None = None,
) -> list[T]:
    """Run every search in a Python thread that computes on one core; return the results in order.

    Every search checks the token that it is given at every step. If one fails, or the caller is interrupted, the others
    are cancelled. A search sees the context of the caller, so that what reports its progress in a notebook reaches the caller's
    cell. A single search runs in the caller's thread.
    """
    shared = CancellationToken(cancellation)
    cores = torch.get_num_threads()
    if len(searches) == 1:
        with using_threads(1):
            return [searches[0](shared)]
    ready = threading.Barrier(len(searches) + 1)

    def run_on_one_core(search: Callable[[CancellationToken], T]) -> T:
        torch.set_num_threads(1)  # holds for this thread, and for threads yet to come
        ready.wait()
        return search(shared)

    with ThreadPoolExecutor(len(searches)) as pool:
        futures = [pool.submit(contextvars.copy_context().run, run_on_one_core, search) for search in searches]
        ready.wait()
        torch.set_num_threads(cores)
        try:
            return [future.result() for future in futures]
        except BaseException:
            shared.cancel()
            raise
