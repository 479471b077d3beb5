"""From text to a trained, saved, reloaded generator, through every combination of network parts."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from nbtextgen import Pairs, TextGenerator, evaluate_seeds
from nbtextgen.core.errors import DataError, ModelFileError, NbTextGenError, OptionError
from tests.test_golden import make

WORDS = ["".join(letters) for letters in itertools.product("abcd", repeat=3)]
REVERSED = Pairs(WORDS, [word[::-1] for word in WORDS])
SMALL = {"hidden_size": 16, "embedding_size": 8, "dropout": 0.0, "batch_size": 16, "samples": 0}


@pytest.fixture(scope="module")
def trained() -> TextGenerator:
    return TextGenerator(hidden_size=64, embedding_size=32, dropout=0.0, epochs=60, learning_rate=0.01, seed=3).fit(
        REVERSED, callbacks=[]
    )


def test_it_learns_to_reverse_unseen_words(trained: TextGenerator) -> None:
    _, held = REVERSED.split(0.1, 3, 2000)
    assert trained.evaluate(held)["exact"].value >= 80


def test_beam_one_is_greedy_and_wider_beams_never_score_worse(trained: TextGenerator) -> None:
    for word in WORDS[:20]:
        greedy = trained.generate(word, length_penalty=0.0)
        wide = trained.generate(word, beam=8, n_best=3, length_penalty=0.0)
        assert wide.score >= greedy.score - 1e-4
        assert [one.score for one in wide.candidates] == sorted((one.score for one in wide.candidates), reverse=True)
        assert len({one.text for one in wide.candidates}) == 3


def test_log_probabilities_agree_with_teacher_forcing(trained: TextGenerator) -> None:
    found = trained.generate(WORDS, beam=3)
    network, predictor = trained.predictor.networks[0], trained.predictor
    for one in found[:10]:
        source = torch.tensor([predictor.source.encode(one.source).ids], device=predictor.device)
        target = torch.tensor([[2, *predictor.target.encode(one.text).ids, 3]], device=predictor.device)
        forced = network.log_probabilities(source, target)[0].detach().cpu().numpy()
        np.testing.assert_allclose(one.log_probabilities, forced, atol=1e-4)


def test_batch_gives_what_one_at_a_time_gives(trained: TextGenerator) -> None:
    words = ["a", "dcba", "abcabcabc", "bb"]
    together = trained.generate(words, beam=4)
    for word, one in zip(words, together, strict=True):
        alone = trained.generate(word, beam=4)
        assert alone.text == one.text
        np.testing.assert_allclose(alone.score, one.score, atol=1e-4)


def test_attention_rows_sum_to_one(trained: TextGenerator) -> None:
    one = trained.generate("abc")
    assert one.attention is not None
    assert one.attention.shape == (len(one.tokens), len(one.input_tokens))
    np.testing.assert_allclose(one.attention.sum(1), 1.0, atol=1e-5)


def test_sampling_repeats_with_a_seed_whatever_else_is_in_the_batch(trained: TextGenerator) -> None:
    settings = {"sample": True, "temperature": 2.0, "seed": 5, "n_best": 2}
    alone = trained.generate("abc", **settings)
    mixed = trained.generate(["dd", "abc", "cab"], **settings)[1]
    assert [one.text for one in alone.candidates] == [one.text for one in mixed.candidates]


def test_constraints_hold(trained: TextGenerator) -> None:
    assert trained.generate("abc", beam=3, prefix="dd").text.startswith("dd")
    assert "c" not in trained.generate("abc", forbid=("c",)).text
    written = trained.generate("abc", beam=2, min_length=4).text
    assert written[:2] not in trained.generate("abc", beam=2, min_length=4, forbid=(written[:2],)).text
    assert len(trained.generate("abc", min_length=7).tokens) >= 7
    assert len(trained.generate("abcd", max_length=2).tokens) <= 2
    text = trained.generate("aaaa", min_length=8, no_repeat_ngram=2).text
    grams = [text[at : at + 2] for at in range(len(text) - 1)]
    assert len(grams) == len(set(grams))


def test_stream_joins_to_the_greedy_text(trained: TextGenerator) -> None:
    assert "".join(trained.stream("abca")) == trained.generate("abca").text


def test_save_and_load_give_the_same_outputs(trained: TextGenerator, tmp_path) -> None:
    folder = trained.save(tmp_path / "model")
    again = TextGenerator.load(trained.save(folder))
    assert [one.text for one in again.generate(WORDS)] == [one.text for one in trained.generate(WORDS)]
    assert math.isclose(again.perplexity(REVERSED), trained.perplexity(REVERSED), rel_tol=1e-6)
    weights = next(folder.glob("*.safetensors"))
    raw = bytearray(weights.read_bytes())
    raw[-5] ^= 1
    weights.write_bytes(raw)
    with pytest.raises(ModelFileError, match="checksum"):
        TextGenerator.load(folder)


def test_saving_never_replaces_what_is_not_a_model(trained: TextGenerator, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(ModelFileError, match="not a saved model"):
        trained.save(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "precious"


@pytest.mark.parametrize("options", make.covering(), ids=lambda options: "-".join(map(str, options.values())))
def test_every_network_trains_decodes_and_saves(options, tmp_path) -> None:
    """Every allowed pair of values of the network's options is in one of these networks."""
    deep = {name: 3 for name in ("encoder_layers", "decoder_layers") if options[name] == 2}
    pairs = make.pairs("" if options["tokens"] == "char" else " ")
    model = TextGenerator(**SMALL, **options | deep, max_steps=3, teacher_forcing=0.5).fit(pairs, callbacks=[])
    sources = pairs.sources[:3]
    found = model.generate(sources, beam=2, max_length=6)
    again = TextGenerator.load(model.save(tmp_path / "m")).generate(sources, beam=2, max_length=6)
    assert [one.text for one in found] == [one.text for one in again]


def test_same_seed_gives_the_same_weights_to_the_bit() -> None:
    runs = [TextGenerator(**SMALL, epochs=2, seed=7).fit(REVERSED, callbacks=[]) for _ in range(2)]
    first, second = (run.predictor.networks[0].state_dict() for run in runs)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_interrupt_keeps_the_best_model() -> None:
    def interrupt(event: object) -> None:
        if type(event).__name__ == "Validation" and event.epoch == 2:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    model = TextGenerator(**SMALL, epochs=50).fit(REVERSED, callbacks=[interrupt])
    assert model.generate("abc").tokens is not None


def test_clone_and_grid_search_work() -> None:
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV

    model = TextGenerator(**SMALL, epochs=1)
    assert clone(model).get_params() == model.get_params()
    search = GridSearchCV(model, {"learning_rate": [0.001, 0.01]}, cv=2)
    search.fit(REVERSED.sources, REVERSED.targets)
    assert 0.0 <= search.best_score_ <= 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hiden_size": 3}, "Did you mean 'hidden_size'"),
        ({"rnn_type": "lstm"}, "Did you mean 'cell'"),
        ({"lr": 0.1}, "Did you mean 'learning_rate'"),
        ({"attention": "bahdanau"}, "Did you mean 'additive'"),
        ({"attention": "Luong"}, "Did you mean 'general'"),
        ({"tokens": "subword"}, "Did you mean 'bpe'"),
        ({"temperature": 0.5}, r"no option 'temperature'. It is an option of generate\(\)\."),
        ({"num_beams": 5}, r"no option 'num_beams'. beam is an option of generate\(\)\."),
        ({"budget": 50}, r"It is an option of explain\(\)\."),
        (
            {"start": "folder"},
            r"TextGenerator has no option 'start'. It is an option of fit\(\): fit\(\.\.\., start=\.\.\.\)\.",
        ),
        ({"keep_sources": 5}, r"It is an option of save\(\)\."),
        ({"hidden_size": -3}, "hidden_size must be .*got -3"),
        ({"cell": "lsmt"}, "Did you mean 'lstm'"),
    ],
)
def test_bad_options_are_named(options, message) -> None:
    with pytest.raises(OptionError, match=message):
        TextGenerator(**options)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (
            {"epochs": 2},
            r"fit\(\) has no option 'epochs'. It is a setting of the constructor: TextGenerator\(epochs=\.\.\.\)\.",
        ),
        ({"num_train_epochs": 2}, r"epochs is a setting of the constructor: TextGenerator\(epochs=\.\.\.\)\."),
        ({"max_minute": 1}, "Did you mean 'max_minutes'"),
        ({"callback": []}, "Did you mean 'callbacks'"),
        ({"validation_data": []}, "Did you mean 'valid'"),
        ({"beam": 4}, r"It is an option of generate\(\)\."),
    ],
)
def test_a_keyword_that_fit_does_not_have_is_told_where_it_belongs(keywords, message) -> None:
    with pytest.raises(OptionError, match=message):
        TextGenerator().fit(REVERSED, **keywords)


def test_an_option_that_a_method_does_not_have_is_told_where_it_belongs(trained: TextGenerator) -> None:
    calls = {
        r"generate\(\) has no option 'epochs'. It is a setting of the constructor": lambda: trained.generate(
            "a", epochs=2
        ),
        r"generate\(\) has no option 'method'. It is an option of explain\(\)": lambda: trained.generate(
            "a", method="shap"
        ),
        r"generate\(\) has no option 'beams'. Did you mean 'beam'": lambda: trained.generate("a", beams=2),
        r"explain\(\) has no option 'beam'. It is an option of generate\(\)": lambda: trained.explain("a", beam=2),
        r"evaluate\(\) has no option 'lr'. learning_rate is a setting": lambda: trained.evaluate(REVERSED, lr=2),
        r"errors\(\) has no option 'epochs'": lambda: trained.errors(REVERSED, epochs=2),
        r"predict\(\) has no option 'beam'. It is an option of generate\(\)": lambda: trained.predict(["a"], beam=2),
    }
    for message, call in calls.items():
        with pytest.raises(OptionError, match=message):
            call()


def test_too_many_values_are_told_their_names() -> None:
    with pytest.raises(
        OptionError, match=r"fit\(\) takes data and targets alone by place; .*: valid=.*, source=.*, target="
    ):
        TextGenerator().fit("pairs.tsv", "en", "fr")  # type: ignore[call-arg]
    with pytest.raises(OptionError, match=r"TextGenerator\(\), not the class TextGenerator"):
        evaluate_seeds(TextGenerator, REVERSED, REVERSED)  # type: ignore[arg-type]


def test_a_choice_is_known_in_capitals_too() -> None:
    assert TextGenerator(cell="LSTM").get_params()["cell"] == "lstm"  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([("a", "b")], "only one pair"),
        ([("a", "b"), ("a", "b")], "identical"),
        ([("a", ""), ("b", "c")], "row 1: target is empty"),
        ([("a", "b"), ("a", float("nan"))], "row 2: target is missing"),
        ([("a", "b"), ("a", 3)], "row 2: target is int"),
        ({"en": ["a"]}, "1 column"),
        ({"en": ["a"], "fr": ["b"], "de": ["c"]}, "source=NAME"),
        ("nowhere.tsv", "no file"),
        ([], "no pairs"),
        (3, "int"),
    ],
)
def test_bad_data_is_named(data, message) -> None:
    with pytest.raises(DataError, match=message):
        TextGenerator(**SMALL).fit(data, callbacks=[])


def test_one_of_several_columns_is_chosen_by_name_or_number(trained: TextGenerator, tmp_path: Path) -> None:
    frame = {"name": ["x", "y"], "text": ["abc", "cba"]}
    expected = trained.predict(["abc", "cba"])
    for column in ("text", 2):
        assert [generation.text for generation in trained.generate(frame, source=column)] == expected
    with pytest.raises(DataError, match="choose a column with source=NAME"):
        trained.generate(frame)
    (tmp_path / "rows.csv").write_text("abc;cba;x\nbca;acb;y\ncab;bac;z\n")
    with pytest.raises(
        DataError, match=r"columns 1 \(abc\), 2 \(cba\), 3 \(x\); choose a column by number, with source=1"
    ):
        trained.generate_file(tmp_path / "rows.csv")
    assert trained.generate(["abc", "cba"]).texts == expected


def test_errors_before_fit_and_for_empty_sources(trained: TextGenerator) -> None:
    with pytest.raises(NbTextGenError, match="not trained"):
        TextGenerator().generate("a")
    with pytest.raises(DataError, match="The source is empty"):
        trained.generate(" ")


def test_errors_lists_what_came_out_wrong_with_the_worst_first(trained: TextGenerator) -> None:
    pairs = [("abc", "abc"), ("cab", "zzzzzz"), ("cab", "zzzzzzz")]
    found = trained.errors(pairs, group_sources=True)
    assert [row["source"] for row in found][0] == "cab"
    assert len(found) == len({row["source"] for row in found})
    assert list(found.frame()["rate"]) == sorted((row["rate"] for row in found), reverse=True)
