"""A second phase for very many units: what changes when each of the strongest ones is added to or taken from a coalition.

A model of all units is fitted to the coalitions of the first phase, with more weight on units that seemed strong. Its Shapley values
err less than the first, unbiased estimate, but nobody knows by how much. So some units are flipped in random coalitions, whose
elements are present with a probability that is drawn uniformly (Owen 1972, the multilinear extension): the model's error in such
changes estimates its error in those units without bias. Flipped are the strongest units, which is where precision matters, and some
of the others by chance, which stand for all of them. Both kinds of errors are then shrunk (James and Stein 1961), so that values
+- 1.96 standard errors are 95 % intervals.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nbtextgen.explanation.attributions import Attributions, ScoreFunction, Values
from nbtextgen.explanation.odd_polynomial import OddKernel, OddPolynomial, odd_parts, signs
from nbtextgen.explanation.ridge import leave_one_out
from nbtextgen.explanation.shapley import standard_errors

STRONGEST, OTHERS = 16, 8
"""Units that are flipped: the strongest, and some of the others."""
MIN_WEIGHT = 0.1
"""Weight of a unit that seems to have no effect; the mean is 1."""


def focus(
    score: ScoreFunction, rng: np.random.Generator, first: Attributions, rows: Values, odd: Values, budget: int
) -> Attributions:
    """Refine the estimate of a first phase.

    Args:
        score: scores coalitions.
        rng: draws them.
        first: an unbiased estimate with standard errors.
        rows: signs of the coalitions of the first phase, ``(coalitions, units)``.
        odd: their odd parts, ``(coalitions, outputs)``.
        budget: most coalitions scored now, enough to flip every unit twice.
    """
    assert first.standard_errors is not None
    units = rows.shape[1]
    model = _weighted_model(rows, odd)
    known = model.shapley_values()
    values = known + _share_out(first, known, np.ones(known.shape))
    strength = np.abs(values.sum(0)) + np.sqrt((values**2).sum(0))  # for the whole output, and for single tokens
    order = np.argsort(-strength)
    strong, others = order[:STRONGEST], rng.permutation(order[STRONGEST:])[:OTHERS]
    flipped = np.concatenate([strong, others])
    count = budget // (2 * (len(flipped) + 1))
    total, squares = _flipped_sums(score, rng, model, flipped, units, count)
    errors = total / count + (known - values)[:, flipped]  # of the model, unbiased
    spread = standard_errors(total, squares, count, np.ones(total.shape, dtype=bool))
    noise = (squares - total**2 / count) / (max(1, count - 1) * count)
    near, far = slice(len(strong)), slice(len(strong), None)

    distance = first.values - values
    others_variance = _variance(errors[:, far], noise[:, far])
    refined, deviations = _shrunk(values, distance, first.standard_errors, others_variance, correlated=True)
    deviations *= _widened(OTHERS)
    variance = _variance(errors[:, near], noise[:, near])
    refined[:, strong], deviations[:, strong] = _shrunk(values[:, strong], errors[:, near], spread[:, near], variance)
    deviations[:, strong] *= _widened(STRONGEST)
    refined += _share_out(first, refined, deviations**2)
    pairs = first.rounds + count * (len(flipped) + 1)
    text = f"regression on {first.rounds:,} pairs of coalitions, and {count} changes of each of the {len(strong)} strongest units"
    return Attributions(refined, first.base, first.full, text, standard_errors=deviations, rounds=pairs)


def _weighted_model(rows: Values, odd: Values) -> OddPolynomial:
    """A polynomial whose weights are the mean squares of the Shapley values of one without weights."""
    units = rows.shape[1]
    kernel = OddKernel(units)
    even = OddPolynomial(kernel, rows, leave_one_out(kernel(rows, rows), odd).dual)
    squares = (even.shapley_values() ** 2).mean(0)
    kernel = OddKernel(units, squares / max(float(squares.mean()), 1e-300) + MIN_WEIGHT)
    return OddPolynomial(kernel, rows, leave_one_out(kernel(rows, rows), odd).dual)


def _flipped_sums(
    score: ScoreFunction,
    rng: np.random.Generator,
    model: OddPolynomial,
    flipped: NDArray[np.intp],
    units: int,
    count: int,
) -> tuple[Values, Values]:
    """Sums over ``count`` coalitions of what flipping a unit changes beyond the model, and of its square, ``(outputs, flipped)``."""
    present = (rng.permutation(count) + rng.random(count)) / count
    coalitions = rng.random((count, units)) < present[:, None]
    rows = np.repeat(coalitions[:, None], len(flipped) + 1, 1)
    rows[:, np.arange(1, len(flipped) + 1), flipped] ^= True
    rows = rows.reshape(-1, units)
    rest = (odd_parts(score, rows) - model.predict(rows)).reshape(count, len(flipped) + 1, -1)
    changes: Values = signs(coalitions)[:, flipped, None] * (rest[:, :1] - rest[:, 1:])
    return changes.sum(0).T, (changes**2).sum(0).T


def _variance(errors: Values, noise: Values) -> Values:
    """Variance of a model's error in some units, ``(outputs, 1)``, from estimates ``(outputs, units)`` and their sampling variance.

    Half of it is that of all outputs, since few units tell little; it is at least half of a standard error above nothing.
    """
    each = (errors**2 - noise).mean(1)
    least = noise.mean(1) * np.sqrt(2 / errors.shape[1]) / 2
    return np.maximum((each + each.mean()) / 2, np.maximum(least, 1e-30))[:, None]


def _shrunk(
    values: Values, errors: Values, spread: Values, variance: Values, *, correlated: bool = False
) -> tuple[Values, Values]:
    """Values corrected by a part of their estimated errors, and standard errors.

    Where an estimate is further from the values than ``variance`` and its own ``spread`` let expect, the standard error is
    larger by as much. What is estimated from the same samples as the values makes them no more certain (``correlated``): half
    of its own variance is added, chosen by coverage (benchmarks/long_inputs.py and games of products).
    """
    kept = variance / (variance + spread**2)
    excess = np.maximum(0.0, ((1 - kept) * errors) ** 2 - (1 - kept) * spread**2)
    certain = variance + kept * spread**2 / 2 if correlated else kept * spread**2
    return values + kept * errors, np.sqrt(certain + excess)


def _widened(units: int) -> float:
    """How much larger standard errors are because a variance was estimated from so few units."""
    return float(np.sqrt(1 + 2 / units))


def _share_out(attributions: Attributions, values: Values, weights: Values) -> Values:
    """What is to be added so that the values sum to v(all) - v(none), by weight."""
    weights = np.where(weights.any(1, keepdims=True), weights, 1.0)
    missing = attributions.full - attributions.base - values.sum(1)
    return missing[:, None] * weights / weights.sum(1, keepdims=True)
