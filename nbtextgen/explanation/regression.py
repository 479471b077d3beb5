"""Shapley values of many units: a regression that explains most of the game, and an unbiased estimate of the rest.

Only the odd part o(T) = (v(T) - v(all - T)) / 2 of a game has Shapley values, so coalitions are scored with their complements
(paired sampling, Covert and Lee 2021). A polynomial is fitted to it by kernel ridge regression. The remainder is estimated by
importance sampling with KernelSHAP's sizes, p(t) proportional to 1 / (t (n - t)), for which no weight is above 2 ln(n) + 2. Each
sample is predicted by the model of the others, so the estimate is unbiased however poor the model is, and its terms tell the
standard error (regression adjustment, Witter et al. 2025).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import comb

import numpy as np

from nbtextgen.explanation.attributions import Attributions, Coalitions, ScoreFunction, Values
from nbtextgen.explanation.focus import focus
from nbtextgen.explanation.odd_polynomial import OddKernel, OddPolynomial, odd_parts, signs
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
MANY_UNITS, MIN_FOCUSED_BUDGET, FIRST_SHARE = 80, 1000, 0.6
"""From how many units and coalitions on only a share of the coalitions is drawn of all units, and the rest of the strongest ones:
chosen by error and agreement of the ten strongest units (benchmarks/long_inputs.py)."""


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
        the estimate so far: of the model's samples, then after every batch. Of many units, the last one is of the strongest
        units' changes (``focus``).
    """
    rng = np.random.default_rng(seed)
    if units < MANY_UNITS or budget < MIN_FOCUSED_BUDGET:
        yield from _Regression(score, rng, units, budget).estimates(batch_size)
        return
    first = _Regression(score, rng, units, int(budget * FIRST_SHARE))
    estimate = None
    for estimate in first.estimates(batch_size):
        yield estimate
    assert estimate is not None
    yield focus(score, rng, estimate, first.signs, first.odd, budget - first.scored)


class _Regression:
    """The samples that the model is fitted to, and the estimates from them and further ones.

    Attributes:
        ends: v(none) and v(all), ``(2, outputs)``.
        signs: of the coalitions, ``(coalitions, units)``.
        odd: their odd parts, ``(coalitions, outputs)``.
        scored: coalitions that will have been scored in the end.
    """

    def __init__(self, score: ScoreFunction, rng: np.random.Generator, units: int, budget: int) -> None:
        self._score, self._rng = score, rng
        pairs = max(2, (budget - 2) // 2)
        self._listed, self._smallest = _listed(units, pairs)
        self._pairs = max(2, pairs - len(self._listed))
        self._fitted = min(self._pairs, max(MAX_FITTED, 4 * units))
        self._samples, self._density = _draw(rng, units, self._smallest, self._fitted)
        coalitions = np.concatenate([self._listed, self._samples])
        self.ends, self.odd = _ends_and_odd(score, coalitions)
        self.signs = signs(coalitions)
        self.scored = 2 + 2 * (len(self._listed) + self._pairs)

    def estimates(self, batch_size: int) -> Iterator[Attributions]:
        """Yield the estimate of the samples, then one after every batch of further ones."""
        listed, fitted, units = len(self._listed), self._fitted, self.signs.shape[1]
        kernel = OddKernel(units)
        fit = leave_one_out(kernel(self.signs, self.signs), self.odd, left_out=fitted)
        adjusted = OddPolynomial(kernel, self.signs, fit.mean_dual)
        exact = OddPolynomial(kernel, self.signs, fit.dual)
        base = self._known_part(adjusted)
        later = base if self._pairs == fitted else self._known_part(exact)
        total, squares = _terms(self._samples, self._density, fit.residuals[listed:])
        count, widened = fitted, float(np.sqrt(1 + WIDENED * fit.freedom))
        while True:
            certain = (fitted * base + (count - fitted) * later) / count
            yield Attributions(
                certain + total / count,
                self.ends[0],
                self.ends[1],
                f"regression on {count + listed:,} pairs of coalitions",
                standard_errors=widened * standard_errors(total, squares, count, np.ones(total.shape, dtype=bool)),
                rounds=count + listed,
            )
            if count >= self._pairs:
                return
            size = min(max(1, batch_size // 2), self._pairs - count)
            samples, density = _draw(self._rng, units, self._smallest, size)
            more, more_squares = _terms(samples, density, odd_parts(self._score, samples) - exact.predict(samples))
            total, squares, count = total + more, squares + more_squares, count + size

    def _known_part(self, model: OddPolynomial) -> Values:
        """The model's Shapley values, and the remainder's from coalitions that are not sampled: the ends and the listed ones."""
        units, listed = self.signs.shape[1], self._listed
        values = model.shapley_values()
        whole = (self.ends[1] - self.ends[0]) / 2 - model.predict(np.ones((1, units), dtype=bool))[0]
        values = values + 2 * whole[:, None] / units
        if not len(listed):
            return values
        sizes = listed.sum(1)
        counts = np.array([comb(units, int(size)) for size in sizes], dtype=np.float64)
        inside, outside = 1 / (sizes * counts), -1 / ((units - sizes) * counts)
        weights = _where(listed, inside, outside)
        remainder = self.odd[: len(listed)] - model.predict(listed)
        return values + 2 * remainder.T @ weights  # twice, for the complements


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
