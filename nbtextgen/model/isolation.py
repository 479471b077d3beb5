"""Keeps the user's global settings of torch and ours apart, in both directions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import wraps
from typing import Any, TypeVar

import torch

Item = TypeVar("Item")


def seed_generators(seed: int) -> None:
    """Seed torch's random generators of all devices."""
    torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]


@contextmanager
def forked_generators(seed: int | None = None) -> Generator[None]:
    """Run the block, with a ``seed`` if there is one, and restore torch's random generators afterwards."""
    cuda = torch.cuda.is_initialized() or (seed is not None and torch.cuda.is_available())
    with torch.random.fork_rng([torch.cuda.current_device()] if cuda else []):  # pyright: ignore[reportUnknownMemberType]
        if seed is not None:
            seed_generators(seed)
        yield


@contextmanager
def isolated() -> Generator[None]:
    """Run the block with torch's own defaults, then restore the user's settings.

    The defaults are float32, CPU, gradients, no autocast, no anomaly detection and full precision of products. Where the user
    asks for deterministic algorithms, an operation that has none warns instead of failing.
    """
    with ExitStack() as stack:
        if torch.get_default_dtype() != torch.float32:
            stack.callback(torch.set_default_dtype, torch.get_default_dtype())
            torch.set_default_dtype(torch.float32)
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if not torch.is_grad_enabled():
            stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.is_anomaly_enabled():
            stack.enter_context(torch.autograd.set_detect_anomaly(False))
        if (precision := torch.get_float32_matmul_precision()) != "highest":
            stack.callback(torch.set_float32_matmul_precision, precision)
            torch.set_float32_matmul_precision("highest")
        if torch.are_deterministic_algorithms_enabled() and not torch.is_deterministic_algorithms_warn_only_enabled():
            stack.callback(torch.use_deterministic_algorithms, True)
            torch.use_deterministic_algorithms(True, warn_only=True)
        yield


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


def _random_states() -> list[torch.Tensor]:
    cuda = [torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else []
    return [torch.get_rng_state(), *cuda]


def _set_random_states(states: list[torch.Tensor]) -> None:
    torch.set_rng_state(states[0])
    for state in states[1:]:
        torch.cuda.set_rng_state(state)
