"""Explanations of real models: every method, every unit, and the inputs that break such things."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from nbtextgen import Pairs, TextGenerator, builtin
from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.explanation.config import METHODS, ExplanationConfig
from nbtextgen.explanation.counterfactual import Edit, counterfactual
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.explanation.subject import END
from nbtextgen.explanation.units import cut
from tests.explanation.conftest import SMALL

TEXT = "3 Jan 2019"


def explainer(model: TextGenerator, text: str = TEXT, **options) -> Explainer:
    return Explainer(model.predictor, text, ExplanationConfig(**options))


@pytest.mark.parametrize("missing", ["mask", "delete", "sample"])
def test_shap_adds_up_for_every_output_token(dates: TextGenerator, missing: str) -> None:
    found = dates.explain(TEXT, missing=missing)
    np.testing.assert_allclose(found.values.sum(1), found.log_probabilities - found.base_values, atol=1e-4)
    assert found.values.shape == (len(found.output_tokens), len(found.input_units)) == (len(found.text) + 1, 10)
    assert found.output_tokens[-1] == END


def test_owen_values_over_characters_words_and_phrases_add_up(dates: TextGenerator) -> None:
    found = dates.explain("Sunday, 3 January 2019", algorithm="partition", unit="char", budget=300)
    assert found.algorithm == "Owen values over words and phrases" and found.evaluations <= 400
    np.testing.assert_allclose(found.values.sum(1), found.log_probabilities - found.base_values, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_one_matrix_with_places_in_the_text(words: TextGenerator, method: str) -> None:
    source = "the  red cat is here"
    found = words.explain(source, method=method)
    assert found.values.shape == (len(found.output_tokens), len(found.input_units))
    assert len(found.base_values) == len(found.log_probabilities) == len(found.output_tokens)
    assert [found.text[slice(*span)] for span in found.output_offsets] == ["Katze", "rot", ""]
    if method != "context":
        assert [source[slice(*span)] for span in found.input_offsets] == list(found.input_units)
    np.testing.assert_allclose(found.log_probabilities, words.generate(source).log_probabilities, atol=1e-4)


@pytest.mark.parametrize("method", ["shap", "lime", "occlusion", "integrated-gradients"])
def test_the_known_cause_of_each_word_is_found(words: TextGenerator, method: str) -> None:
    found = words.explain("the green dog is here", method=method, target="Hund gruen")
    names = np.array(found.input_units)[found.values.argmax(1)]
    assert list(names[:2]) == ["dog", "green"]


def test_attention_rows_sum_to_one_over_whole_words(dates: TextGenerator) -> None:
    found = dates.explain(TEXT, method="attention", unit="word")
    assert found.input_units == ("3", "Jan", "2019")
    np.testing.assert_allclose(found.values.sum(1), 1.0, atol=1e-5)


def test_attention_is_what_decoding_reported(dates: TextGenerator) -> None:
    written = dates.generate(TEXT)
    found = dates.explain(written, method="attention")
    np.testing.assert_allclose(found.values[:-1], written.attention, atol=1e-4)


def test_heads_are_shown_where_there_are_several() -> None:
    pairs = [("ab", "ba"), ("bc", "cb"), ("ca", "ac")]
    model = TextGenerator(**SMALL, epochs=1, attention="multihead", heads=4, input_feeding=True).fit(
        pairs, callbacks=[]
    )
    found = model.explain("abc", method="attention")
    assert found.heads is not None and found.heads.shape == (4, *found.values.shape)
    np.testing.assert_allclose(found.heads.mean(0), found.values)
    third = found.head(3)
    np.testing.assert_allclose(third.values, found.heads[2])
    assert third.frame().shape == found.values.shape and third.figure() is not None
    page = found.html()
    assert "head 3 of 4" in page and page.count("<table>") == 5
    with pytest.raises(OptionError, match="heads 1 to 4"):
        found.head(5)
    with pytest.raises(OptionError, match="only multi-head"):
        third.head(1)


def test_integrated_gradients_equal_captum(dates: TextGenerator) -> None:
    from captum.attr import IntegratedGradients

    from nbtextgen.explanation.gradients import _scores
    from nbtextgen.tokenizers.base import MASK

    asked = explainer(dates, missing="mask", steps=20)
    network, ids = dates.predictor.networks[0], torch.from_numpy(asked.subject.ids).to(dates.predictor.device)
    whole = network.source_embedding(ids)[None].detach()
    none = network.source_embedding(torch.full_like(ids, MASK))[None].detach()
    ours = asked.explain("integrated-gradients")
    assert ours.convergence_delta is not None
    captum = IntegratedGradients(lambda places, at: _scores([network], [places], None, asked.subject.output)[:, at])
    for at in (0, 4, 9):
        with torch.backends.cudnn.flags(enabled=False):  # which gives no gradients outside training
            theirs = captum.attribute(whole, none, n_steps=20, additional_forward_args=at)
        np.testing.assert_allclose(ours.values[at], theirs.sum(-1)[0].cpu().numpy(), atol=1e-4)


def test_convergence_delta_shrinks_with_more_steps(dates: TextGenerator) -> None:
    deltas = [
        np.abs(dates.explain(TEXT, method="ig", steps=steps, missing="delete").convergence_delta).max()
        for steps in (2, 64)
    ]
    assert deltas[1] < max(1e-3, deltas[0] / 4)


def test_lime_equals_a_weighted_ridge_of_scikit_learn(words: TextGenerator) -> None:
    from sklearn.linear_model import Ridge

    asked = explainer(words, "the red cat is here", missing="mask")
    found = asked.explain("lime")
    kept = ((np.arange(1, 32)[:, None] >> np.arange(5)) % 2).astype(bool)
    weights = np.sqrt(np.exp(-(((1 - np.sqrt(kept.mean(1))) / 0.25) ** 2)))
    scores = asked.value(kept)
    fitted = Ridge(alpha=1e-3).fit(kept.astype(float), scores, sample_weight=weights)
    np.testing.assert_allclose(found.values, fitted.coef_, atol=1e-6)
    np.testing.assert_allclose(found.base_values, fitted.intercept_, atol=1e-6)
    fits = [Ridge(alpha=1e-3).fit(kept, one, weights).score(kept, one, weights) for one in scores.T]
    assert found.r_squared is not None
    np.testing.assert_allclose(found.r_squared, fits, atol=1e-6)


def test_occlusion_is_what_leaving_one_out_changes(words: TextGenerator) -> None:
    asked = explainer(words, "the red cat", missing="delete")
    found = asked.explain("occlusion")
    fresh = explainer(words, "red cat", target=found.text)
    alone = fresh.value(np.ones((1, 2), bool))[0]
    np.testing.assert_allclose(found.values[:, 0], found.log_probabilities - alone, atol=1e-5)


def test_contrast_explains_the_difference(words: TextGenerator) -> None:
    for method in METHODS:
        found = words.explain("the green dog is here", method=method, contrast="Hund rot", target="Hund gruen")
        assert found.contrast == "Hund rot"
        if method in ("shap", "integrated-gradients"):
            assert found.input_units[found.values[1].argmax()] == "green"
            np.testing.assert_allclose(found.values[0], 0.0, atol=1e-5)  # the beginning is the same
    one, other = (
        explainer(words, "the green dog is here", target=text).value(np.ones((1, 5), bool)).sum()
        for text in ("Hund gruen", "Hund rot")
    )
    np.testing.assert_allclose(found.log_probabilities.sum(), one - other, atol=1e-5)


@pytest.mark.parametrize("contrast", ["Hund", "der Hund gruen da", "gruen", "Auto schwarz blau rot"])
def test_contrasts_of_any_length_add_up(words: TextGenerator, contrast: str) -> None:
    found = words.explain("the green dog is here", contrast=contrast)
    assert np.isfinite(found.values).all()
    np.testing.assert_allclose(found.values.sum(), (found.log_probabilities - found.base_values).sum(), atol=1e-4)


def test_context_splits_the_score_between_source_and_what_was_written(dates: TextGenerator) -> None:
    found = dates.explain(TEXT, method="context")
    np.testing.assert_allclose(found.values.sum(1), found.log_probabilities - found.base_values, atol=1e-5)
    assert found.values[0, 1] == pytest.approx(0.0, abs=1e-6)  # nothing was written before the first token


def test_parts_of_given_outputs_that_the_model_does_not_know_are_named(dates: TextGenerator) -> None:
    note = "unknown to this model and scored as one and the same token: 日, 月"
    explanation = dates.explain("3 Jan 2019", target="2019日1月", contrast="2019月", unit="word")
    assert any(f"Parts of the target are {note}" in sentence for sentence in explanation.source_notes)
    assert f"Parts of the target are {note}" in repr(explanation)
    assert any(sentence.startswith("Parts of the contrast are") for sentence in explanation.source_notes)
    assert dates.explain("3 Jan 2019", contrast="runner-up", unit="word").source_notes == ()


def test_a_bar_may_be_part_of_a_span(dates: TextGenerator) -> None:
    assert dates.explain("3|Jan 2019", spans=["3|Jan", "2019"]).input_units == ("3|Jan", "2019")
    assert dates.explain("3|Jan 2019", spans=r"3\|Jan|2019").input_units == ("3|Jan", "2019")
    with pytest.raises(OptionError, match="spans has an empty part"):
        dates.explain("3 Jan 2019", spans=["3", ""])


def test_units_of_ones_own(dates: TextGenerator) -> None:
    found = dates.explain("3 Jan 2019", spans="Jan|20")
    assert found.input_units == ("3", "Jan", "20", "19")
    assert dates.explain("3 Jan 2019", spans=["20"]).input_units == ("3 Jan", "20", "19")
    with pytest.raises(OptionError, match="is not in the text"):
        dates.explain("3 Jan 2019", spans="Feb")


def test_units_finer_than_tokens_are_cut_out_of_the_text(words: TextGenerator) -> None:
    found = words.explain("red cat", unit="char", method="shap")
    assert found.input_units == tuple("redcat")
    np.testing.assert_allclose(found.values.sum(1), found.log_probabilities - found.base_values, atol=1e-4)
    with pytest.raises(OptionError, match="finer than this model's tokens"):
        words.explain("red cat", unit="char", method="attention")


def test_unknown_words_are_explained_like_others(words: TextGenerator) -> None:
    found = words.explain("the purple ☃ cat")
    assert found.input_units == ("the", "purple", "☃", "cat")
    assert np.isfinite(found.values).all()


def test_repeated_words_are_units_of_their_own(words: TextGenerator) -> None:
    found = words.explain("red red red cat")
    assert found.input_units == ("red", "red", "red", "cat")
    assert found.input_offsets[:3] == ((0, 3), (4, 7), (8, 11))
    assert list(found.frame().columns) == ["red", "red (2)", "red (3)", "cat"]


def test_a_single_unit_gets_everything(words: TextGenerator) -> None:
    for options in ({}, {"algorithm": "permutation"}, {"algorithm": "partition"}, {"method": "lime"}):
        found = words.explain("cat", **options)
        assert found.values.shape[1] == 1 and np.isfinite(found.values).all()


def test_long_inputs_stay_within_the_budget(words: TextGenerator) -> None:
    text = " ".join(["the red cat is here"] * 30)
    asked = explainer(words, text, budget=400, unit="token", missing="mask", faithfulness=False, target="Katze rot")
    found = asked.explain("shap")
    assert found.values.shape == (3, 150) and found.evaluations <= 2 * 2 * 149 + 2
    assert found.standard_errors is not None
    np.testing.assert_allclose(found.values.sum(1), found.log_probabilities - found.base_values, atol=1e-4)


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_input_is_refused_in_one_sentence(words: TextGenerator, text: str) -> None:
    with pytest.raises(DataError, match="empty"):
        words.explain(text)


def test_mistakes_are_named(words: TextGenerator) -> None:
    with pytest.raises(OptionError, match="Did you mean 'shap'"):
        words.explain("red cat", method="shapp")
    with pytest.raises(OptionError, match="Did you mean 'unit'"):
        words.explain("red cat", units="word")
    with pytest.raises(DataError, match="target is empty"):
        words.explain("red cat", target=" ")
    with pytest.raises(OptionError, match="background"):
        words.explain("red cat", missing="sample", background=[])
    fixed = TextGenerator(**SMALL, epochs=1, attention="none").fit([("ab", "b"), ("ba", "a")], callbacks=[])
    with pytest.raises(OptionError, match="no attention"):
        fixed.explain("ab", method="attention")


@pytest.fixture(scope="module")
def copying() -> TextGenerator:
    """Repeats the word beside "say" and "now", which may be missing; words outside the vocabulary can only be copied.

    The vocabulary holds ten words that are frequent, so that a masked word is rarely an unknown one.
    """
    frequent = [first + second for first in "bdgkm" for second in "ao"]
    rare = [first + second + "x" for first in "bdfgklmn" for second in "aeo"]
    pairs = [
        (f"{before} {word} {after}".split(), word)
        for word in [*frequent * 18, *rare]
        for before, after in (("say", "now"), ("say", ""), ("", "now"), ("", ""))
    ]
    pairs += [(source.split(), "nothing") for source in ("say now", "say", "now")] * 20
    options = {**SMALL, "tokens": "word", "copy": True, "minimum_frequency": 10, "batch_size": 16, "epochs": 5}
    return TextGenerator(**options, learning_rate=0.01, source_masking=0.2, valid_fraction=0.0).fit(
        Pairs([" ".join(source) for source, _ in pairs], [target for _, target in pairs]), callbacks=[]
    )


@pytest.mark.parametrize("missing", ["mask", "delete", "sample"])
def test_copied_words_are_explained_and_do_not_leak_when_they_are_missing(copying: TextGenerator, missing: str) -> None:
    found = copying.explain("say zebra now", target="zebra", missing=missing, background=["say ba now", "say do now"])
    assert found.input_units[found.values[0].argmax()] == "zebra"
    config = ExplanationConfig(target="zebra", missing=missing)
    asked = Explainer(copying.predictor, "say zebra now", config, background=["say ba now", "say do now"])
    hidden = asked.value(np.array([[True, False, True]]))[0, 0]
    assert hidden < found.log_probabilities[0] - 1
    assert np.isfinite(copying.explain("say zebra now", unit="char").values).all()


def test_integrated_gradients_count_what_is_copied(copying: TextGenerator) -> None:
    """The baseline cannot copy the word either, so that the values add up to what the whole source brings."""
    asked = explainer(copying, "say b now", target="b", missing="mask", steps=64)
    found = asked.explain("integrated-gradients")
    assert found.convergence_delta is not None and np.abs(found.convergence_delta).max() < 0.05
    np.testing.assert_allclose(found.base_values, asked.value(np.zeros((1, 3), bool))[0], atol=1e-4)


def test_a_masked_word_cannot_be_copied(copying: TextGenerator) -> None:
    source = "say zebra now"
    units = cut(source, copying.predictor.source.encode(source), copying.predictor.source, "word")
    assert copying.generate(source).text == "zebra"
    found = counterfactual(copying.predictor, source, units, {1: Edit("mask")}, "zebra")
    assert "zebra" not in found.generation.text


def test_an_ensemble_is_explained_as_one_model() -> None:
    pairs = [("ab", "ba"), ("bc", "cb"), ("ca", "ac")]
    model = TextGenerator(**SMALL, epochs=2, ensemble=2).fit(pairs, callbacks=[])
    for method in METHODS:
        found = model.explain("abc", method=method)
        np.testing.assert_allclose(found.log_probabilities, model.generate("abc").log_probabilities, atol=1e-4)
    assert np.abs(model.explain("abc", method="ig", steps=64).convergence_delta).max() < 1e-2


def test_sampling_needs_no_saved_training_text(dates: TextGenerator, tmp_path) -> None:
    again = TextGenerator.load(dates.save(tmp_path / "m"))
    with pytest.raises(OptionError, match="keep_sources"):
        again.explain(TEXT, missing="sample")
    with pytest.raises(DataError, match="loaded from a folder without them"):
        again.save(tmp_path / "more", keep_sources=5)
    found = again.explain(TEXT, missing="sample", background=["4 May 1999", "1 June 2001"], donors=2)
    np.testing.assert_allclose(found.values.sum(1), found.log_probabilities - found.base_values, atol=1e-4)


def test_a_folder_keeps_training_sources_when_asked_to(dates: TextGenerator, tmp_path) -> None:
    folder = dates.save(tmp_path / "m", keep_sources=20)
    kept = json.loads((folder / "training_sources.json").read_text())["sources"]
    assert len(kept) == 20 and set(kept) <= set(builtin("dates", 600).sources)
    again = TextGenerator.load(folder)
    found = again.explain(TEXT, missing="sample", donors=20)
    np.testing.assert_allclose(found.values.sum(1), found.log_probabilities - found.base_values, atol=1e-4)
    assert not (again.save(tmp_path / "m") / "training_sources.json").exists()  # kept only where it is asked for
    assert again.save(tmp_path / "n", keep_sources=3).exists()


def test_several_methods_come_together(dates: TextGenerator) -> None:
    found = dates.explain(TEXT, method="shap,attention", unit="word")
    assert list(found) == ["shap", "attention"]
    assert "ttention" in found.sentence()
    assert found["shap"].evaluations == 8


def test_it_shows_as_text_as_html_as_a_frame_and_as_shap(dates: TextGenerator, tmp_path) -> None:
    found = dates.explain("3 <b>Jan</b> 2019", unit="word", target="<i>2019</i>")
    bundle = found._repr_mimebundle_()
    assert "<b>" not in bundle["text/html"] and "<i>" not in bundle["text/html"]
    assert "2019" in bundle["text/plain"]
    page = found.save(tmp_path / "why.html").read_text()
    assert "<b>" not in page and "http" not in page
    converted = found.shap()
    assert converted.shape == found.values.T.shape
    first = converted[:, 0]
    np.testing.assert_allclose(first.values.sum() + first.base_values, found.log_probabilities[0], atol=1e-4)
    assert found.frame().shape == found.values.shape
    found.figure().savefig(tmp_path / "why.png")
    assert (tmp_path / "why.png").stat().st_size > 1000


def test_shap_plots_work(dates: TextGenerator) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import shap

    converted = dates.explain(TEXT, unit="word").shap()
    assert "svg" in shap.plots.text(converted, display=False)
    assert "svg" in shap.plots.text(converted[:, 0], display=False)
    shap.plots.bar(converted[:, 0], show=False)
    shap.plots.waterfall(converted[:, 0], show=False)
    matplotlib.pyplot.close("all")


def test_a_pickled_explanation_shows_itself_in_a_fresh_process(words: TextGenerator, tmp_path) -> None:
    explanation = words.explain("the red cat is here", method="occlusion")
    (tmp_path / "explanation.pickle").write_bytes(pickle.dumps(explanation))
    code = f"import pickle; print(pickle.load(open({str(tmp_path / 'explanation.pickle')!r}, 'rb')))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.rstrip("\n") == repr(explanation)
