"""Other questions than "why this token": entropy, a function of one's own, whole words; and explanations as data."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nbtextgen import TextGenerator
from nbtextgen.core.errors import DataError, ModelFileError, OptionError
from nbtextgen.explanation.explanation import Explanation, Explanations
from nbtextgen.explanation.survey import Survey
from nbtextgen.tokenizers.base import BOS, EOS

SOURCE, TARGET = "the green dog is here", "Hund gruen"


def margin(logs: Tensor, ids: Tensor) -> Tensor:
    """How far a token's log-probability is above that of the likeliest other."""
    own = logs.gather(-1, ids[..., None])
    return (own - logs.scatter(-1, ids[..., None], float("-inf")).max(-1, keepdim=True).values)[..., 0]


def all_logs(model: TextGenerator, source: str, target: str) -> Tensor:
    network, codec = model.predictor.networks[0], model.predictor
    decoded, memory = network(
        torch.tensor([codec.source.encode(source).ids]), torch.tensor([[BOS, *codec.target.encode(target).ids]])
    )
    return network._log_probabilities(decoded, memory)[0].detach()


@pytest.mark.parametrize("score", ["entropy", margin])
@pytest.mark.parametrize("prefix", [False, True])
def test_any_score_of_the_next_token_is_explained(words: TextGenerator, score: Any, prefix: bool) -> None:
    explained = words.explain(
        SOURCE, target=TARGET, score=score, prefix=prefix, method="shap,occlusion,lime,ig,attention,context", steps=64
    )
    logs, ids = all_logs(words, SOURCE, TARGET), torch.tensor([*words.predictor.target.encode(TARGET).ids, EOS])
    expected = margin(logs, ids) if score is margin else -(logs.exp() * logs).sum(-1)
    shap = explained["shap"]
    assert shap.score == ("margin" if score is margin else "entropy") and shap.faithfulness is None
    for explanation in explained.values():
        np.testing.assert_allclose(explanation.log_probabilities, expected, atol=1e-4)
    given = shap.values.sum(1) + (0 if shap.prefix_values is None else shap.prefix_values.sum(1))
    np.testing.assert_allclose(given, shap.log_probabilities - shap.base_values, atol=1e-9)
    if score == "entropy":
        assert np.abs(explained["integrated-gradients"].convergence_delta).max() < 0.02
    assert shap.score in repr(shap)


def test_the_log_probability_as_a_function_is_the_usual_explanation(words: TextGenerator) -> None:
    def log_probability(logs: Tensor, ids: Tensor) -> Tensor:
        return logs.gather(-1, ids[..., None])[..., 0]

    for method in ("shap", "integrated-gradients", "occlusion"):
        own, usual = (
            words.explain(SOURCE, target=TARGET, contrast="Hund rot", method=method, prefix=True, **options)
            for options in ({"score": log_probability}, {})
        )
        np.testing.assert_allclose(own.values, usual.values, atol=1e-5)
        np.testing.assert_allclose(own.prefix_values, usual.prefix_values, atol=1e-5)


@pytest.mark.parametrize("name", ["02", "06", "10"])
def test_scores_of_copying_networks_sum_over_all_words(name: str) -> None:
    """The distribution over vocabulary and copied words sums to one, and its entry is the token's log-probability."""
    model = TextGenerator.load(Path(__file__).parents[1] / "data" / "golden" / "models" / name)

    def total(logs: Tensor, ids: Tensor) -> Tensor:
        return logs.exp().sum(-1)

    explanation = model.explain("e d a b", target="b a", score=total, prefix=True)
    np.testing.assert_allclose(explanation.log_probabilities, 1, atol=1e-4)


def test_functions_that_return_something_else_are_refused(words: TextGenerator) -> None:
    for function in (lambda logs, ids: logs, lambda logs, ids: 1.0):
        with pytest.raises(OptionError, match="shape of the ids"):
            words.explain(SOURCE, score=function)
    with pytest.raises(OptionError, match="score"):
        words.explain(SOURCE, score="perplexity")


def test_surveys_take_any_score(words: TextGenerator) -> None:
    survey = words.explain_data([(SOURCE, TARGET)], score=margin)
    assert survey.first[0].score == "margin"


# Words of the output ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pieces(dates: TextGenerator) -> Explanation:
    return dates.explain("3 Jan 2019", unit="word", target="2019 01", prefix=True, budget=600)


@pytest.mark.parametrize("unit", ["word", "output"])
def test_pieces_merge_into_words_exactly(pieces: Explanation, unit: str) -> None:
    merged = pieces.merge(unit)
    names = ["2019", " 01", "■"] if unit == "word" else ["2019 01"]
    assert [name.strip() for name in merged.output_tokens] == [name.strip() for name in names]
    assert merged.values.shape == (len(names), 3)
    np.testing.assert_allclose(merged.values.sum(0), pieces.values.sum(0), atol=1e-12)
    np.testing.assert_allclose(merged.total(), pieces.total(), atol=1e-12)
    assert merged.prefix_values is not None
    gained = merged.log_probabilities - merged.base_values
    np.testing.assert_allclose(merged.values.sum(1) + merged.prefix_values.sum(1), gained, atol=1e-9)
    assert not np.triu(merged.prefix_values, 1).any()
    assert len(merged.prefix_tokens) == merged.prefix_values.shape[1] == len(merged.prefix_offsets)
    assert any(name.strip() in repr(merged) for name in merged.input_units)


def test_merged_values_are_those_of_the_summed_score(words: TextGenerator) -> None:
    explanation = words.explain(SOURCE, target=TARGET)
    np.testing.assert_allclose(explanation.merge("output").values[0], explanation.values.sum(0), atol=1e-12)
    attention = words.explain(SOURCE, target=TARGET, method="attention").merge("output")
    np.testing.assert_allclose(attention.values.sum(1), 1, atol=1e-5)
    with pytest.raises(OptionError, match='"word" or "output"'):
        explanation.merge("token")


# Data -------------------------------------------------------------------------------------------------------------


def assert_equal_bits(first: Explanation, second: Explanation) -> None:
    for field in fields(Explanation):
        ours, theirs = getattr(first, field.name), getattr(second, field.name)
        if isinstance(ours, np.ndarray):
            assert ours.dtype == theirs.dtype and ours.shape == theirs.shape and ours.tobytes() == theirs.tobytes()
        else:
            assert ours == theirs and type(ours) is type(theirs), field.name


def test_explanations_are_saved_and_loaded_to_the_bit(
    pieces: Explanation, words: TextGenerator, tmp_path: Path
) -> None:
    odd = pieces.replace(source='"<b>\ud800\u2028', standard_errors=np.full_like(pieces.values, np.inf))
    for number, explanation in enumerate((pieces, odd, pieces.merge(), words.explain(SOURCE, prefix=False))):
        path = explanation.save(tmp_path / f"{number}.json")
        assert_equal_bits(Explanation.load(path), explanation)
    several = words.explain(SOURCE, method="shap,attention,ig")
    loaded = Explanations.load(several.save(tmp_path / "several.json"))
    assert list(loaded) == list(several) and loaded.sentence() == several.sentence()
    for method, explanation in several.items():
        assert_equal_bits(loaded[method], explanation)
    assert "<html" in pieces.save(tmp_path / "page.html").read_text()


def test_a_whole_survey_is_one_file(words: TextGenerator, tmp_path: Path) -> None:
    survey = words.explain_data([(SOURCE, TARGET), ("red cat", "x")], gold=None, method="shap,attention", prefix=True)
    loaded = Survey.load(survey.save(tmp_path / "survey.json"))
    assert repr(loaded) == repr(survey)
    for method, explanations in survey.explanations.items():
        for ours, theirs in zip(explanations, loaded.explanations[method], strict=True):
            assert_equal_bits(theirs, ours)
    assert loaded.faithfulness == survey.faithfulness
    np.testing.assert_array_equal(loaded.agreement.correlations, survey.agreement.correlations)


def test_damaged_files_are_refused_in_a_sentence(pieces: Explanation, words: TextGenerator, tmp_path: Path) -> None:
    path = pieces.save(tmp_path / "a.json")
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"text": "x"}))
    with pytest.raises(ModelFileError, match="checksum differs"):
        Explanation.load(path)
    del content["checksum"]  # as earlier versions wrote it
    for change in (
        {"values": [[1.0]]},
        {"values": "x"},
        {"odd": 1},
        {"faithfulness": {"odd": 1}},
        {"input_offsets": [1]},
    ):
        path.write_text(json.dumps(content | change))
        with pytest.raises(ModelFileError, match="damaged or was changed"):
            Explanation.load(path)
    path.write_text(json.dumps(content | {"format": 99}))
    with pytest.raises(ModelFileError, match="later version"):
        Explanation.load(path)
    path.write_text("{}")
    with pytest.raises(ModelFileError, match="was not saved by nbtextgen"):
        Explanation.load(path)
    pieces.save(path)
    with pytest.raises(ModelFileError, match="holds a saved explanation, and a saved survey is needed"):
        Survey.load(path)
    with pytest.raises(ModelFileError, match="cannot be read"):
        Explanation.load(tmp_path / "nowhere.json")


def test_frames_have_a_row_per_value(pieces: Explanation, words: TextGenerator) -> None:
    frame = pieces.to_frame()
    assert len(frame) == pieces.values.size + pieces.prefix_values.size
    of_first = frame[frame["position"] == 0]
    np.testing.assert_allclose(of_first["value"].sum(), (pieces.log_probabilities - pieces.base_values)[0], atol=1e-9)
    assert set(frame["part"]) == {"source", "output"} and set(frame["unit"]) >= {"3", "Jan", "2019"}
    survey = words.explain_data([(SOURCE, TARGET)], method="shap,attention", prefix=False)
    assert set(survey.to_frame()["method"]) == {"shap", "attention"}
    assert len(words.explain(SOURCE, method="shap,occlusion").to_frame()) == 2 * survey.first[0].values.size


# Parts of an output ------------------------------------------------------------------------------------------------


def test_one_piece_of_an_output_is_the_same_tokens_everywhere(dates: TextGenerator) -> None:
    """A sentence, interactions, the smallest edits and the training rows mean the same tokens by a piece."""
    explained = dates.explain("3 Jan 2019", unit="word", target="2001-01-01", interactions=True, faithfulness=False)
    assert explained.strongest_interactions("01", 1)[0][2] == pytest.approx(
        np.abs(explained.interactions[5:7].sum(0)).max() * np.sign(explained.strongest_interactions("01", 1)[0][2])
    )
    assert explained.sentence("01").startswith("“01” ") and explained.sentence(5) == explained.sentence(np.int64(5))
    output = dates.generate("3 Jan 2019")
    month = output.text[5:7]
    edits, rows = dates.counterfactual(output, unit="word", token=month), dates.training_rows(output, token=month)
    assert edits.part == rows.part == month
    with pytest.raises(DataError, match="not in the output"):
        explained.sentence("x")


# What others give ---------------------------------------------------------------------------------------------------


def test_functions_of_ones_own_must_give_finite_numbers_with_gradients(words: TextGenerator) -> None:
    def in_place(logs: Tensor, ids: Tensor) -> Tensor:
        return logs.mul_(2)[..., 0]

    assert np.isfinite(words.explain(SOURCE, score=in_place, method="ig").values).all()
    rows = [
        (lambda logs, ids: logs[..., 0] * float("nan"), "shap", "NaN or infinity"),
        (lambda logs, ids: logs[..., 0] * float("inf"), "ig", "NaN or infinity"),
        (lambda logs, ids: logs[..., 0] * 1j, "shap", "shape of the ids"),
        (lambda logs, ids: logs.detach()[..., 0], "ig", "without gradient"),
        (lambda logs, ids: ids, "input-x-gradient", "without gradient"),
    ]
    for function, method, message in rows:
        with pytest.raises(OptionError, match=message):
            words.explain(SOURCE, score=function, method=method)
    constant = words.explain(SOURCE, score=lambda logs, ids: ids, method="shap")
    assert "does not depend on the source" in constant.sentence()
    against = words.explain(SOURCE, target="Katze rot", contrast="Hund rot", score="entropy").sentence()
    assert against.startswith("“Katze rot” has its entropy (less that of “Hund rot”) mostly from ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"background": "the red cat", "missing": "sample"}, "not a single text"),
        ({"background": 5, "missing": "sample"}, "list of texts"),
        ({"background": ["red", None], "missing": "sample"}, "list of texts"),
        ({"spans": [(0, 1)]}, "each of them text"),
        ({"spans": "red|dog|red"}, "outside the other spans"),
        ({"spans": "green dog|dog"}, "outside the other spans"),
    ],
)
def test_what_is_no_text_is_refused(words: TextGenerator, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        words.explain("the red green dog", **options)


def test_spans_are_found_in_any_order(words: TextGenerator) -> None:
    units = words.explain("the red cat and red dog", spans="cat|red|red", target=TARGET, faithfulness=False).input_units
    assert units == ("the", "red", "cat", "and", "red", "dog")


def test_explanations_of_different_outputs_are_not_compared(words: TextGenerator) -> None:
    one, other = words.explain(SOURCE, faithfulness=False), words.explain("red cat", faithfulness=False)
    with pytest.raises(OptionError, match="different outputs or units"):
        Explanations({"shap": one, "occlusion": other})
    with pytest.raises(OptionError, match="limit must be a whole number of at least 1"):
        words.explain_data([(SOURCE, TARGET)], limit=0)
    with pytest.raises(DataError, match="An alignment reads like"):
        words.explain_data([(SOURCE, TARGET)], gold=[3])


def test_noise_is_pale_in_pages(dates: TextGenerator) -> None:
    html = dates.explain("3 Jan 2019, 4 May 2001", budget=60, faithfulness=False)._repr_mimebundle_()["text/html"]
    assert ", within noise'" in html
