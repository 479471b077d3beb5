"""A trained model is measured against its targets as it read them, and compared with another one."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbtextgen import OnnxGenerator, TextGenerator, compare
from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.training.events import Validation

LETTERS = "abcdefgh"
PAIRS = [(first + second, second + first) for first in LETTERS for second in LETTERS]
FAST: dict[str, Any] = {
    "tokens": "char",
    "hidden_size": 48,
    "epochs": 12,
    "learning_rate": 0.01,
    "seed": 1,
    "device": "cpu",
    "threads": 1,
    "dropout": 0.0,
}


def train(pairs: list[tuple[str, str]], **options: Any) -> TextGenerator:
    return TextGenerator(**{**FAST, **options}).fit(pairs, valid=pairs[:10], callbacks=[])


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ({"target_lowercase": True}, str.upper),
        ({"target_normalization": "nfc"}, lambda text: unicodedata.normalize("NFD", text.replace("a", "á"))),
        ({"target_normalization": "nfd"}, lambda text: text.replace("a", "á")),
        ({"clean": "whitespace"}, lambda text: f"{text[0]}   {text[1]}"),
        ({"target_tokens": "symbol"}, lambda text: f"{text[0]}  {text[1]}"),
    ],
)
def test_references_are_read_as_the_targets_were(options: dict[str, Any], change: Any) -> None:
    pairs = [(source, change(target)) for source, target in PAIRS]
    model = train(pairs, select_by="exact", **options)
    exact = model.evaluate(pairs)["exact"].value
    assert exact >= 20  # before, references in another form gave exactly 0
    assert len(model.errors(pairs, limit=100)) == round(len(pairs) * (100 - exact) / 100)
    assert model.score(pairs) == exact / 100
    assert model.perplexity(pairs) < 5
    validations = [event for event in model.history if isinstance(event, Validation)]
    assert max(event.metric for event in validations) > 0


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    return train(PAIRS)


def test_evaluate_names_the_worst_and_whether_the_data_was_trained_on(model: TextGenerator) -> None:
    scores = model.evaluate([*PAIRS[20:28], ("zz", "zz")])
    assert scores.notes == [
        "8 of 9 sources were in the training data.",
        "1 of 9 sources holds what is unknown to this model: z",
    ]
    assert scores.worst[0]["source"] == "zz"
    assert "so the scores say what the model remembers" in repr(model.evaluate(PAIRS[20:23]))


def test_evaluated_sources_are_known_as_seen_and_unknown(model: TextGenerator) -> None:
    outputs = model.evaluate([*PAIRS[20:24], ("zz", "zz")]).evaluated
    assert outputs is not None and outputs.seen is not None and outputs.unknown is not None and outputs.by_characters
    assert outputs.seen.tolist() == [True] * 4 + [False] and outputs.unknown.tolist() == [False] * 4 + [True]


def test_evaluate_claims_nothing_about_data_that_is_not_in_memory(tmp_path: Path) -> None:
    file = tmp_path / "pairs.tsv"
    file.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS * 3))
    model = TextGenerator(**{**FAST, "epochs": 1}, store=tmp_path / "store").fit(file, callbacks=[])
    assert model.evaluate(PAIRS[:5]).notes == []


def test_an_unknown_metric_is_refused_before_anything_is_generated(
    model: TextGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TextGenerator, "generate", lambda *_, **__: pytest.fail("generated"))
    with pytest.raises(OptionError, match="Did you mean 'bleu'"):
        model.evaluate(PAIRS, metrics=["blue"])
    with pytest.raises(OptionError, match="Did you mean 'chrf'"):
        compare(model, model, PAIRS, metrics=["chrff"])
    with pytest.raises(OptionError, match="name at least one"):
        model.evaluate(PAIRS, metrics=[])


def test_two_models_are_compared(model: TextGenerator) -> None:
    weak = train(PAIRS, epochs=1)
    told = list[tuple[int, int]]()
    comparison = compare(
        weak, model, PAIRS, names=("weak", "strong"), on_progress=lambda done, count: told.append((done, count))
    )
    assert told[-1] == (2 * len(PAIRS), 2 * len(PAIRS)) and told == sorted(told) and told[0][0] < len(PAIRS)
    assert comparison["exact"].difference > 50 and comparison["exact"].p_bootstrap < 0.05
    assert "exact: strong is better (p < 0.05 in both tests)." in repr(comparison)
    outputs = [target for _, target in PAIRS]
    assert compare(model, outputs, PAIRS, metrics="exact")["exact"].second == 100


def test_outputs_of_every_form_are_compared(model: TextGenerator, tmp_path: Path) -> None:
    sources, targets = map(list, zip(*PAIRS[:12], strict=True))
    exported = OnnxGenerator.load(model.export("onnx", tmp_path / "x"))
    table = model.generate_file(sources, on_progress=lambda *_: None)
    for other in (exported, model.generate(sources), table, model.predict(sources), np.array(model.predict(sources))):
        assert not compare(model, other, PAIRS[:12], metrics="exact").changes
    assert compare(model, model, PAIRS[:2], names=("m", "m")).names == ("m (1)", "m (2)")
    for other, message in (
        (targets[:11], "There are 11 outputs but 12 sources"),
        (3, "not int"),
        ("runs", "not str"),
        ([*targets[:11], None], "some of these outputs are not texts"),
    ):
        with pytest.raises(DataError, match=message):
            compare(model, other, PAIRS[:12])  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="names must be two texts"):
        compare(model, targets, PAIRS[:12], names="m")  # type: ignore[arg-type]


def test_a_function_selects_the_checkpoint() -> None:
    def same_start(reference: str, output: str) -> float:
        return float(reference[:1] == output[:1])

    model = train(PAIRS, epochs=3, select_by=same_start)
    assert model.get_params()["select_by"] == "own:same_start"
    validation = next(event for event in model.history if isinstance(event, Validation))
    assert 0 <= validation.metric <= 1
    with pytest.raises(OptionError, match=r"call nbtextgen.register_metric\(forgotten\)"):
        train(PAIRS, select_by="own:forgotten")


def test_everything_reads_as_much_of_a_long_source_as_the_search(
    model: TextGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model.predictor, "max_source", 2)
    long, read = [("ab" * 30, "ba"), ("cd", "dc")], [("ab", "ba"), ("cd", "dc")]
    assert model.log_probabilities(long).tolist() == model.log_probabilities(read).tolist()
    assert model.perplexity(long) == model.perplexity(read)
    for explained in (long[0][0], model.generate(long[0][0])):
        explanation = model.explain(explained, method="attention")
        assert explanation.source == "ab" and explanation.values.shape[1] == 2
        assert "60 characters; only the first 2 were read" in repr(explanation)
