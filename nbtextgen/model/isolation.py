"""Keeps the user's global settings of torch and ours apart, in both directions."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

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
    """Run the block with torch's own defaults (float32, CPU, gradients, no autocast), then restore the user's."""
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
        yield


def isolated_steps(items: Generator[Item, None, None]) -> Generator[Item, None, None]:
    """The items of a generator, which has its own random state; the user's code between them keeps the user's.

    The generator is closed at the end, and when the caller leaves early.
    """
    own: list[torch.Tensor] | None = None
    try:
        while True:
            with isolated(), forked_generators():
                if own is not None:
                    _set_random_states(own)
                try:
                    item = next(items)
                except StopIteration:
                    return
                own = _random_states()
            yield item
    finally:
        with isolated(), forked_generators():
            items.close()


def _random_states() -> list[torch.Tensor]:
    cuda = [torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else []
    return [torch.get_rng_state(), *cuda]


def _set_random_states(states: list[torch.Tensor]) -> None:
    torch.set_rng_state(states[0])
    for state in states[1:]:
        torch.cuda.set_rng_state(state)
