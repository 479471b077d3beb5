"""Shapley values of many units: a regression that explains most of the game, and an unbiased estimate of the rest.

Only the odd part o(T) = (v(T) - v(all - T)) / 2 of a game has Shapley values, so coalitions are scored with their complements
(paired sampling, Covert and Lee 2021). With x_i = 1 for a unit in T and -1 otherwise, an odd polynomial of degree 3,
o(T) = sum of b_i x_i + sum of c_ijk x_i x_j x_k, has the Shapley values 2 b_i + 2/3 sum over j < k of c_ijk. It is fitted by kernel
ridge regression. The remainder is estimated by importance sampling with KernelSHAP's sizes, p(t) proportional to 1 / (t (n - t)),
for which no weight is above 2 ln(n) + 2. Each sample is predicted by the model of the others, so the estimate is unbiased however
poor the model is, and its terms tell the standard error (regression adjustment, Witter et al. 2025).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from nbtextgen.explanation.attributions import Attributions, Coalitions, ScoreFunction, Values
from nbtextgen.explanation.ridge import leave_one_out
from nbtextgen.explanation.shapley import standard_errors

MAX_FITTED = 400
"""Most sampled pairs of coalitions that the model is fitted to, and for many units four times their number; further ones only
estimate the remainder."""
MAX_LISTED = 2000
"""Most pairs of coalitions of the smallest sizes that are not left to chance: the model is fitted to them too, in cubic time."""
WIDENED = 0.5
"""Share of the model's effective parameters per sample by which variances are widened: each sample also changes how the others are
predicted. Chosen by coverage (benchmarks/long_inputs.py)."""
CUBIC = 0.5
"""Weight of the cubic part of the kernel, relative to the linear part at a coalition itself."""


def regression(
    score: ScoreFunction, units: int, budget: int, seed: int, batch_size: int = 256
) -> Iterator[Attributions]:
    """Estimate Shapley values from at most ``budget`` coalitions; values +- 1.96 standard errors are 95 % intervals.

    Args:
        score: scores coalitions of this number of ``units``, at least 4.
        budget: most coalitions scored.
        seed: of the coalitions.
        batch_size: coalitions scored between two results, once the model is fitted.

    Yields:
        the estimate so far: of the model's samples, then after every batch.
    """
    rng = np.random.default_rng(seed)
    pairs = max(2, (budget - 2) // 2)
    listed, smallest = _listed(units, pairs)
    pairs = max(2, pairs - len(listed))
    fitted = min(pairs, max(MAX_FITTED, 4 * units))
    samples, density = _draw(rng, units, smallest, fitted)
    bits = np.concatenate([listed, samples])
    ends, odd = _ends_and_odd(score, bits)
    fit = leave_one_out(_kernel(_signs(bits), _signs(bits)), odd, left_out=fitted)
    adjusted, exact = _Model(_signs(bits), fit.mean_dual), _Model(_signs(bits), fit.dual)
    base = _known_part(adjusted, ends, listed, odd[: len(listed)])
    later = base if pairs == fitted else _known_part(exact, ends, listed, odd[: len(listed)])
    total, squares = _terms(samples, density, fit.residuals[len(listed) :])
    count, widened = fitted, float(np.sqrt(1 + WIDENED * fit.freedom))
    while True:
        certain = (fitted * base + (count - fitted) * later) / count
        yield Attributions(
            certain + total / count,
            ends[0],
            ends[1],
            f"regression on {count + len(listed):,} pairs of coalitions",
            standard_errors=widened * standard_errors(total, squares, count, np.ones(total.shape, dtype=bool)),
            rounds=count + len(listed),
        )
        if count >= pairs:
            return
        size = min(max(1, batch_size // 2), pairs - count)
        samples, density = _draw(rng, units, smallest, size)
        residuals = _odd(score, samples) - exact.predict(samples)
        more, more_squares = _terms(samples, density, residuals)
        total, squares, count = total + more, squares + more_squares, count + size


@dataclass(frozen=True, eq=False)
class _Model:
    """An odd cubic polynomial in the signs of the units, by its dual coefficients ``(samples, outputs)``."""

    signs: Values
    dual: Values

    def predict(self, coalitions: Coalitions) -> Values:
        """Odd parts, ``(coalitions, outputs)``."""
        return _kernel(_signs(coalitions), self.signs) @ self.dual

    def shapley_values(self) -> Values:
        """``(outputs, units)``, from the coefficients b and the sums of coefficients c."""
        units = self.signs.shape[1]
        linear = self.dual.T @ self.signs
        sums = self.signs.sum(1, keepdims=True)
        others = self.signs * ((sums**2 - units) / 2 + 1) - sums  # x_i times the sum of x_j x_k over other pairs j < k
        return 2 * linear + (2 / 3) * _cubic_weight(units) * (self.dual.T @ others)


def _cubic_weight(units: int) -> float:
    return CUBIC * units / comb(units, 3)


def _kernel(left: Values, right: Values) -> Values:
    """Products of all x_i and of all x_i x_j x_k, i < j < k: the elementary symmetric polynomials of degree 1 and 3."""
    units = left.shape[1]
    first = left @ right.T
    third = first * (first * first - (3 * units - 2)) / 6  # ``first**3`` takes 25 times as long
    return first + _cubic_weight(units) * third


def _signs(coalitions: Coalitions) -> Values:
    """1 for units that are present, -1 for the others."""
    return np.asarray(np.where(coalitions, 1.0, -1.0), dtype=np.float64)


def _odd(score: ScoreFunction, coalitions: Coalitions) -> Values:
    """Half of the difference between each coalition and its complement, ``(coalitions, outputs)``."""
    scores = score(np.concatenate([coalitions, ~coalitions]))
    return (scores[: len(coalitions)] - scores[len(coalitions) :]) / 2


def _ends_and_odd(score: ScoreFunction, coalitions: Coalitions) -> tuple[Values, Values]:
    """v(none) and v(all), ``(2, outputs)``; and the odd parts, as ``_odd``."""
    count, ends = len(coalitions), np.zeros((2, coalitions.shape[1]), dtype=bool)
    ends[1] = True
    scores = score(np.concatenate([ends, coalitions, ~coalitions]))
    return scores[:2], (scores[2 : 2 + count] - scores[2 + count :]) / 2


def _sizes(units: int, smallest: int) -> tuple[Values, Values]:
    """Sizes that are sampled, and their probabilities."""
    sizes = np.arange(smallest, units - smallest + 1, dtype=np.float64)
    weights = 1 / (sizes * (units - sizes))
    return sizes, weights / weights.sum()


def _listed(units: int, pairs: int) -> tuple[Coalitions, int]:
    """Coalitions of the smallest sizes, as long as sampling would draw each of them; and the first size that is sampled."""
    rows, size = list[tuple[int, ...]](), 1
    while size < units // 2:
        _, shares = _sizes(units, size)
        listed = len(rows) + comb(units, size)
        if comb(units, size) > (pairs - len(rows)) * 2 * shares[0] or listed > min(pairs // 2, MAX_LISTED):
            break
        rows += combinations(range(units), size)
        size += 1
    bits = np.zeros((len(rows), units), bool)
    for row, members in enumerate(rows):
        bits[row, list(members)] = True
    return bits, size


def _draw(rng: np.random.Generator, units: int, smallest: int, count: int) -> tuple[Coalitions, Values]:
    """Draw coalitions; and the probability of each one's size, ``(count,)``."""
    sizes, shares = _sizes(units, smallest)
    # Systematic sampling: every size comes as often as it should, up to one; then in random order.
    picked = np.searchsorted(shares.cumsum(), (np.arange(count) + rng.random()) / count).clip(max=len(sizes) - 1)
    picked = rng.permutation(picked)
    ranks = rng.random((count, units)).argsort(1).argsort(1)
    return ranks < sizes[picked][:, None], shares[picked]


def _terms(samples: Coalitions, density: Values, residuals: Values) -> tuple[Values, Values]:
    """Sums of each sample's estimate of the remainder and of its square, ``(outputs, units)``."""
    units = samples.shape[1]
    sizes = samples.sum(1)
    inside, outside = 1 / (sizes * density), -1 / ((units - sizes) * density)
    weights = _where(samples, inside, outside)
    return residuals.T @ weights, (residuals**2).T @ weights**2


def _where(coalitions: Coalitions, inside: Values, outside: Values) -> Values:
    """The first weight of each row for its units that are present, the second for the others."""
    bits = coalitions.astype(np.float64)
    return bits * inside[:, None] + (1 - bits) * outside[:, None]


def _known_part(model: _Model, ends: Values, listed: Coalitions, odd: Values) -> Values:
    """The model's Shapley values, and the remainder's from the coalitions that are not sampled: the ends and the listed ones."""
    units = model.signs.shape[1]
    values = model.shapley_values()
    whole = (ends[1] - ends[0]) / 2 - model.predict(np.ones((1, units), dtype=bool))[0]
    values = values + 2 * whole[:, None] / units
    if not len(listed):
        return values
    sizes = listed.sum(1)
    counts = np.array([comb(units, int(size)) for size in sizes], dtype=np.float64)
    inside, outside = 1 / (sizes * counts), -1 / ((units - sizes) * counts)
    weights = _where(listed, inside, outside)
    remainder = odd - model.predict(listed)
    return values + 2 * remainder.T @ weights  # twice, for the complements
