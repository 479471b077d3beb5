"""The JavaScript engine of a page writes, token for token, what the model with the same rounded weights writes."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbtextgen import TextGenerator
from nbtextgen.core.options import build
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.explanation.config import configure
from nbtextgen.explanation.explainer import explain
from nbtextgen.export.page.document import describe
from nbtextgen.export.page.packing import round_networks
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.predictor import Predictor
from nbtextgen.model.config import ATTENTIONS, CELLS
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.tokenizers.base import EOS
from nbtextgen.tokenizers.config import TokenizerConfig
from nbtextgen.training.config import TrainingConfig

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("exported", ROOT / "benchmarks" / "exported.py")
assert spec and spec.loader
exported = importlib.util.module_from_spec(spec)
spec.loader.exec_module(exported)

EXTRAS: list[dict[str, Any]] = [
    {"bidirectional": False, "tied_embeddings": "none"},
    {"layer_norm": True, "tied_embeddings": "all", "input_feeding": True},
    {"copy": True, "tied_embeddings": "none", "layer_norm": True},
    {"copy": True, "coverage": True, "input_feeding": True, "bidirectional": False},
    {"encoder_layers": 0, "input_feeding": True, "tied_embeddings": "all", "layer_norm": True},
    {"encoder_layers": 0, "attention": "none", "tied_embeddings": "inputs"},
    {"encoder_layers": 0, "copy": True, "coverage": True},
]
KINDS = [
    {"cell": cell, "attention": attention, **EXTRAS[(number + shift) % len(EXTRAS)]}
    for number, (cell, attention) in enumerate(itertools.product(CELLS, ATTENTIONS))
    for shift in (0, 4)
]
"""Every cell with every attention, and each of the extras with several of both; every second kind is an ensemble."""
RULES: list[dict[str, Any]] = [
    {"beam": 4, "n_best": 4, "length_penalty": 1.0, "coverage_penalty": 0.5},
    {"n_best": 3},
    {"prefix": "ab", "beam": 2},
    {"allow": ("abc", "d")},
    {"forbid": ("a", "bc"), "beam": 2},
    {"no_repeat_ngram": 2},
    {"no_repeat_ngram": 1, "max_length": 4},
    {"min_length": 12, "beam": 3},
    {"max_length": 2, "beam": 2},
    {"replace_unknown": True},
    {"sample": True, "seed": 3, "n_best": 3},
    {"sample": True, "seed": 4, "temperature": 0.7, "top_k": 4},
    {"sample": True, "seed": 5, "top_p": 0.8, "min_p": 0.05},
]


def _described(predictor: Predictor, bits: int) -> dict[str, Any]:
    """Round a model's weights in place, and describe it for the engine."""
    round_networks(predictor.networks, bits)
    plan = Plan(TokenizerConfig(tokens="char"), predictor.networks[0].config, TrainingConfig(), {})
    description, weights = describe(predictor, plan, bits)
    return {"description": description, "weights": weights}


def _difference(expected: Generation, outputs: list[dict[str, Any]]) -> float:
    """Largest difference of log-probabilities and attention; infinite for other tokens."""
    worst = 0.0
    if len(expected.candidates) != len(outputs):
        return float("inf")
    for candidate, output in zip(expected.candidates, outputs, strict=True):
        if (list(candidate.ids), candidate.text, list(candidate.tokens)) != (
            output["ids"],
            output["text"],
            output["tokens"],
        ):
            return float("inf")
        worst = max(worst, float(np.abs(candidate.log_probabilities - np.array(output["logs"])).max()))
        if candidate.attention is not None and candidate.attention.size:
            worst = max(worst, float(np.abs(candidate.attention - np.array(output["attention"])).max()))
    return worst


def _calls(ways: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"call": "generate", "text": text, "options": way} for way in ways for text in exported.TEXTS]


def _check(predictor: Predictor, calls: list[dict[str, Any]], answers: list[dict[str, Any]], kind: object) -> None:
    """Compare the answers of the engine with the outputs of the predictor, all texts of one way of decoding at once."""
    for start in range(0, len(calls), len(exported.TEXTS)):
        options = calls[start]["options"]
        expected = predictor.predict(exported.TEXTS, build(DecodingConfig, {**options, "precision": "fp32"}))
        for generation, answer in zip(expected, answers[start:], strict=False):
            assert "value" in answer, (kind, options, answer)
            assert _difference(generation, answer["value"]) < 1e-3, (kind, options, generation.source)


def test_every_kind_of_network_writes_the_same_tokens(run_engine) -> None:
    predictors, models = list[Predictor](), list[dict[str, Any]]()
    for number, kind in enumerate(KINDS):
        if kind["attention"] == "none":
            kind = {**kind, "copy": False, "coverage": False}
        predictors.append(exported.random_writer(kind, 1 + number % 2, number))
        calls = _calls([{}, {"beam": 3, "n_best": 2}])
        models.append({**_described(predictors[-1], 8 if number % 5 == 0 else 16), "calls": calls})
    models[0]["description"]["kernel"] = ""  # as in a browser without WebAssembly
    answers = run_engine({"models": models})["answers"]
    for kind, predictor, model, answered in zip(KINDS, predictors, models, answers, strict=True):
        _check(predictor, model["calls"], answered, kind)


@pytest.fixture(scope="module")
def copying(run_engine) -> tuple[Predictor, dict[str, Any]]:
    predictor = exported.random_writer({"copy": True}, members=2)
    return predictor, _described(predictor, 16)


def test_rules_and_sampling_give_the_same_tokens(copying, run_engine) -> None:
    predictor, model = copying
    calls = _calls(RULES)
    (answers,) = run_engine({"models": [{**model, "calls": calls}]})["answers"]
    _check(predictor, calls, answers, "copying")


def test_models_of_bpe_and_of_a_text_write_the_same(run_engine) -> None:
    options: dict[str, Any] = {"hidden_size": 12, "embedding_size": 8, "max_steps": 2, "samples": 0}
    pairs = [(f" {word} {word[::-1]}é", f"{word} 👍") for word in ("abc", "bca", "cab", "aab", "bba")] * 4
    bpe = {"tokens": "bpe", "vocabulary_size": 300, "clean": "whitespace", "allow_overlap": True}
    translator = TextGenerator(**options, **bpe).fit(pairs, callbacks=[])
    text = "the cat sat on the mat. the dog sat on the log. " * 20
    poet = TextGenerator(**options, tokens="char", context=10, window=16).fit_text(text, callbacks=[])
    ways: list[dict[str, Any]] = [{}, {"sample": True, "seed": 5, "temperature": 0.9}]
    models = list[dict[str, Any]]()
    for model, call in ((translator, "generate"), (poet, "continueText")):
        round_networks(model.predictor.networks, 16)
        description, weights = describe(model.predictor, model.plan, 16)
        calls = [
            {"call": call, "text": each, "options": way, "length": 40}
            for each in ("  abc   cba \n", "the cat, \U0001f1e9\U0001f1ea")
            for way in ways
        ]
        models.append({"description": description, "weights": weights, "calls": calls})
    answers = run_engine({"models": models})["answers"]
    for call, answer in zip(models[0]["calls"], answers[0], strict=True):
        expected = translator.generate(call["text"], precision="fp32", **call["options"])
        assert _difference(expected, answer["value"]) < 1e-3
    for call, answer in zip(models[1]["calls"], answers[1], strict=True):
        expected_text = "".join(poet.stream(call["text"], 40, **call["options"]))
        assert answer["value"]["text"] == expected_text and len(answer["value"]["ids"]) == 40


def test_forced_prefix_alternatives_and_errors(copying, run_engine) -> None:
    predictor, model = copying
    text = "hgfe xyz"
    first = predictor.predict([text], DecodingConfig(precision="fp32"))[0]
    prefix = [*first.ids[:2], predictor.target.encode("d").ids[0]]
    calls = [
        {"call": "generate", "text": text, "prefix": prefix},
        {"call": "generate", "text": text, "prefix": [*first.ids[:2], EOS]},
        {"call": "alternatives", "text": text, "ids": first.ids, "count": 4},
        {"call": "generate", "text": text, "options": {"allow": ["a"], "min_length": 5, "no_repeat_ngram": 1}},
        {"call": "generate", "text": text, "options": {"forbid": ["x"]}},
        {"call": "generate", "text": "  "},
    ]
    (answers,) = run_engine({"models": [{**model, "calls": calls}]})["answers"]
    expected = predictor.predict([text], DecodingConfig(precision="fp32"), prefix)[0]
    assert _difference(expected, answers[0]["value"]) < 1e-3
    assert answers[1]["value"][0]["ids"] == list(first.ids[:2])
    for ours, theirs in zip(predictor.alternatives(text, first.ids, 4), answers[2]["value"], strict=True):
        assert [each.id for each in ours] == [each["id"] for each in theirs]
        assert [each.text for each in ours] == [each["text"] for each in theirs]
        np.testing.assert_allclose(
            [each.probability for each in ours], [each["probability"] for each in theirs], atol=1e-4
        )
    assert [answer["error"] for answer in answers[3:]] == [
        "These rules leave no token to generate; relax them.",
        "“x” is not in the model's vocabulary.",
        "Type some text to start from.",
    ]


@pytest.mark.parametrize("options", [{"copy": True, "coverage": True}, {"attention": "multihead"}], ids=str)
def test_shapley_values_and_attention_equal_those_of_python(options, run_engine) -> None:
    predictor = exported.random_writer(options, members=2)
    text = "ab xyb"
    model = _described(predictor, 16)
    generation = predictor.predict([text], DecodingConfig(precision="fp32"))[0]
    assert generation.ids
    calls: list[dict[str, Any]] = [
        {"call": "explain", "text": text, "ids": generation.ids, "unit": "token"},
        {"call": "explain", "text": text, "ids": generation.ids, "unit": "word"},
        {"call": "explain", "text": text, "ids": generation.ids, "unit": "token", "budget": 300},
        {"call": "attention", "text": text, "unit": "word"},
    ]
    (answers,) = run_engine({"models": [{**model, "calls": calls}]})["answers"]
    values = [answer["value"] for answer in answers]
    for unit, value in zip(("token", "word"), values, strict=False):
        expected = explain(predictor, generation, configure({"unit": unit, "faithfulness": False}))
        assert list(expected.input_units) == value["units"]
        np.testing.assert_allclose(value["values"], expected.values, atol=1e-4)
        np.testing.assert_allclose(value["base"], expected.base_values, atol=1e-4)
        np.testing.assert_allclose(value["full"], expected.log_probabilities, atol=1e-4)
    exact, sampled = (np.array(values[index]["values"]) for index in (0, 2))
    np.testing.assert_allclose(sampled.sum(1), exact.sum(1), atol=1e-4)
    assert (np.abs(sampled - exact) <= 5 * np.array(values[2]["errors"]) + 1e-4).all()
    attention = explain(
        predictor, generation, configure({"unit": "word", "method": "attention", "faithfulness": False})
    )
    np.testing.assert_allclose(values[3], attention.values[:-1], atol=1e-4)
