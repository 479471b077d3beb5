"""Searches side by side: the steps of one search are too small to keep several cores busy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

from nbtextgen.decoding.stepper import Stepper
from nbtextgen.model.cpu import computing_with

T = TypeVar("T")


class Cancelled(Exception):
    """Another search failed or was interrupted, so this one's result is not wanted."""


class Cancellable:
    """A model that refuses to step on when told so."""

    def __init__(self, model: Stepper, cancelled: threading.Event) -> None:
        self.start, self.reorder, self.keep, self.replace = model.start, model.reorder, model.keep, model.replace
        self._step, self._cancelled = model.step, cancelled

    def step(self, tokens: Tensor, state: object) -> tuple[Tensor, Tensor, object]:
        """As the model's."""
        if self._cancelled.is_set():
            raise Cancelled
        return self._step(tokens, state)


def run_parallel(model: Stepper, searches: Sequence[Callable[[Stepper], T]], *, one_thread: bool = False) -> list[T]:
    """Run searches at once, each in a thread that computes on one core; gives their results in order.

    Where one fails, or the caller is interrupted, the others end at their next step.

    Args:
        model: what all of them step through.
        searches: each is given the model.
        one_thread: whether a search that is alone computes on one core as well, instead of with all threads.
    """
    if len(searches) == 1:
        with computing_with(1 if one_thread else torch.get_num_threads()):
            return [searches[0](model)]
    cancelled, ready = threading.Event(), threading.Barrier(len(searches) + 1)
    cores = torch.get_num_threads()

    def alone(search: Callable[[Stepper], T]) -> T:
        torch.set_num_threads(1)  # holds for this thread, and for threads yet to come
        ready.wait()
        return search(Cancellable(model, cancelled))

    with ThreadPoolExecutor(len(searches)) as pool:
        running = [pool.submit(alone, search) for search in searches]
        ready.wait()
        torch.set_num_threads(cores)
        try:
            return [each.result() for each in running]
        except BaseException:
            cancelled.set()
            raise
