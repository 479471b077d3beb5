"""Which slices of the data have more loss than the rest, tested together (Westfall & Young 1993, sec. 2.3).

Losses are permuted over the rows, and each slice's sum is compared with those of all slices in all permutations. So the corrected
p-values hold for any metric, and slices that overlap cost less than by Bonferroni's or Holm's correction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbtextgen.evaluation.evaluated import Indices

Values = NDArray[np.float64]
Single = NDArray[np.float32]

PERMUTATIONS = 999
"""For up to ``MANY_ROWS`` rows; the smallest p-value is 0.001."""
FEWER_PERMUTATIONS = 299
"""With more rows, and from the second slice on."""
MANY_ROWS = 20_000
BLOCK = 8_000_000
"""Most numbers of a block of permuted losses, and of a block of slices."""


@dataclass(frozen=True)
class SignificantSlice:
    """A slice that is worse than the rest.

    Attributes:
        index: among the slices that were tested.
        p_value: corrected for the number of slices; of a further slice among rows that agree on those taken before it.
        similar: indices of slices that are worse only because they overlap with this one, the worst first.
    """

    index: int
    p_value: float
    similar: tuple[int, ...]


def significant_slices(
    loss: Values, slices: Sequence[Indices], *, level: float, limit: int, seed: int = 1
) -> list[SignificantSlice]:
    """The slices with more loss than the rest that no other slice explains, the most evident first.

    Forward selection: the most evident slice is taken first, and each further one must be worse than the rest among rows that
    agree on all slices taken so far (losses are permuted within such groups, and all slices are tested again: those that were
    worse before would be so partly by luck). At the end a slice is dropped if those taken later explain it.

    Args:
        loss: loss of each row ``(rows,)``; higher is worse.
        slices: rows of each slice.
        level: chance that any slice is returned if none is worse.
        limit: most slices returned.
        seed: of the permutations.
    """
    if not slices or limit < 1 or loss.min() == loss.max():
        return []
    rng, everything = np.random.default_rng(seed), np.zeros(len(loss), dtype=np.int64)
    permutations = PERMUTATIONS if len(loss) <= MANY_ROWS else FEWER_PERMUTATIONS
    evidence, p_values = _corrected(loss, slices, everything, rng, permutations)
    first = int(evidence.argmax())
    taken = {first: float(p_values[first])} if p_values[first] <= level else dict[int, float]()
    while taken and len(taken) < limit:
        now, p_now = _corrected(loss, slices, _groups(slices, taken, len(loss)), rng)
        best = int(now.argmax())
        if p_now[best] > level:
            break
        taken[best] = float(p_now[best])
    for index in list(taken):
        others = [other for other in taken if other != index]
        if others and _corrected(loss, [slices[index]], _groups(slices, others, len(loss)), rng)[1][0] > level:
            del taken[index]
    worse = [int(index) for index in np.argsort(-evidence, kind="stable") if p_values[index] <= level]
    similar = _nearest(slices, list(taken), [index for index in worse if index not in taken])
    order = sorted(taken, key=lambda index: -evidence[index])
    return [SignificantSlice(index, taken[index], tuple(similar[index])) for index in order]


def _corrected(
    loss: Values,
    slices: Sequence[Indices],
    groups: Indices,
    rng: np.random.Generator,
    permutations: int = FEWER_PERMUTATIONS,
) -> tuple[Values, Values]:
    """Evidence ``(slices,)`` that each slice is worse than the rest of its groups, and its corrected p-value ``(slices,)``."""
    moments = _moments(loss, slices, groups)
    evidence = _evidence(np.array([loss[rows].sum() for rows in slices]), *moments)
    exceeded = np.zeros(len(slices))
    batch = max(1, min(permutations, BLOCK // len(loss)))
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    for first in range(0, permutations, batch):
        count = min(batch, permutations - first)
        permuted = np.empty((len(loss), count), dtype=np.float32)
        for rows in members:
            permuted[rows] = _permuted(loss[rows].astype(np.float32), count, rng)
        largest = np.full(count, -np.inf)
        for start, sums in _sums(slices, permuted):
            part = slice(start, start + len(sums))
            values = _evidence(sums.astype(float), *(moment[part, None] for moment in moments))
            largest = np.maximum(largest, values.max(0))
        exceeded += (largest >= evidence[:, None] - 1e-4).sum(1)  # sums are in single precision
    return evidence, (exceeded + 1) / (permutations + 1)


def _permuted(values: Single, count: int, rng: np.random.Generator) -> Single:
    """Permutations of values as columns ``(values, count)``."""
    columns = np.tile(values, (count, 1))
    return rng.permuted(columns, axis=1, out=columns).T


def _sums(slices: Sequence[Indices], values: Single) -> list[tuple[int, Single]]:
    """Sums ``(slices, columns)`` of ``values (rows, columns)`` over the rows of each slice, in blocks with their first index."""
    size = max(1, BLOCK // len(values))
    blocks = list[tuple[int, Single]]()
    for start in range(0, len(slices), size):
        block = slices[start : start + size]
        members = np.zeros((len(block), len(values)), dtype=np.float32)
        for row, indices in enumerate(block):
            members[row, indices] = 1
        blocks.append((start, members @ values))
    return blocks


def _moments(loss: Values, slices: Sequence[Indices], groups: Indices) -> tuple[Values, Values, Values]:
    """Mean, standard deviation and skewness of each slice's sum under permutation within groups, ``(slices,)`` each.

    Exact moments of the sum of a sample without replacement (Cochran 1977, sec. 2.5), added over the groups.
    """
    _, groups = np.unique(groups, return_inverse=True)
    sizes = np.bincount(groups).astype(float)
    means = np.bincount(groups, loss) / sizes
    centred = loss - means[groups]
    second, third = (np.bincount(groups, centred**power) / sizes for power in (2, 3))
    counts = np.stack([np.bincount(groups[rows], minlength=len(sizes)) for rows in slices]).astype(float)
    rest = sizes - counts
    variance = (counts * rest / np.maximum(1, sizes - 1) * second).sum(1)
    cubes = counts * rest * (rest - counts) / np.maximum(1, (sizes - 1) * (sizes - 2)) * third
    deviation = np.sqrt(np.maximum(variance, 0))
    safe = np.maximum(deviation, 1e-9)
    return (counts * means).sum(1), deviation, cubes.sum(1) / safe**3


def _evidence(sums: Values, mean: Values, deviation: Values, skewness: Values) -> Values:
    """Standard scores of sums, made normal for their skewness by the cube root of Wilson and Hilferty (1931).

    Without it, small slices of rare errors would have by far the largest scores by chance, and hide all others.
    """
    score = np.where(deviation > 1e-9, (sums - mean) / np.maximum(deviation, 1e-9), 0.0)
    skew = np.where(np.abs(skewness) < 1e-3, 1e-3, skewness)
    return 6 / skew * (np.cbrt(np.maximum(skew * score / 2 + 1, 0)) - 1) + skew / 6


def _groups(slices: Sequence[Indices], taken: Iterable[int], count: int) -> Indices:
    """The group of each row ``(count,)``: rows of a group are in the same ones of the slices ``taken``."""
    groups = np.zeros(count, dtype=np.int64)
    for index in taken:
        member = np.zeros(count, dtype=np.int64)
        member[slices[index]] = 1
        groups = np.unique(2 * groups + member, return_inverse=True)[1]
    return groups


def _nearest(slices: Sequence[Indices], taken: Sequence[int], others: Sequence[int]) -> dict[int, list[int]]:
    """For each slice taken, the others that overlap most with it (Jaccard index), in their order."""
    near: dict[int, list[int]] = {index: [] for index in taken}
    for other in others:
        shared = [len(np.intersect1d(slices[other], slices[index], assume_unique=True)) for index in taken]
        overlap = [
            both / (len(slices[other]) + len(slices[index]) - both) for both, index in zip(shared, taken, strict=True)
        ]
        if overlap:
            near[taken[int(np.argmax(overlap))]].append(other)
    return near
