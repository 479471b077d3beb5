"""Several seeds: means, intervals and p-values against SciPy, and the training itself."""

from __future__ import annotations

import numpy as np
import pytest

from nbtextgen import Pairs, TextGenerator, evaluate_seeds
from nbtextgen.core.errors import OptionError
from nbtextgen.evaluation.scores import Score, Scores
from nbtextgen.evaluation.seed_scores import SeedScores, permutation_p, student_t

WORDS = [a + b + c for a in "abcd" for b in "abcd" for c in "abcd"]
PAIRS = Pairs(WORDS, [word[::-1] for word in WORDS])
SMALL = TextGenerator(hidden_size=8, embedding_size=8, max_steps=3, samples=0)


def seed_scores(*values: float) -> SeedScores:
    return SeedScores({seed: Scores([("exact", Score(value, 0.0, 0.0, True))]) for seed, value in enumerate(values, 1)})


@pytest.mark.parametrize("freedom", [*range(1, 15), 29, 99])
def test_quantiles_of_student_are_those_of_scipy(freedom: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert student_t(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), abs=2e-4)


def test_p_values_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    first, second = [71.0, 74.0, 69.5, 72.0], [75.0, 74.5, 78.0, 73.0, 76.0]
    theirs = stats.permutation_test(
        (first, second),
        lambda x, y, axis: np.mean(x, axis=axis) - np.mean(y, axis=axis),
        n_resamples=np.inf,
        vectorized=True,
    )
    assert permutation_p(first, second) == pytest.approx(theirs.pvalue, abs=1e-12)
    assert permutation_p([1, 2, 3], [1, 2, 3]) == 1.0
    assert permutation_p([1, 2, 3], [4, 5, 6]) == pytest.approx(2 / 20)
    rng = np.random.default_rng(0)
    many = rng.normal(0, 1, 15), rng.normal(0.3, 1, 15)  # too many splits to try all
    assert permutation_p(*map(list, many)) == pytest.approx(stats.permutation_test(
        many, lambda x, y, axis: np.mean(x, axis=axis) - np.mean(y, axis=axis), vectorized=True, rng=1
    ).pvalue, abs=0.02)  # fmt: skip


def test_mean_and_interval() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = [71.0, 74.0, 69.5, 72.0, 70.0]
    score = seed_scores(*values)["exact"]
    assert score.mean == pytest.approx(np.mean(values)) and score.deviation == pytest.approx(np.std(values, ddof=1))
    expected = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert score.interval == pytest.approx(expected, abs=1e-3)


def test_settings_are_trained_once_per_seed_and_measured_on_the_same_pairs() -> None:
    seen = []
    scores = evaluate_seeds(
        SMALL, PAIRS, PAIRS[:20], seeds=[4, 7], metrics=["chrf", "exact"], on_progress=lambda seed, _: seen.append(seed)
    )
    alone = SMALL.set_params(seed=7).fit(PAIRS, callbacks=[]).evaluate(PAIRS[:20], metrics=["chrf"])
    assert seen == [4, 7] and scores["chrf"].values[1] == alone["chrf"].value
    assert scores.frame().loc[7, "chrf"] == alone["chrf"].value
    assert "mean of 2 seeds" in repr(scores) and "<table" in scores._repr_mimebundle_()["text/html"]


def test_what_cannot_be_measured_is_refused_before_training() -> None:
    for seeds in (1, [3], [3, 3]):
        with pytest.raises(OptionError, match="at least two different"):
            evaluate_seeds(SMALL, PAIRS, PAIRS, seeds=seeds)
    with pytest.raises(OptionError, match="blue"):
        evaluate_seeds(SMALL, PAIRS, PAIRS, metrics=["blue"])
    with pytest.raises(OptionError, match="was not measured"):
        seed_scores(1, 2).p_value(seed_scores(1, 2), "chrf")
