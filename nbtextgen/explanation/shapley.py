"""Shapley values over presence bits: exact, by permutations, and Owen values by a hierarchy.

The exact sum and the permutation sampler are implemented here rather than taken from ``shap``: importing ``shap`` and
compiling its Exact explainer takes 8 s in a fresh kernel, and its sampler reports neither progress nor the standard error
of each value as it runs. The tests compare both with ``shap``. The partition explainer is ``shap``'s own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from nbtextgen.core.optional_imports import optional_import
from nbtextgen.explanation.attributions import Attributions, Coalitions, Ids, ScoreFunction, Values
from nbtextgen.explanation.hierarchy import linkage
from nbtextgen.explanation.units import Units

PRIOR_PAIRS = 0.5
"""Weight of the other units' variance in the variance of a unit, in pairs of permutations; chosen by coverage."""


def exact(score: ScoreFunction, units: int) -> Attributions:
    """The sum over the power set (Shapley 1953), all outputs at once.

    phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S)), read as one matrix product: v(S) counts with
    (|S| - 1)! (n - |S|)! / n! for the units in S and with - |S|! (n - |S| - 1)! / n! for the others.
    """
    coalitions = power_set(units)
    scores = score(coalitions)
    sizes = coalitions.sum(1)
    inside = np.array([0.0] + [1 / (size * math.comb(units, size)) for size in range(1, units + 1)])
    outside = np.array([-1 / ((units - size) * math.comb(units, size)) for size in range(units)] + [0.0])
    weights = np.where(coalitions, inside[sizes][:, None], outside[sizes][:, None])
    return Attributions(scores.T @ weights, scores[0], scores[-1], f"exact, {2**units:,} coalitions")


def power_set(units: int) -> Coalitions:
    """Every coalition, ``(2 ** units, units)``, from none to all."""
    return (np.arange(1 << units)[:, None] >> np.arange(units)) % 2 == 1


def permutations(
    score: ScoreFunction,
    units: int,
    budget: int,
    seed: int,
    batch_size: int = 256,
    relevant: Coalitions | None = None,
) -> Iterator[Attributions]:
    """Permutation sampling in antithetic pairs (Castro et al. 2009; Mitchell et al. 2022, sec. 3.1).

    A permutation adds the units one by one; its mirror adds them in the opposite order. Each pair is one unbiased and
    efficient estimate, so the mean is efficient too, and the variance of the pairs gives the standard error.

    Few pairs are drawn of long inputs. The variance of a unit is then moderated by that of the others (Smyth 2004), as if
    ``PRIOR_PAIRS`` more pairs had been drawn, and standard errors are widened as Student's t asks, so that value +- 1.96
    standard errors is a 95 % interval. If the budget is too small for two pairs, fewer are drawn, or units that are
    neighbours in an order are added together.

    Args:
        score: scores coalitions of this number of ``units``.
        budget: most coalitions scored.
        seed: of the permutations.
        batch_size: coalitions scored between two results.
        relevant: units that each output depends on, ``(outputs, units)``; the others get exactly 0. By default all.

    Yields:
        the estimate so far, after every batch of pairs.
    """
    rng = np.random.default_rng(seed)
    ends = score(np.array([[False] * units, [True] * units]))
    steps = max(
        2, min(units, (budget - 2) // 2 + 1)
    )  # coalitions of a permutation, and one: fewer than units join units
    pairs = max(1, (budget - 2) // (2 * (steps - 1)))
    pairs_per_batch = max(1, batch_size // (2 * (steps - 1)))
    relevant = np.ones((ends.shape[1], units), dtype=bool) if relevant is None else relevant
    total, squares, count = np.zeros(relevant.shape), np.zeros(relevant.shape), 0
    while count < pairs:
        orders = [rng.permutation(units) for _ in range(min(pairs_per_batch, pairs - count))]
        for halves in _pair_gains(score, orders, ends, steps, relevant):
            for estimate in halves if pairs == 1 else halves.mean(0, keepdims=True):
                total += estimate
                squares += estimate**2
        count += len(orders)
        samples = 2 if pairs == 1 else count  # the halves of a single pair vary at least as much as two pairs would
        yield Attributions(
            total / samples,
            ends[0],
            ends[1],
            f"{count} antithetic pair{'s' if count > 1 else ''} of permutations",
            standard_errors=standard_errors(total, squares, samples, relevant),
            rounds=count,
        )


def standard_errors(total: Values, squares: Values, count: int, relevant: Coalitions) -> Values:
    """Of the mean of ``count`` estimates, from their sum and sum of squares; value +- 1.96 of them is a 95 % interval."""
    deviations = np.maximum(0.0, squares - total**2 / count)
    freedom = count - 1 + PRIOR_PAIRS
    pooled = deviations.sum(1, keepdims=True) / relevant.sum(1, keepdims=True) / max(1, count - 1)
    errors = np.sqrt((deviations + PRIOR_PAIRS * pooled) / (freedom * count)) * t_ratio(freedom)
    return np.where(relevant, errors if count > 1 else np.inf, 0.0)


def t_ratio(freedom: float) -> float:
    """The 97.5 % quantile of Student's t over that of the normal distribution."""
    if freedom < 3:  # where the expansion (Abramowitz & Stegun 1964, eq. 26.7.5) is not exact enough
        return 3.0698 if freedom < 2 else 1.8238
    z = 1.959964
    terms = (
        (z**3 + z) / (4 * freedom),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3),
    )
    return 1 + sum(terms) / z


def _pair_gains(
    score: ScoreFunction, orders: list[Ids], ends: Values, steps: int, relevant: Coalitions
) -> Iterator[Values]:
    """Gain of every unit over an order and over its mirror, ``(2, outputs, units)``, for each order."""
    both = [mirrored for order in orders for mirrored in (order, order[::-1])]
    if steps > 1 and len(orders[0]) > 1:
        scores = score(np.concatenate([_growing(order, steps) for order in both])).reshape(len(both), steps - 1, -1)
    else:
        scores = np.empty((len(both), 0, ends.shape[1]))
    gains = [_gains(order, path, ends, relevant) for order, path in zip(both, scores, strict=True)]
    for first in range(0, len(both), 2):
        yield np.stack(gains[first : first + 2])


def _growing(order: Ids, steps: int) -> Coalitions:
    """The coalitions between none and all as units are added in an order, ``(steps - 1, units)``."""
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[None, :] < _sizes(len(order), steps)[1:-1, None]


def _sizes(units: int, steps: int) -> Ids:
    """Sizes of the coalitions from none to all, ``(steps + 1,)``."""
    return np.round(np.linspace(0, units, steps + 1)).astype(np.int64)


def _gains(order: Ids, scores: Values, ends: Values, relevant: Coalitions) -> Values:
    """By how much each unit raised v when it was added, ``(outputs, units)``.

    Units added together share equally, as far as the output depends on them.
    """
    path = np.concatenate([ends[:1], scores, ends[1:]])
    borders = _sizes(len(order), len(path) - 1)
    sharing = relevant.T[order].astype(float)  # (units, outputs) in this order
    counts = np.add.reduceat(sharing, borders[:-1], axis=0)
    gains = np.empty(sharing.shape)
    gains[order] = np.repeat(np.diff(path, axis=0) / np.maximum(1, counts), np.diff(borders), axis=0) * sharing
    return gains.T


def partition(score: ScoreFunction, units: Units, budget: int) -> Attributions:
    """Owen values (Owen 1977) by ``shap``'s partition explainer, over a hierarchy of the text.

    Units are joined first inside words, then words inside phrases (between punctuation marks), then phrases. Neighbours
    are joined first, so that a split separates them last. At most ``budget`` coalitions are scored.
    """
    with optional_import("--algorithm=partition", "shap"):
        from shap.explainers import Partition

    count = len(units)
    ends = score(np.array([[False] * count, [True] * count]))
    algorithm = "Owen values over words and phrases"
    if count == 1:
        return Attributions((ends[1] - ends[0])[:, None], ends[0], ends[1], algorithm)

    def score_floats(bits: Values) -> Values:  # shap passes presence bits as floats
        return score(np.asarray(bits) > 0.5)

    explainer: Any = Partition(score_floats, _PresenceMasker(linkage(units.texts, units.offsets)))
    explanation = explainer(np.ones((1, count)), max_evals=max(budget, 4), silent=True)
    values: Values = np.asarray(explanation.values[0]).reshape(count, -1).T
    return Attributions(values, ends[0], ends[1], algorithm)


class _PresenceMasker:
    """A masker of ``shap`` for which a coalition of presence bits is its own masked input."""

    def __init__(self, clustering: Values) -> None:
        self.clustering = clustering
        self.shape = (1, len(clustering) + 1)

    def __call__(self, mask: Coalitions, row: Values) -> tuple[Values]:
        return (np.asarray(mask, dtype=float)[None] * row,)
