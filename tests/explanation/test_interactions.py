"""Shapley interactions: brute force of the definition, identities, coverage of sampled ones, and a known dependence."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from nbtextgen import TextGenerator
from nbtextgen.core.errors import OptionError
from nbtextgen.explanation import shapley
from nbtextgen.explanation.attributions import ScoreFunction
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.explanation.interactions import exact_interactions, sampled_interactions
from nbtextgen.explanation.removal import BySampling


def random_game(units: int, outputs: int, seed: int) -> ScoreFunction:
    table = np.random.default_rng(seed).normal(size=(2**units, outputs))
    return lambda kept: table[(np.asarray(kept) @ (1 << np.arange(units))).astype(int)]


def by_definition(value: ScoreFunction, units: int) -> NDArray[np.float64]:
    """Grabisch and Roubens 1999, term by term."""

    def v(*members: int) -> NDArray[np.float64]:
        return value(np.isin(np.arange(units), members)[None])[0]

    result = np.zeros((len(v()), units, units))
    for i, j in itertools.permutations(range(units), 2):
        others = [unit for unit in range(units) if unit not in (i, j)]
        for size in range(units - 1):
            weight = math.factorial(size) * math.factorial(units - size - 2) / math.factorial(units - 1)
            for t in itertools.combinations(others, size):
                result[:, i, j] += weight * (v(*t, i, j) - v(*t, i) - v(*t, j) + v(*t))
    return result


@pytest.mark.parametrize("units", [1, 2, 3, 6])
def test_exact_interactions_equal_the_definition(units: int) -> None:
    game = random_game(units, 3, units)
    np.testing.assert_allclose(exact_interactions(game, units).values, by_definition(game, units), atol=1e-9)


def test_exact_interactions_of_source_and_earlier_output_equal_the_definition(words: TextGenerator) -> None:
    """Each token's own game has only the players before it; the joint game gives the others exactly nothing."""
    config = ExplanationConfig(prefix=True, interactions=True, target="Katze rot", faithfulness=False)
    explainer = Explainer(words.predictor, "the red cat", config)
    explanation, value = explainer.explain("shap"), explainer.prefix
    assert value is not None and explanation.interactions is not None and value.players == 5
    for step in range(3):
        count = 3 + step

        def game(kept: NDArray[np.bool_], step: int = step, count: int = count) -> NDArray[np.float64]:
            assert value is not None
            joint = np.ones((len(kept), value.players), dtype=bool)
            joint[:, :count] = kept
            return value(joint)[:, [step]]

        np.testing.assert_allclose(
            explanation.interactions[step, :count, :count], by_definition(game, count)[0], atol=1e-9
        )
        assert not explanation.interactions[step, count:].any()
    gained = explanation.log_probabilities - explanation.base_values
    for each in (explanation, explanation.merge(), explanation.merge("output")):
        assert each.interactions is not None
        parts = each.main_effects().sum() + each.interactions.sum() / 2
        np.testing.assert_allclose(parts, gained.sum(), atol=1e-9)
    assert [name.strip() for name in explanation.players] == ["the", "red", "cat", "… Katze", "… rot"]
    assert "Strongest interactions" in repr(explanation)


def test_sampled_interactions_never_look_ahead(dates: TextGenerator) -> None:
    explained = dates.explain(
        "3 Jan 2019", unit="word", prefix=True, interactions=True, exact_units=4, budget=300, faithfulness=False
    )
    steps, players, units = len(explained.output_tokens), len(explained.players), len(explained.input_units)
    later = np.arange(players) >= units + np.arange(steps)[:, None]
    for values in (explained.interactions, explained.interaction_errors):
        assert values is not None and values.shape == (steps, players, players)
        assert not values[later].any() and not values.transpose(0, 2, 1)[later].any() and values.any()


def smooth_game(units: int, seed: int) -> tuple[ScoreFunction, NDArray[np.float64]]:
    """Products of two and three units, whose interactions are known: a triple gives each of its pairs a half."""
    rng = np.random.default_rng(seed)
    pairs, triples = rng.normal(size=(units, units)), list(itertools.combinations(range(units), 3))
    chosen = [triples[at] for at in rng.choice(len(triples), 2 * units, replace=False)]
    sizes, linear = rng.normal(size=len(chosen)), rng.normal(size=units)
    right = (pairs + pairs.T) * (1 - np.eye(units))
    for (i, j, k), size in zip(chosen, sizes, strict=True):
        for one, other in ((i, j), (i, k), (j, k)):
            right[one, other] += size / 2
            right[other, one] += size / 2

    def value(kept: NDArray[np.bool_]) -> NDArray[np.float64]:
        bits = np.asarray(kept, float)
        total = bits @ linear + np.einsum("ci,ij,cj->c", bits, pairs * (1 - np.eye(units)), bits)
        total += sum(size * bits[:, list(triple)].prod(1) for triple, size in zip(chosen, sizes, strict=True))
        return np.stack([total, 2 * total], 1)

    return value, np.stack([right, 2 * right])


def test_exact_interactions_and_main_effects_add_up() -> None:
    game = random_game(7, 2, 5)
    pairs, values = exact_interactions(game, 7).values, shapley.exact(game, 7)
    main = values.values - pairs.sum(2) / 2
    np.testing.assert_allclose(main.sum(1) + pairs.sum((1, 2)) / 2, values.full - values.base, atol=1e-9)


def test_sampled_interactions_are_near_and_their_errors_cover() -> None:
    units = 14
    covered, distances = [], []
    for seed in range(12):
        game, right = smooth_game(units, seed)
        sampled = sampled_interactions(game, units, 700, seed)
        assert sampled.standard_errors is not None
        upper = np.triu_indices(units, 1)
        distance = np.abs(sampled.values - right)[:, *upper]
        covered.append(distance <= 1.96 * sampled.standard_errors[:, *upper])
        distances.append(distance / np.abs(right[:, *upper]).mean())
    assert 0.92 < np.mean(covered) < 0.985
    assert np.mean(distances) < 0.1


def test_a_quadratic_game_is_sampled_without_error() -> None:
    weights = np.random.default_rng(1).normal(size=(14, 14))
    game = lambda kept: np.einsum("ci,ij,cj->c", np.asarray(kept, float), weights, np.asarray(kept, float))[:, None]  # noqa: E731
    right = (weights + weights.T) * (1 - np.eye(14))
    np.testing.assert_allclose(sampled_interactions(game, 14, 600, 1).values[0], right, atol=1e-3)


def test_an_explanation_has_interactions_without_reading_again(words: TextGenerator) -> None:
    text = "the red cat is here"
    plain = words.explain(text, faithfulness=False)
    explained = words.explain(text, interactions=True, faithfulness=False)
    assert explained.interactions is not None and explained.evaluations == plain.evaluations
    effects = explained.main_effects().sum(1) + explained.interactions.sum((1, 2)) / 2
    np.testing.assert_allclose(effects, explained.log_probabilities - explained.without_source, atol=1e-9)
    assert "Strongest interactions" in repr(explained)
    assert explained.strongest_interactions(0, 1)[0][2] != 0
    long = words.explain(" ".join([text] * 3), interactions=True, budget=300, faithfulness=False)
    assert long.interaction_errors is not None and long.evaluations <= 600
    with pytest.raises(OptionError, match="no interactions"):
        plain.main_effects()
    for count in (-1, 1.5, "3"):
        with pytest.raises(OptionError, match="count must be a whole number"):
            explained.strongest_interactions(count=count)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="limit must be a whole number of at least 1"):
        words.explain_data([(text, "Katze rot")], limit=1.5)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="number must be a whole number"):
        explained.head("1")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="add shap"):
        words.explain(text, interactions=True, method="attention")
    with pytest.raises(OptionError, match="pairs"):
        words.explain(" ".join(["cat"] * 70), unit="token", interactions=True)


def test_missing_words_are_sampled_from_texts_of_the_same_form(words: TextGenerator, dates: TextGenerator) -> None:
    """What stands for a missing word is then a word: no copy is an input that nobody would give."""
    background = [
        "red",
        "the red cat",
        "the blue dog",
        "The Red Cat",
        "a 3 cat",
        "the green tree now",
        "ein roter Hund",
    ]
    config = ExplanationConfig(missing="sample", donors=2, target="Hund rot")
    removal = Explainer(words.predictor, "the red dog", config, background=background).value.removal
    assert isinstance(removal, BySampling) and set(removal.texts) == {"the red cat", "the blue dog"}
    more = Explainer(words.predictor, "the red dog", replace(config, donors=9), background=background).value.removal
    assert isinstance(more, BySampling) and len(more.texts) == 9 and set(more.texts[:2]) == set(removal.texts)
    background = ["1 May 2019", "11 May 2019", "4 Jul 1999", "4 JUL 1999", "May 4, 1999", "3 Jan 2019", "x"]
    removal = Explainer(dates.predictor, "3 Jan 2019", config, background=background).value.removal
    assert isinstance(removal, BySampling) and set(removal.texts) == {"1 May 2019", "4 Jul 1999"}
    for texts in (["3 Jan 2019"], ["3 Jan 2019", "x"], ["x"]):  # none alike, or only the source itself
        explained = dates.explain("3 Jan 2019", missing="sample", background=texts, unit="word", donors=3)
        np.testing.assert_allclose(
            explained.values.sum(1), explained.log_probabilities - explained.base_values, atol=1e-9
        )
