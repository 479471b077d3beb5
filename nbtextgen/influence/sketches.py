"""Sketches of gradients: short vectors whose products are about those of the gradients of outputs; and a varied choice by them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nbtextgen.data.batching import Examples
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.predictor import Predictor
from nbtextgen.influence.gradients import token_gradients
from nbtextgen.model.memory import memory_errors
from nbtextgen.tokenizers.base import BOS, EOS, PAD

SIZE = 512
"""Length of a sketch."""
MAX_OUTPUTS = 4096
"""Outputs that are encoded together."""


@memory_errors("There is not enough memory for the gradients of outputs of this length; choose among shorter inputs.")
def gradient_sketches(predictor: Predictor, outputs: Sequence[Generation], size: int = SIZE) -> NDArray[np.float32]:
    """Sketch the gradients of a model's outputs, as if each were the label of its source, ``(outputs, size)``.

    A gradient is that of the last hidden layer, summed over the tokens of an output and its end; see ``TokenGradients``. The
    product of two sketches is that of the gradients, give or take ``1 / sqrt(size)`` of the product of their lengths. An
    output that the model is certain of has a short one. Of an ensemble, the sketches of its networks stand side by side.
    """
    parts = [
        _sketches(predictor, outputs[start : start + MAX_OUTPUTS], size)
        for start in range(0, len(outputs), MAX_OUTPUTS)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, size), np.float32)


def _sketches(predictor: Predictor, outputs: Sequence[Generation], size: int) -> NDArray[np.float32]:
    """Sketches of so many outputs that they are encoded together."""
    examples, networks = _examples(predictor, outputs), predictor.networks
    part = -(-size // len(networks))
    sketches = np.zeros((len(networks), len(outputs), part), np.float32)
    for number, (network, sketch) in enumerate(zip(networks, sketches, strict=True)):
        draw = np.random.default_rng(number)
        sides: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        for gradients in token_gradients(network, examples):
            features, errors = gradients.features.numpy(), gradients.errors.numpy()
            if sides is None:
                left, right = (draw.standard_normal((each.shape[1], part), np.float32) for each in (features, errors))
                sides = left, right
            # The gradient is an outer product; so the product of both sides' projections is a projection of it.
            np.add.at(sketch, gradients.examples.numpy(), (features @ sides[0]) * (errors @ sides[1]))
    return np.concatenate(list(sketches), 1)[:, :size] / np.float32(np.sqrt(size))


def _examples(predictor: Predictor, outputs: Sequence[Generation]) -> Examples:
    """The sources and outputs as token ids, with the ids of words that were copied."""
    sources = predictor.codec.encode([output.source for output in outputs], DecodingConfig())
    lengths = [max(1, int((ids != PAD).sum())) for ids in sources.ids]
    targets = [np.array([BOS, *output.ids, EOS], np.int64) for output in outputs]
    copies = sources.copy_ids
    return Examples(
        [ids[:length] for ids, length in zip(sources.ids, lengths, strict=True)],
        targets,
        None if copies is None else [ids[:length] for ids, length in zip(copies, lengths, strict=True)],
    )


def select(vectors: NDArray[np.float32], count: int, seed: int = 1) -> list[int]:
    """Draw rows by k-means++ (Arthur and Vassilvitskii 2007), as BADGE does on gradients (Ash et al. 2020, sec. 3).

    A row is drawn with the square of its distance to the nearest row drawn before, so rows with short vectors, or with one like
    an earlier row's, are rare.

    Args:
        vectors: of the rows, ``(rows, dimensions)``.
        count: rows to draw; all of them if there are fewer.
        seed: of the draw.

    Returns:
        the indices, in the order they were drawn; the first has the longest vector.
    """
    generator, lengths = np.random.default_rng(seed), (vectors**2).sum(1)
    distances = lengths.astype(np.float64)
    drawn = [int(np.argmax(lengths))] if len(lengths) and count > 0 else []
    free = np.ones(len(lengths), bool)
    while len(drawn) < min(count, len(lengths)):
        last = drawn[-1]
        free[last] = False
        distances = np.minimum(distances, np.maximum(0.0, lengths + lengths[last] - 2 * (vectors @ vectors[last])))
        weights = np.where(free, distances + 1e-12, 0.0)
        drawn.append(int(generator.choice(len(weights), p=weights / weights.sum())))
    return drawn
