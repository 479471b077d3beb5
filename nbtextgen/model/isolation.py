"""Keeps the user's global settings of torch and ours apart, in both directions."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial, wraps
from typing import Any, TypeVar

import torch

Item = TypeVar("Item")


def seed_generators(seed: int) -> None:
    """Seed torch's random generators of all devices."""
    torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]


class _Turns:
    """Lets threads use torch's random generators in turn, since all threads have the same ones.

    A thread may take a turn inside of its own. One that has just had a turn lets those that wait go first.
    """

    def __init__(self) -> None:
        self._next, self._busy = threading.Lock(), threading.Lock()
        self._owner: int | None = None
        self.states: list[list[torch.Tensor]] = []  # to be restored when the owner's turns end, the outermost first

    @property
    def are_mine(self) -> bool:
        """Whether this thread has the turn."""
        return self._owner == threading.get_ident()

    def begin(self, *, with_cuda: bool) -> None:
        """Wait for a turn, and keep the states of the generators."""
        if not self.are_mine:
            with self._next:
                self._busy.acquire()
            self._owner = threading.get_ident()
        self.states.append(_random_states(with_cuda=with_cuda))

    def end(self) -> None:
        """Restore the states; other threads go on after the outermost turn."""
        try:
            _set_random_states(self.states.pop())
        finally:
            if not self.states:
                self._owner = None
                self._busy.release()


_turns = _Turns()


def _forget_turns() -> None:
    """In a forked process, where the thread that has the turn does not exist."""
    _turns.__init__()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_turns)


@contextmanager
def forked_generators(seed: int | None = None) -> Generator[None]:
    """Run the block, with a ``seed`` if there is one, and restore torch's random generators afterwards.

    Blocks of several threads run one after another.
    """
    _turns.begin(with_cuda=torch.cuda.is_initialized() or (seed is not None and torch.cuda.is_available()))
    try:
        if seed is not None:
            seed_generators(seed)
        yield
    finally:
        _turns.end()


@contextmanager
def others_turn() -> Generator[None]:
    """Inside ``forked_generators``, let other threads use the generators in the block, which draws nothing itself."""
    if not _turns.are_mine:
        yield
        return
    own, kept = _random_states(), list(_turns.states)
    for _ in kept:
        _turns.end()
    try:
        yield
    finally:
        for state in kept:
            _turns.begin(with_cuda=len(state) > 1)
        _turns.states[1:] = kept[1:]
        _set_random_states(own)


@contextmanager
def isolated() -> Generator[None]:
    """Run the block with torch's own defaults, then restore the user's settings.

    The defaults are float32, CPU, gradients, no autocast, no anomaly detection and full precision of products. Where the user
    asks for deterministic algorithms, an operation that has none warns instead of failing. What holds for all threads is
    restored when the last of them leaves.
    """
    with ExitStack() as stack:
        stack.enter_context(_shared_defaults)
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if not torch.is_grad_enabled():
            stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


class _SharedDefaults:
    """Torch's own defaults of what holds for all threads; may be entered by several at once."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.RLock(), 0
        self._users: list[Callable[[], object]] = []

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if (dtype := torch.get_default_dtype()) != torch.float32:
                self._replace(torch.set_default_dtype, torch.float32, dtype)
            if torch.is_anomaly_enabled():
                check_nan = torch.is_anomaly_check_nan_enabled()
                self._replace(torch.autograd.set_detect_anomaly, False, True, check_nan)
            if (precision := torch.get_float32_matmul_precision()) != "highest":
                self._replace(torch.set_float32_matmul_precision, "highest", precision)
            if (
                torch.are_deterministic_algorithms_enabled()
                and not torch.is_deterministic_algorithms_warn_only_enabled()
            ):
                torch.use_deterministic_algorithms(True, warn_only=True)
                self._users.append(partial(torch.use_deterministic_algorithms, True))

    def _replace(self, set_value: Callable[..., object], ours: object, *users: object) -> None:
        set_value(ours)
        self._users.append(partial(set_value, *users))

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            while not self._inside and self._users:
                self._users.pop()()


_shared_defaults = _SharedDefaults()


def isolated_methods(kind: type[Item]) -> type[Item]:
    """Run all public methods of a class ``isolated``, those that yield step by step (class decorator)."""
    for name, member in list(vars(kind).items()):
        if name.startswith("_") or not inspect.isfunction(member):
            continue
        if inspect.isgeneratorfunction(member):
            setattr(kind, name, _isolated_generator(member))
        else:
            setattr(kind, name, isolated()(member))
    return kind


def _isolated_generator(function: Callable[..., Generator[Item, None, None]]) -> Callable[..., Iterator[Item]]:
    @wraps(function)
    def steps(*arguments: Any, **keywords: Any) -> Iterator[Item]:
        return isolated_steps(function(*arguments, **keywords), own_random_state=False)

    return steps


def isolated_steps(items: Generator[Item, None, None], *, own_random_state: bool = True) -> Generator[Item, None, None]:
    """The items of a generator that runs ``isolated``; the user's code between them has the user's settings.

    The generator is closed at the end, and when the caller leaves early.

    Args:
        items: the generator.
        own_random_state: whether it keeps a random state of its own, apart from the user's.
    """
    own: list[torch.Tensor] | None = None
    try:
        while True:
            with isolated(), forked_generators() if own_random_state else nullcontext():
                if own is not None:
                    _set_random_states(own)
                try:
                    item = next(items)
                except StopIteration:
                    return
                own = _random_states() if own_random_state else None
            yield item
    finally:
        with isolated(), forked_generators() if own_random_state else nullcontext():
            items.close()


def _random_states(*, with_cuda: bool = False) -> list[torch.Tensor]:
    cuda = [torch.cuda.get_rng_state()] if with_cuda or torch.cuda.is_initialized() else []
    return [torch.get_rng_state(), *cuda]


def _set_random_states(states: list[torch.Tensor]) -> None:
    torch.set_rng_state(states[0])
    for state in states[1:]:
        torch.cuda.set_rng_state(state)
