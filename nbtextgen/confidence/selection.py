"""Which inputs to label next: uncertain ones that differ from one another and from those that are labelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nbtextgen.confidence.regression import Array
from nbtextgen.confidence.training_statistics import Ids, ngram_hashes

DIMENSIONS = 512
"""Length of the vector of a source."""


def source_vectors(rows: Sequence[Ids]) -> NDArray[np.float32]:
    """Unit vectors of sources, given as token ids, ``(rows, DIMENSIONS)``.

    N-grams are hashed to dimensions and signs (Weinberger et al. 2009) and weighted by the logarithm of their rarity among the
    rows.
    """
    hashed = [np.unique(ngram_hashes(row)) for row in rows]
    everything = np.concatenate(hashed) if hashed else np.zeros(0, np.uint64)
    values, counts = np.unique(everything, return_counts=True)
    rarity = np.log((1 + len(rows)) / counts)
    vectors = np.zeros((len(rows), DIMENSIONS), np.float32)
    for vector, hashes in zip(vectors, hashed, strict=True):
        weights = rarity[np.searchsorted(values, hashes)]
        signs = np.where((hashes >> np.uint64(40)) & np.uint64(1), 1.0, -1.0)
        np.add.at(vector, (hashes % np.uint64(DIMENSIONS)).astype(np.int64), signs * weights)
    return vectors / np.maximum(1e-9, np.linalg.norm(vectors, axis=1, keepdims=True))


def select(vectors: NDArray[np.float32], uncertainty: Array, count: int, seed: int = 1) -> list[int]:
    """Draw rows by k-means++ (Arthur and Vassilvitskii 2007) on vectors whose length is their uncertainty.

    A row is drawn with the square of its distance to the nearest row drawn before, so rows that are certain (short vectors)
    or like an earlier one are rare; BADGE does so on gradients (Ash et al. 2020, sec. 3).

    Args:
        vectors: unit vectors, ``(rows, dimensions)``.
        uncertainty: between 0 and 1, ``(rows,)``.
        count: rows to draw; all of them if there are fewer.

    Returns:
        the indices, in the order they were drawn; the first is the most uncertain.
    """
    scaled = vectors * uncertainty[:, None].astype(np.float32)
    generator, lengths = np.random.default_rng(seed), (scaled**2).sum(1)
    distances = lengths.astype(np.float64)
    drawn = [int(np.argmax(lengths))] if len(lengths) and count > 0 else []
    free = np.ones(len(lengths), bool)
    while len(drawn) < min(count, len(lengths)):
        last = drawn[-1]
        free[last] = False
        distances = np.minimum(distances, np.maximum(0.0, lengths + lengths[last] - 2 * (scaled @ scaled[last])))
        weights = np.where(free, distances + 1e-12, 0.0)
        drawn.append(int(generator.choice(len(weights), p=weights / weights.sum())))
    return drawn
