"""The game of the source and what was already written, against brute force and other implementations."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nbtextgen import TextGenerator
from nbtextgen.core.errors import OptionError
from nbtextgen.explanation import shapley
from nbtextgen.explanation.attributions import ScoreFunction
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.explanation.prefix import players_of_contrast
from nbtextgen.tokenizers.base import BOS, EOS, MASK, UNK

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
NETWORKS = json.loads((GOLDEN / "expected.json").read_text())["models"]


def golden(name: str) -> TextGenerator:
    return TextGenerator.load(GOLDEN / "models" / name)


Copy = tuple[list[int], list[int] | None, list[int]]
"""Source ids, copy ids and decoder inputs."""


@torch.inference_mode()
def token_scores(model: TextGenerator, copies: Sequence[Copy], token: int) -> list[float]:
    """log p of ``token`` after the inputs of each copy, from forward passes over all of the vocabulary, without padding."""
    size, networks = model.predictor.networks[0].vocabulary_size, model.predictor.networks
    groups: dict[tuple[int, int], list[int]] = {}
    for index, (source, _, inputs) in enumerate(copies):
        groups.setdefault((len(source), len(inputs)), []).append(index)
    scores = [0.0] * len(copies)
    for rows in groups.values():
        sources, copied, inputs = zip(*(copies[row] for row in rows), strict=True)
        for network in networks:
            copy_ids = None if copied[0] is None else torch.tensor(copied)
            decoded, memory = network(torch.tensor(sources), torch.tensor(inputs), copy_ids)
            logs = network._log_probabilities(decoded, memory)[:, -1]
            for place, row in enumerate(rows):
                absent = token >= size and (memory.copy_ids is None or token not in memory.copy_ids[place])
                scores[row] += float(logs[place, UNK if absent else token].exp()) / len(networks)
    return [math.log(score) for score in scores]


def brute_force(explainer: Explainer, model: TextGenerator, missing: str) -> NDArray[np.float64]:
    """Shapley values of all players, ``(outputs, players)``, by their definition; copies of the input are made by hand."""
    subject, member = explainer.subject, explainer.units.member
    assert member is not None
    units, target = len(explainer.units), subject.output.ids.tolist()
    source = subject.ids.tolist()
    copies = None if subject.copy_ids is None else subject.copy_ids.tolist()

    def copy(step: int, present: frozenset[int]) -> Copy:
        written = [(token, units + index in present) for index, token in enumerate(target[:step])]
        kept = [unit in present for unit in member]
        if missing == "mask":
            ids = [token if keep else MASK for token, keep in zip(source, kept, strict=True)]
            prefix = [token if keep else MASK for token, keep in written]
            copied = copies
        else:
            ids = [token for token, keep in zip(source, kept, strict=True) if keep] or [UNK]
            prefix = [token for token, keep in written if keep]
            copied = None if copies is None else [c for c, keep in zip(copies, kept, strict=True) if keep] or [UNK]
        return ids, copied, [BOS, *prefix]

    values = np.zeros((len(target), units + len(target) - 1))
    for step in range(len(target)):
        players = range(units + step)
        subsets = [frozenset(chosen) for size in range(len(players) + 1) for chosen in combinations(players, size)]
        worth = dict(
            zip(subsets, token_scores(model, [copy(step, each) for each in subsets], target[step]), strict=True)
        )
        for player in players:
            for chosen, score in worth.items():
                if player not in chosen:
                    weight = 1 / (len(players) * math.comb(len(players) - 1, len(chosen)))
                    values[step, player] += weight * (worth[chosen | {player}] - score)
    return values


@pytest.mark.parametrize("missing", ["mask", "delete"])
@pytest.mark.parametrize("name", list(NETWORKS))
def test_exact_values_equal_brute_force_for_every_kind_of_network(name: str, missing: Any) -> None:
    model = golden(name)
    config = ExplanationConfig(prefix=True, missing=missing, unit="token", target="b a", faithfulness=False)
    explainer = Explainer(model.predictor, "a b", config)
    assert explainer.prefix is not None and explainer.prefix.players <= 6
    explanation = explainer.explain("shap")
    assert explanation.algorithm.startswith("exact")
    assert explanation.prefix_values is not None
    joint = np.concatenate([explanation.values, explanation.prefix_values], 1)
    np.testing.assert_allclose(joint, brute_force(explainer, model, missing), atol=2e-5)
    np.testing.assert_allclose(joint.sum(1), explanation.log_probabilities - explanation.base_values, atol=1e-9)


def test_exact_values_of_ten_players_equal_brute_force(words: TextGenerator) -> None:
    config = ExplanationConfig(prefix=True, target="Katze rot blau", faithfulness=False)
    explainer = Explainer(words.predictor, "the red cat is here or gone", config)
    assert explainer.prefix is not None and explainer.prefix.players == 10
    explanation = explainer.explain("shap")
    assert explanation.prefix_values is not None
    joint = np.concatenate([explanation.values, explanation.prefix_values], 1)
    np.testing.assert_allclose(joint, brute_force(explainer, words, "mask"), atol=2e-5)


@pytest.fixture(scope="module")
def sampled(dates: TextGenerator) -> Explainer:
    config = ExplanationConfig(prefix=True, faithfulness=False, budget=1000, missing="mask")
    return Explainer(dates.predictor, "3 Jan 2019", config)


@pytest.mark.parametrize("budget", [1000, 30])
def test_sampled_values_add_up_and_never_look_ahead(dates: TextGenerator, budget: int) -> None:
    explanation = dates.explain(
        "3 Jan 2019", prefix=True, budget=max(50, budget), faithfulness=False, target="2019-01-03"
    )
    prefix, errors = explanation.prefix_values, explanation.prefix_errors
    assert prefix is not None and errors is not None and explanation.standard_errors is not None
    assert prefix.shape == (len(explanation.output_tokens), len(explanation.prefix_tokens)) == (11, 10)
    assert not np.triu(prefix).any() and not np.triu(errors).any()
    assert (errors[np.tril_indices(11, -1, 10)] > 0).all()
    gained = explanation.log_probabilities - explanation.base_values
    np.testing.assert_allclose(explanation.values.sum(1) + prefix.sum(1), gained, atol=1e-9)


def triangular_game(units: int, outputs: int, seed: int) -> tuple[ScoreFunction, NDArray[np.float64]]:
    """A game of random sets among the players of each output token, and its Shapley values."""
    generator = np.random.default_rng(seed)
    values, members, worth = np.zeros((outputs, units + outputs - 1)), list[Any](), list[Any]()
    for step in range(outputs):
        players, terms = units + step, 3 * (units + step) // 2
        members.append(np.zeros((terms, values.shape[1])))
        worth.append(generator.standard_t(3, terms))
        for term in range(terms):
            chosen = generator.choice(players, size=min(players, int(generator.integers(1, 5))), replace=False)
            members[-1][term, chosen] = 1
            values[step, chosen] += worth[-1][term] / len(chosen)

    def score(coalitions: NDArray[np.bool_]) -> NDArray[np.float64]:
        missing = (~coalitions).astype(float)
        return np.stack([(missing @ sets.T == 0) @ gains for sets, gains in zip(members, worth, strict=True)], 1)

    return score, values


@pytest.mark.parametrize(("units", "outputs", "budget"), [(6, 8, 2000), (30, 12, 2000), (60, 20, 60)])
def test_sampled_games_look_back_only_and_state_their_errors(units: int, outputs: int, budget: int) -> None:
    relevant = np.arange(units + outputs - 1) < units + np.arange(outputs)[:, None]
    covered = list[float]()
    for seed in range(6):
        score, values = triangular_game(units, outputs, seed % 3)
        *_, sampled = shapley.permutations(score, units + outputs - 1, budget, seed, relevant=relevant)
        assert not sampled.values[~relevant].any()
        np.testing.assert_allclose(sampled.values.sum(1), sampled.full - sampled.base, atol=1e-9)
        assert sampled.standard_errors is not None and not sampled.standard_errors[~relevant].any()
        near = np.abs(sampled.values - values) <= 1.96 * sampled.standard_errors
        covered.append(float(near[relevant].mean()))
    assert budget < 100 or 0.93 <= np.mean(covered) <= 0.98


def test_occlusion_leaves_out_one_player_at_a_time(sampled: Explainer) -> None:
    explanation, value = sampled.explain("occlusion"), sampled.prefix
    assert value is not None and explanation.prefix_values is not None
    whole = np.ones((1, value.players), dtype=bool)
    without = whole.copy()
    without[0, value.units + 2] = False
    np.testing.assert_allclose(explanation.prefix_values[:, 2], (value(whole) - value(without))[0], atol=1e-9)


def test_lime_equals_a_ridge_over_the_players_of_each_token(words: TextGenerator) -> None:
    from sklearn.linear_model import Ridge

    config = ExplanationConfig(prefix=True, target="Katze rot", missing="mask", faithfulness=False)
    explainer = Explainer(words.predictor, "the red cat", config)
    explanation, value = explainer.explain("lime"), explainer.prefix
    assert value is not None and explanation.prefix_values is not None
    coalitions = ((np.arange(1, 32)[:, None] >> np.arange(5)) % 2).astype(bool)
    for step in range(3):
        kept = coalitions[:, : 3 + step]
        weights = np.sqrt(np.exp(-(((1 - np.sqrt(kept.mean(1))) / 0.25) ** 2)))
        fitted = Ridge(alpha=1e-3).fit(kept.astype(float), value(coalitions)[:, step], sample_weight=weights)
        joint = np.concatenate([explanation.values[step], explanation.prefix_values[step, :step]])
        np.testing.assert_allclose(joint, fitted.coef_, atol=1e-6)


def test_integrated_gradients_run_from_nothing_to_everything(sampled: Explainer) -> None:
    explanation, value = sampled.explain("integrated-gradients"), sampled.prefix
    assert value is not None and explanation.prefix_values is not None and explanation.convergence_delta is not None
    assert np.abs(explanation.convergence_delta).max() < 0.06
    gained = explanation.values.sum(1) + explanation.prefix_values.sum(1)
    np.testing.assert_allclose(gained, explanation.log_probabilities - explanation.base_values, atol=0.06)
    np.testing.assert_allclose(explanation.base_values, value(np.zeros((1, value.players), dtype=bool))[0], atol=1e-4)


@pytest.mark.parametrize("contrast", ["Hund rot", "der Hund gruen da", "gruen"])
@pytest.mark.parametrize("method", ["shap", "integrated-gradients"])
def test_contrasts_of_any_length_add_up(words: TextGenerator, contrast: str, method: Any) -> None:
    explanation = words.explain(
        "the green dog",
        target="Hund gruen",
        contrast=contrast,
        method=method,
        prefix=True,
        steps=100,
        faithfulness=False,
    )
    prefix = explanation.prefix_values
    assert prefix is not None and not np.triu(prefix).any()
    gained = explanation.log_probabilities - explanation.base_values
    tolerance = 1e-9 if method == "shap" else 0.05
    np.testing.assert_allclose(explanation.values.sum(1) + prefix.sum(1), gained, atol=tolerance)


def test_tokens_of_the_alternative_go_with_those_that_they_face() -> None:
    pairing = np.zeros((3, 5))
    pairing[[0, 1, 1, 1, 2], range(5)] = 1
    np.testing.assert_array_equal(players_of_contrast(pairing), [0, -1, -1, 1])


def test_sampled_prefixes_are_outputs_for_the_sampled_sources(words: TextGenerator) -> None:
    background = ["the blue dog is here", "the green bird is here"]
    config = ExplanationConfig(prefix=True, missing="sample", donors=2, target="Katze rot", faithfulness=False)
    explainer = Explainer(words.predictor, "the red cat is here", config, background=background)
    assert explainer.prefix is not None
    none = explainer.prefix(np.zeros((1, explainer.prefix.players), dtype=bool))[0]
    ids = words.predictor.target.encode("Katze rot").ids
    scores = list[float]()
    for text in background:
        source, written = words.predictor.source.encode(text).ids, words.generate(text).ids
        scores += token_scores(words, [(source, None, [BOS, written[0]])], ids[1])
    np.testing.assert_allclose(none[1], np.mean(scores), atol=1e-4)
    explanation = explainer.explain("shap")
    assert explanation.prefix_values is not None
    gained = explanation.log_probabilities - explanation.base_values
    np.testing.assert_allclose(explanation.values.sum(1) + explanation.prefix_values.sum(1), gained, atol=1e-9)


def test_models_without_an_encoder_are_explained_with_what_was_written() -> None:
    model = golden("07")
    explanation = model.explain("a b", target="b a b", method="shap,attention,context", faithfulness=False)
    assert explanation["shap"].prefix_tokens == explanation["shap"].output_tokens[:-1]
    assert "… b" in repr(explanation["shap"]) and "% on earlier output" in repr(explanation["shap"])
    assert explanation["attention"].prefix_values is None and explanation["context"].prefix_values is None
    assert model.explain("a b", target="b a", prefix=False).prefix_values is None
    np.testing.assert_allclose(explanation["shap"].prefix_total(), explanation["shap"].prefix_values.sum(0))


def test_equal_sources_are_encoded_once_and_equal_beginnings_scored_once(words: TextGenerator) -> None:
    config = ExplanationConfig(prefix=True, target="Katze rot", batch_size=1000, faithfulness=False)
    explainer = Explainer(words.predictor, "the red cat", config)
    network, rows = words.predictor.networks[0], list[int]()
    handle = network.encoder.register_forward_hook(lambda module, inputs, _: rows.append(len(inputs[0])))
    try:
        explainer.explain("shap")
    finally:
        handle.remove()
    assert max(rows) == 8 and sum(rows) <= 8 + 2  # all subsets of the source; and what the source alone gives
    assert [len(cache) for cache in explainer.prefix._scores] == [8, 16, 32]


def test_what_does_not_apply_is_refused(words: TextGenerator) -> None:
    for algorithm in ("partition", "regression"):
        with pytest.raises(OptionError, match=f"algorithm='?{algorithm}'? attributes to the input alone"):
            words.explain("the red cat", prefix=True, algorithm=algorithm)
    assert EOS not in words.explain("the red cat", prefix=True).prefix_tokens
