"""Shapley's axioms on games with known values, brute force over orderings, and the ``shap`` library."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nbtextgen.explanation import shapley
from nbtextgen.explanation.attributions import Attributions, ScoreFunction
from nbtextgen.explanation.hierarchy import linkage
from nbtextgen.explanation.shapley import power_set
from nbtextgen.explanation.units import Units


def random_game(units: int, outputs: int, seed: int) -> ScoreFunction:
    """Any game at all: a table with a row per coalition."""
    table = np.random.default_rng(seed).normal(size=(2**units, outputs))
    return lambda kept: table[(np.asarray(kept) @ (1 << np.arange(units))).astype(int)]


def brute_force(value: ScoreFunction, units: int) -> NDArray[np.float64]:
    """The mean gain over all n! orders."""
    total = 0.0
    for order in itertools.permutations(range(units)):
        kept = np.zeros((units + 1, units), bool)
        for at, unit in enumerate(order, 1):
            kept[at:, unit] = True
        gains = np.diff(value(kept), axis=0)
        total = total + gains[np.argsort(order)]
    return np.asarray(total).T / math.factorial(units)


def last(value: ScoreFunction, units: int, budget: int = 4000, seed: int = 1) -> Attributions:
    *_, found = shapley.permutations(value, units, budget, seed)
    return found


games = st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(0, 10_000))


@settings(max_examples=25)
@given(games)
def test_exact_values_are_the_mean_over_all_orders(game) -> None:
    units, outputs, seed = game
    value = random_game(units, outputs, seed)
    np.testing.assert_allclose(shapley.exact(value, units).values, brute_force(value, units), atol=1e-9)


@settings(max_examples=25)
@given(games)
def test_values_add_up_from_none_to_all(game) -> None:
    units, outputs, seed = game
    value = random_game(units, outputs, seed)
    for found in (shapley.exact(value, units), last(value, units, 200)):
        np.testing.assert_allclose(found.values.sum(1), found.full - found.base, atol=1e-9)


@settings(max_examples=25)
@given(games)
def test_units_that_do_the_same_get_the_same(game) -> None:
    units, outputs, seed = game
    value = random_game(units + 1, outputs, seed)

    def symmetric(kept):  # the value of a game made blind to which of the first two units is there
        swapped = np.array(kept)
        swapped[:, [0, 1]] = swapped[:, [1, 0]]
        return value(kept) + value(swapped)

    found = shapley.exact(symmetric, units + 1).values
    np.testing.assert_allclose(found[:, 0], found[:, 1], atol=1e-9)


@settings(max_examples=25)
@given(games)
def test_a_unit_that_does_nothing_gets_nothing(game) -> None:
    units, outputs, seed = game
    value = random_game(units, outputs, seed)
    found = shapley.exact(lambda kept: value(np.asarray(kept)[:, 1:]), units + 1).values
    np.testing.assert_allclose(found[:, 0], 0.0, atol=1e-9)
    np.testing.assert_allclose(found[:, 1:], shapley.exact(value, units).values, atol=1e-9)


@settings(max_examples=25)
@given(games, st.floats(-3, 3))
def test_values_of_a_sum_are_the_sum_of_the_values(game, factor) -> None:
    units, outputs, seed = game
    one, other = random_game(units, outputs, seed), random_game(units, outputs, seed + 1)
    both = shapley.exact(lambda kept: one(kept) + factor * other(kept), units).values
    parts = shapley.exact(one, units).values + factor * shapley.exact(other, units).values
    np.testing.assert_allclose(both, parts, atol=1e-9)


@pytest.mark.parametrize("units", [3, 7])
def test_exact_values_equal_the_shap_library(units: int) -> None:
    from shap.explainers import Exact

    value = random_game(units, 4, 3)
    masker = shapley._PresenceMasker(np.zeros((units - 1, 4)))
    masker.clustering = None  # type: ignore[assignment]
    found = Exact(lambda rows: value(np.asarray(rows) > 0.5), masker)(np.ones((1, units)))
    np.testing.assert_allclose(shapley.exact(value, units).values, found.values[0].T, atol=1e-5)


def test_sampled_values_lie_within_their_stated_errors() -> None:
    value = random_game(8, 5, 1)
    right = shapley.exact(value, 8).values
    found = last(value, 8, budget=3000, seed=4)
    assert found.standard_errors is not None
    away = np.abs(found.values - right) / found.standard_errors
    assert np.mean(away < 2) > 0.85
    assert away.max() < 5


def test_sampling_states_an_error_however_small_the_budget() -> None:
    found = last(random_game(12, 2, 1), 12, budget=50)
    assert found.rounds >= 2
    assert found.standard_errors is not None and np.isfinite(found.standard_errors).all()


def test_more_budget_makes_errors_smaller() -> None:
    value = random_game(9, 3, 2)
    errors = [last(value, 9, budget).standard_errors for budget in (500, 8000)]
    assert errors[0] is not None and errors[1] is not None
    assert errors[1].mean() < errors[0].mean() / 2


def text_units(*texts: str) -> Units:
    ends = np.cumsum([len(text) + 1 for text in texts])
    offsets = tuple((int(end) - len(text) - 1, int(end) - 1) for text, end in zip(texts, ends, strict=True))
    return Units("word", texts, offsets, np.arange(len(texts)))


def test_partition_adds_up_and_is_exact_for_additive_games() -> None:
    units = text_units("a", "man", "sleeps", ",", "he", "dreams")
    effects = np.random.default_rng(0).normal(size=(6, 3))
    found = shapley.partition(lambda kept: np.asarray(kept) @ effects, units, 500)
    np.testing.assert_allclose(found.values, effects.T, atol=1e-6)
    value = random_game(6, 2, 5)
    found = shapley.partition(value, units, 500)
    np.testing.assert_allclose(found.values.sum(1), found.full - found.base, atol=1e-6)


def test_hierarchy_joins_words_before_phrases() -> None:
    units = text_units("a", "man", "sleeps", ",", "he", "dreams")
    rows = linkage(units.texts, units.offsets)
    assert rows.shape == (5, 4)
    assert rows[-1, 2] == 3.0 and rows[-1, 3] == 6  # the last joint is the comma
    assert sorted(rows[:, :2].ravel()) == sorted([*range(6), *range(6, 10)])


def test_hierarchy_joins_characters_to_words_to_phrases() -> None:
    text = "ab cd, ef"
    offsets = tuple((at, at + 1) for at in range(len(text)))
    rows = linkage(tuple(text), offsets)
    assert [int(distance) for distance in rows[:, 2]] == sorted(int(distance) for distance in rows[:, 2])
    assert rows[-1, 2] == 3.0  # the two phrases join last
    inside = rows[rows[:, 2] == 1]
    assert {tuple(row[:2].astype(int)) for row in inside} >= {(0, 1), (3, 4), (7, 8)}  # a-b, c-d and e-f first


def test_power_set_has_every_coalition_once() -> None:
    found = power_set(5)
    assert len(np.unique(found, axis=0)) == 32
    assert not found[0].any() and found[-1].all()
