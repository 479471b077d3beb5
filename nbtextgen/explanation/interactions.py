"""Shapley interactions of pairs of units: what two units do together beyond what each does without the other.

The Shapley interaction index (Grabisch and Roubens 1999, definition 5) of the pair i, j in a game v of n players is

    I_ij = sum over T without i and j of |T|! (n - |T| - 2)! / (n - 1)! (v(T + i + j) - v(T + i) - v(T + j) + v(T)).

It is positive where the pair is worth more than its parts (an order of day and month, and the digits that it orders), and
negative where either would do (a word that is said twice). With the main effects phi_i - sum over j of I_ij / 2, the pairs
add up to v(all) - v(none): the k-SII of order 2 (Bord and von Luxburg 2023).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nbtextgen.core.errors import OptionError
from nbtextgen.explanation.attributions import Coalitions, ScoreFunction, Values
from nbtextgen.explanation.ridge import leave_one_out
from nbtextgen.explanation.shapley import power_set, t_ratio

MAX_UNITS = 64
"""Most units whose pairs are estimated."""


@dataclass(frozen=True, eq=False)
class Interactions:
    """Shapley interactions of all pairs of units.

    Attributes:
        values: ``(outputs, units, units)`` in nats, symmetric; zero on the diagonal.
        standard_errors: of sampled values, likewise; ``None`` if the values are exact.
    """

    values: Values
    standard_errors: Values | None = None

    def among(self, players: Coalitions) -> Interactions:
        """Exactly 0 for pairs that are not both among the players of an output, ``(outputs, units)``."""
        both = players[:, :, None] & players[:, None, :]
        errors = self.standard_errors
        return Interactions(np.where(both, self.values, 0.0), None if errors is None else np.where(both, errors, 0.0))


def exact_interactions(score: ScoreFunction, units: int) -> Interactions:
    """The sum over the power set; a value function that has scored it for Shapley values reads nothing again.

    v(T) counts with w(|T| - 2) for a pair inside T, with - w(|T| - 1) for a pair of which one unit is in T, and with w(|T|)
    for a pair outside, where w(s) = s! (n - s - 2)! / (n - 1)!.
    """
    coalitions = power_set(units)
    scores = score(coalitions)
    if units < 2:
        return Interactions(np.zeros((scores.shape[1], units, units)))
    weights = np.array([1 / ((units - 1) * math.comb(units - 2, size)) for size in range(units - 1)])
    padded = np.concatenate([[0.0, 0.0], weights, [0.0, 0.0]])  # w(-2) to w(n)
    sizes = coalitions.sum(1)
    return Interactions(_sums(coalitions, scores, padded[sizes], -padded[sizes + 1], padded[sizes + 2]))


def sampled_interactions(score: ScoreFunction, units: int, budget: int, seed: int) -> Interactions:
    """An unbiased estimate from at most ``budget`` coalitions, with standard errors.

    Only the even part u(T) = (v(T) + v(all - T)) / 2 of a game has interactions, so coalitions are scored in complementary
    pairs: the empty one, those of one unit, and random ones of 2 to n - 2 units whose sizes are drawn so as to keep the
    weights' variance low. A quadratic model of u, fitted by ridge regression, has interactions in closed form; the
    remainder of u is summed by importance sampling. Each sample is predicted by the model of all other samples, which keeps
    the sum unbiased however poor the model is (Witter et al. 2025, regression adjustment). Values +- 1.96 standard errors
    are 95 % intervals.

    Raises:
        OptionError: for more units than ``MAX_UNITS``.
    """
    if units > MAX_UNITS:
        raise OptionError(
            f"--interactions of {units} units would be {units * (units - 1) // 2:,} pairs; use --unit=word or --spans, "
            f"up to {MAX_UNITS} units. With --prefix, earlier output tokens count too."
        )
    if units < 4 or 2**units <= budget:
        return exact_interactions(score, units)
    edges = np.concatenate([np.zeros((1, units), bool), np.eye(units, dtype=bool)])
    samples, density = _draw(units, max(4, (budget - 2 * len(edges)) // 2), seed)
    even = _even(score, np.concatenate([edges, samples]))
    edge_scores, scores = even[: len(edges)], even[len(edges) :]
    model = _fit(_signs(samples), scores)
    residuals = _edge_sum(edge_scores - _predict(model, edges))
    sizes = samples.sum(1)
    inside = units / (sizes * (sizes - 1.0)) / density
    single = -units / (sizes * (units - sizes)) / density
    outside = units / ((units - sizes) * (units - sizes - 1.0)) / density
    count = len(samples)
    sums = _sums(samples, model.residuals, inside, single, outside)
    squares = _sums(samples, model.residuals**2, inside**2, single**2, outside**2)
    variances = np.maximum(0.0, squares - sums**2 / count) / (count * (count - 1))
    values = _without_diagonal(4 * model.coefficients + residuals + sums / count)
    return Interactions(values, np.sqrt(variances) * t_ratio(count - 1))


def _sums(coalitions: Coalitions, scores: Values, inside: Values, single: Values, outside: Values) -> Values:
    """For every pair the sum of scores, weighted by how much of the pair is in a coalition, ``(outputs, units, units)``."""
    bits = coalitions.astype(float)
    products = np.stack(
        [(bits * column[:, None]).T @ bits for column in ((inside - 2 * single + outside)[:, None] * scores).T]
    )
    linear = ((single - outside)[:, None] * scores).T @ bits
    constant = outside @ scores
    return _without_diagonal(products + linear[:, :, None] + linear[:, None, :] + constant[:, None, None])


def _signs(coalitions: Coalitions) -> Values:
    """1 for units that are present, -1 for the others."""
    return np.asarray(np.where(coalitions, 1.0, -1.0), dtype=np.float64)


def _without_diagonal(values: Values) -> Values:
    return values * (1.0 - np.eye(values.shape[-1]))


def _even(score: ScoreFunction, coalitions: Coalitions) -> Values:
    """The mean score of each coalition and its complement, ``(coalitions, outputs)``."""
    scores = score(np.concatenate([coalitions, ~coalitions]))
    return (scores[: len(coalitions)] + scores[len(coalitions) :]) / 2


def _draw(units: int, count: int, seed: int) -> tuple[Coalitions, Values]:
    """Draw coalitions of 2 to ``units - 2`` units, and the probability of each one's size, ``(count,)``."""
    rng = np.random.default_rng(seed)
    sizes = np.arange(2, units - 1)
    others = units - sizes
    second_moments = 1 / (sizes * (sizes - 1)) + 2 / (sizes * others) + 1 / (others * (others - 1))
    density = np.sqrt(second_moments) / np.sqrt(second_moments).sum()
    # Systematic sampling: every size comes as often as it should, up to one.
    picked = np.searchsorted(density.cumsum(), (np.arange(count) + rng.random()) / count).clip(max=len(sizes) - 1)
    ranks = rng.random((count, units)).argsort(1).argsort(1)
    return ranks < sizes[picked][:, None], density[picked]


def _edge_sum(scores: Values) -> Values:
    """The part of each interaction that coalitions of 0, 1, n - 1 and n units have, from their even scores."""
    units = len(scores) - 1
    whole, singles = 2 * scores[0], 2 * scores[1:].T
    pairs = singles[:, :, None] + singles[:, None, :]
    others = singles.sum(1)[:, None, None] - pairs
    return _without_diagonal((whole[:, None, None] - pairs + others / (units - 2)) / (units - 1))


@dataclass(frozen=True, eq=False)
class _Model:
    """The quadratic model ``constant + sum over i < j of coefficients_ij x_i x_j`` of signs x, the mean of those without one sample.

    ``residuals (samples, outputs)`` are each sample's under the model that was fitted to the others.
    """

    constant: Values
    coefficients: Values
    residuals: Values


def _fit(signs: Values, scores: Values) -> _Model:
    """Fit by kernel ridge regression."""
    units = signs.shape[1]
    mean = scores.mean(0)
    fit = leave_one_out(((signs @ signs.T) ** 2 - units) / 2 + units, scores - mean)
    coefficients = np.stack([(signs * column[:, None]).T @ signs for column in fit.mean_dual.T])
    return _Model(mean + units * fit.mean_dual.sum(0), _without_diagonal(coefficients), fit.residuals)


def _predict(model: _Model, coalitions: Coalitions) -> Values:
    """The model's even scores, ``(coalitions, outputs)``."""
    signs = _signs(coalitions)
    return model.constant + np.einsum("ci,oij,cj->co", signs, model.coefficients, signs, optimize=True) / 2
