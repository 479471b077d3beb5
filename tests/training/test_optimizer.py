"""The optimizers do what PyTorch's do, without its compiler."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from nbtextgen.training.config import TrainingConfig
from nbtextgen.training.step import make_optimizer

KINDS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {"betas": (0.9, 0.98)}),
    "adamw": (torch.optim.AdamW, {"betas": (0.9, 0.98)}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9}),
}


@pytest.mark.parametrize("name", KINDS)
def test_updates_are_pytorchs_to_the_bit(name: str) -> None:
    def weights(mine: bool) -> list[torch.Tensor]:
        torch.manual_seed(1)
        model, inputs = torch.nn.Linear(5, 3), torch.randn(7, 5)
        kind, options = KINDS[name]
        config = TrainingConfig(optimizer=name, learning_rate=0.01, weight_decay=0.1, momentum=0.9)
        optimizer = (
            make_optimizer(model, config, torch.device("cpu"))
            if mine
            else kind(model.parameters(), lr=0.01, weight_decay=0.1, fused=True, **options)  # pyright: ignore[reportCallIssue]
        )
        for _ in range(5):
            optimizer.zero_grad()
            model(inputs).square().sum().backward()
            optimizer.step()
        assert not any(value.requires_grad for state in optimizer.state.values() for value in state.values())
        return [value.detach() for value in model.parameters()]

    calls = list[torch.optim.Optimizer]()
    hook = register_optimizer_step_post_hook(lambda optimizer, *_: calls.append(optimizer))
    try:
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(weights(True), weights(False), strict=True))
    finally:
        hook.remove()
    assert len(calls) == 10  # a profiler or logger of the user's sees every step


def test_training_does_not_import_pytorchs_compiler() -> None:
    code = """
import sys
from nbtextgen import TextGenerator
pairs = [(a + b, b + a) for a in "abcdefgh" for b in "uvwxyz"]
model = TextGenerator(epochs=1, hidden_size=16, samples=1).fit(pairs, callbacks=[])
model.explain(model.generate("au"))
print("torch._dynamo" in sys.modules, "sympy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
