"""Initial weights that keep the signal at a useful size in every layer from the first update on.

A matrix that reads ``inputs`` numbers of unit variance gives numbers of variance ``gain ** 2`` if its entries have the
standard deviation ``gain / sqrt(inputs)`` (LeCun et al. 1998, sec. 4.6). With the usual ``1 / sqrt(width)`` for embeddings,
the inputs of a wide recurrent layer are almost zero for the first hundreds of updates, and a tied output layer
gives logits that hardly differ. The constants were chosen by validation perplexity after a few hundred updates; see
"Initialisation" in ``benchmarks/README.md``.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

EMBEDDING_STD = 0.3
"""Standard deviation of embeddings, and so of a tied output layer, whatever the width."""
COMBINE_GAIN = 2.0
"""Gain of the layer before the output layer, whose tanh flattens its result."""
OUTPUT_GAIN = 2.5
"""Gain of an output layer with its own weights."""


def fan_in_normal_(weight: Tensor, gain: float = 1.0) -> None:
    """Fill ``weight (outputs, inputs)`` from a normal distribution of standard deviation ``gain / sqrt(inputs)``."""
    nn.init.normal_(weight, std=gain / math.sqrt(weight.shape[1]))


def initialise_linear(layer: nn.Linear, gain: float = 1.0) -> nn.Linear:
    """Initialize weights with ``fan_in_normal_`` and biases with zero; return the layer."""
    fan_in_normal_(layer.weight, gain)
    if layer.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
        nn.init.zeros_(layer.bias)
    return layer
