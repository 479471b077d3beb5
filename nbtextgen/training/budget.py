"""How many updates of a network of some size this machine makes within a time limit."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass

import torch
from torch import nn

from nbtextgen.model.isolation import forked_generators

OVERHEAD = 1.5
"""Time of a whole update relative to that of its matrix products at ``training_speed`` (1.2 to 1.7 on an EPYC with AVX2)."""
PREPARATION = 0.1
"""Fraction of the limit that reading, tokenising and validating take."""


@functools.cache
def training_speed(threads: int) -> float:
    """Floating-point operations per second of a small LSTM's forward and backward pass; takes a quarter of a second.

    Args:
        threads: ``torch.get_num_threads()``; the result is cached for each number.
    """
    inputs, hidden, types, batch, length = 128, 256, 1000, 48, 16
    with forked_generators():
        layer, output = nn.LSTM(inputs, hidden, batch_first=True), nn.Linear(hidden, types)
        tokens = torch.randn(batch, length, inputs)
    shortest = float("inf")
    for _ in range(4):
        began = time.perf_counter()
        output(layer(tokens)[0]).sum().backward()
        shortest = min(shortest, time.perf_counter() - began)
    return 6 * batch * length * (4 * hidden * (inputs + hidden) + hidden * types) / shortest


@dataclass(frozen=True)
class Budget:
    """A time limit for training pairs of some length.

    Attributes:
        seconds: wall time of the whole training.
        source_tokens, target_tokens: mean length of the pairs.
        vocabulary: types of the target side.
        speed: floating-point operations per second.
    """

    seconds: float
    source_tokens: float
    target_tokens: float
    vocabulary: int
    speed: float

    def updates(self, embedding: int, hidden: int, batch: int) -> int:
        """Updates of a one-layer bidirectional encoder-decoder with attention that fit into the limit, at least one.

        A matrix with n entries costs 2n operations a token forwards and 4n backwards.
        """
        half = hidden // 2
        encoder = 2 * 4 * half * (embedding + half) + hidden * hidden
        decoder = 4 * hidden * (embedding + hidden) + 2 * hidden * embedding + embedding * self.vocabulary
        attention = 2 * self.source_tokens * hidden
        pair = 6 * (self.source_tokens * encoder + self.target_tokens * (decoder + attention))
        return max(1, int(self.seconds * (1 - PREPARATION) * self.speed / (OVERHEAD * batch * pair)))
