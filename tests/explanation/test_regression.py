"""Shapley values by regression: exact for cubic games, efficient, covered by their errors, nearer than permutations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nbtextgen.explanation import shapley
from nbtextgen.explanation.attributions import Attributions, Coalitions, ScoreFunction, Values
from nbtextgen.explanation.regression import MANY_UNITS, MAX_FITTED, MAX_LISTED, MIN_FOCUSED_BUDGET, regression


def last(value: ScoreFunction, units: int, budget: int, seed: int) -> Attributions:
    *_, final = regression(value, units, budget, seed)
    return final


def network_like(units: int, seed: int) -> ScoreFunction:
    """Log-probabilities of a random logistic function with pairs of units."""
    rng = np.random.default_rng(seed)
    linear, pairs = rng.normal(size=units), rng.normal(size=(units, units)) / np.sqrt(units)

    def value(kept: Coalitions) -> Values:
        bits = np.asarray(kept, float)
        total = bits @ linear + np.einsum("ci,ij,cj->c", bits, pairs, bits)
        return np.stack([-np.log1p(np.exp(-total)), total], 1)

    return value


def test_a_cubic_game_has_its_exact_values() -> None:
    units, rng = 9, np.random.default_rng(1)
    triples = list(itertools.combinations(range(units), 3))
    sizes = rng.normal(size=len(triples))

    def value(kept: Coalitions) -> Values:
        bits = np.asarray(kept, float)
        return sum(size * bits[:, list(triple)].prod(1) for triple, size in zip(triples, sizes, strict=True))[:, None]

    estimate = last(value, units, 450, 1)
    np.testing.assert_allclose(estimate.values, shapley.exact(value, units).values, atol=1e-3)


@pytest.mark.parametrize(
    ("units", "budget"), [(4, 50), (7, 50), (13, 300), (13, 3000), (40, 60), (100, 1000), (100, 5000)]
)
def test_values_add_up_within_the_budget(units: int, budget: int) -> None:
    value, copies = network_like(units, 2), 0

    def counted(kept: Coalitions) -> Values:
        nonlocal copies
        copies += len(kept)
        return value(kept)

    estimate = last(counted, units, budget, 3)
    np.testing.assert_allclose(estimate.values.sum(1), estimate.full - estimate.base, atol=1e-8)
    assert copies <= budget
    assert estimate.standard_errors is not None and (estimate.standard_errors > 0).any()


def test_errors_cover_and_are_smaller_than_those_of_permutations() -> None:
    units, covered, ours, theirs = 12, [], [], []
    for seed in range(20):
        value = network_like(units, seed)
        right = shapley.exact(value, units).values
        estimate = last(value, units, 400, seed)
        *_, sampled = shapley.permutations(value, units, 400, seed)
        assert estimate.standard_errors is not None
        distance = np.abs(estimate.values - right)[0]
        covered.append(distance <= 1.96 * estimate.standard_errors[0])
        ours.append(float((distance**2).mean()))
        theirs.append(float(((sampled.values - right)[0] ** 2).mean()))
    assert 0.9 < np.mean(covered) < 0.985
    assert np.mean(ours) < np.mean(theirs) / 3


def test_the_first_estimate_of_a_large_budget_scores_few_coalitions() -> None:
    """The fit takes cubic time and quadratic memory in them: of 24 units, size 4 alone has 10,626."""
    scored, game = [0], network_like(24, 2)

    def value(kept: Coalitions) -> Values:
        scored[0] += len(kept)
        return game(kept)

    first = next(regression(value, 24, 1_000_000, 3))
    assert scored[0] <= 2 + 2 * (MAX_LISTED + MAX_FITTED)
    assert first.values.sum(1) == pytest.approx(first.full - first.base, abs=1e-9)


def products(units: int, seed: int) -> tuple[ScoreFunction, Values]:
    """A sum of products of up to five units, most often of the first ten, and its Shapley values ``(1, units)``."""
    rng = np.random.default_rng(seed)
    chances = np.where(np.arange(units) < 10, 1.0, 0.1)
    sets = [rng.choice(units, rng.integers(1, 6), replace=False, p=chances / chances.sum()) for _ in range(100)]
    sizes, exact = rng.normal(size=len(sets)), np.zeros((1, units))
    for members, size in zip(sets, sizes, strict=True):
        exact[0, members] += size / len(members)

    def value(kept: Coalitions) -> Values:
        return sum(size * kept[:, members].all(1) for members, size in zip(sets, sizes, strict=True))[:, None]

    return value, exact


def test_of_many_units_the_strongest_are_found_and_errors_cover(monkeypatch: pytest.MonkeyPatch) -> None:
    units, budget = MANY_UNITS + 20, MIN_FOCUSED_BUDGET
    covered, errors, plain = [], [], []
    for seed in range(12):
        value, exact = products(units, seed)
        estimate = last(value, units, budget, seed)
        assert estimate.standard_errors is not None
        np.testing.assert_allclose(estimate.values.sum(1), estimate.full - estimate.base, atol=1e-9)
        covered.append(np.abs(estimate.values - exact) <= 1.96 * estimate.standard_errors)
        errors.append(float(((estimate.values - exact) ** 2).mean()))
        with monkeypatch.context() as patch:
            patch.setattr("nbtextgen.explanation.regression.MANY_UNITS", units + 1)
            plain.append(float(((last(value, units, budget, seed).values - exact) ** 2).mean()))
    assert 0.9 < np.mean(covered) < 0.985
    assert np.mean(errors) < 0.75 * np.mean(plain)


def test_a_game_without_effects_has_no_shapley_values() -> None:
    estimate = last(lambda kept: np.full((len(kept), 2), 3.0), MANY_UNITS, MIN_FOCUSED_BUDGET, 1)
    np.testing.assert_allclose(estimate.values, 0.0, atol=1e-9)
    assert estimate.standard_errors is not None and np.isfinite(estimate.standard_errors).all()
