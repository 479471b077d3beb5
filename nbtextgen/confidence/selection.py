"""Which inputs to label next: those that would change the model most, each in a way of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
