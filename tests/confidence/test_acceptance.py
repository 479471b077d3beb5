"""Acceptance: bounds against scipy, and how often the promise is broken."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, binom

from nbtextgen.confidence.acceptance import least_count, lower_bound, safe_threshold, tail


@pytest.mark.parametrize(("right", "count"), [(0, 5), (3, 3), (290, 300), (299, 299), (1000, 1010)])
def test_bounds_are_those_of_clopper_and_pearson(right: int, count: int) -> None:
    expected = beta.ppf(0.05, right, count - right + 1) if right else 0.0
    assert lower_bound(right, count, 0.05) == pytest.approx(expected, abs=1e-9)
    assert tail(right, count, 0.97) == pytest.approx(binom.sf(right - 1, count, 0.97), abs=1e-9)


def test_the_fewest_outputs_that_can_promise_a_precision() -> None:
    assert least_count(0.99) == 299 and least_count(0.95) == 59
    scores = np.arange(299.0)
    assert safe_threshold(scores[:298], np.ones(298, bool), 0.99) is None
    assert safe_threshold(scores, np.ones(299, bool), 0.99) == 0.0


def test_outputs_of_one_score_are_accepted_together() -> None:
    right = np.array([True] * 80 + [False] * 80)
    assert safe_threshold(np.repeat([0.9, 0.1], 80), right, 0.95) == 0.9
    assert safe_threshold(np.full(160, 0.5), right, 0.95) is None


def test_a_higher_precision_never_accepts_more() -> None:
    generator = np.random.default_rng(2)
    precisions = np.sort(np.concatenate([generator.uniform(0.3, 0.999, 12), [0.9, 0.95, 0.99]]))
    for turn in range(40):
        scores = 1 - (0.1 + 0.8 * generator.random()) * generator.random(int(generator.integers(20, 700))) ** 2
        scores = scores.round(2) if turn % 4 == 0 else scores
        right = generator.random(len(scores)) < scores
        thresholds = [safe_threshold(scores, right, precision) for precision in precisions.tolist()]
        numbers = [np.inf if threshold is None else threshold for threshold in thresholds]
        assert numbers == sorted(numbers)


@pytest.mark.parametrize("precision", [0.9, 0.97])
def test_the_promise_is_broken_at_most_as_often_as_stated(precision: float) -> None:
    """Scores are true probabilities, so the precision of every threshold is known."""
    generator, broken, promised = np.random.default_rng(1), 0, 0
    grid = np.sort(1 - generator.random(200_000) ** 3)
    precisions = np.cumsum(grid[::-1])[::-1] / np.arange(len(grid), 0, -1)
    for _ in range(200):
        scores = 1 - generator.random(600) ** 3
        threshold = safe_threshold(scores, generator.random(600) < scores, precision)
        promised += threshold is not None
        broken += threshold is not None and precisions[np.searchsorted(grid, threshold)] < precision
    assert broken <= 200 * 0.05 + 3 * (200 * 0.05 * 0.95) ** 0.5
    assert promised > 100
