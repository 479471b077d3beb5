"""The length penalty of a model: chosen on held-out pairs, kept with the model, and used where a search leaves it open."""

from __future__ import annotations

import pickle
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from nbtextgen import OnnxGenerator, Pairs, TextGenerator
from nbtextgen.core.errors import ModelFileError
from nbtextgen.decoding.config import LENGTH_PENALTY, DecodingConfig
from nbtextgen.export.page.document import describe
from nbtextgen.inference.predictor import Predictor
from nbtextgen.inference.text_codec import OutputLength
from nbtextgen.pipeline import calibration
from nbtextgen.pipeline.length_penalty import PENALTIES, choose_length_penalty

WORDS = {"one": "eins", "two": "zwei", "red": "rot", "blue": "blau", "dog": "Hund", "cat": "Katze", "runs": "rennt"}
OLD = Path(__file__).parents[1] / "data" / "format-1" / "characters"


def sentences(count: int) -> Pairs:
    draw = random.Random(1)
    sources = [" ".join(draw.choices(list(WORDS), k=draw.randint(2, 6))) for _ in range(count)]
    return Pairs(sources, [" ".join(WORDS[word] for word in source.split()) for source in sources])


def trained(**options: object) -> TextGenerator:
    return TextGenerator(
        **{"hidden_size": 16, "embedding_size": 8, "tokens": "bpe", "epochs": 4, "samples": 0, **options}
    )


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short training is worth the choice, too."""
    monkeypatch.setattr(calibration, "EXAMPLES_PER_PAIR", 1)


def stub(right: Sequence[float], asked: list[float]) -> SimpleNamespace:
    """A predictor that writes the references with some length penalties, and half of them with the others."""

    def predict(sources: list[str], config: DecodingConfig) -> list[SimpleNamespace]:
        assert config.beam > 1
        assert config.length_penalty is not None
        asked.append(config.length_penalty)
        nearest = min(abs(config.length_penalty - each) for each in right)
        return [SimpleNamespace(text=" ".join(source.split()[: round(8 - 5 * nearest)])) for source in sources]

    return SimpleNamespace(target=SimpleNamespace(normalize=str), predict=predict)


@pytest.mark.parametrize("right", PENALTIES)
def test_penalty_with_the_best_outputs_is_chosen(right: float) -> None:
    texts, asked = ["a b c d e f g h", "i j k l m n o p"], list[float]()
    assert choose_length_penalty(stub([right], asked), Pairs(texts, texts)) == right  # type: ignore[arg-type]
    assert len(asked) == len(set(asked)), "no penalty is tried twice"


def test_penalty_that_changes_nothing_is_not_searched_for() -> None:
    texts, asked = ["a b c d e f g h"], list[float]()
    assert choose_length_penalty(stub(PENALTIES, asked), Pairs(texts, texts)) == LENGTH_PENALTY  # type: ignore[arg-type]
    assert len(asked) == 3


@pytest.mark.usefixtures("at_once")
def test_training_chooses_it_for_texts_and_leaves_short_outputs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()

    def choose(predictor: Predictor, pairs: Pairs) -> float:
        asked.append(len(pairs))
        return 1.2 if choose_length_penalty(predictor, pairs) in PENALTIES else 0.0

    monkeypatch.setattr(calibration, "choose_length_penalty", choose)
    penalties = [
        trained(tokens=tokens, valid_fraction=0.2).fit(sentences(400), callbacks=[]).predictor.output_length.penalty
        for tokens in ("bpe", "word", "char")
    ]
    assert penalties == [1.2, 1.2, LENGTH_PENALTY]
    assert len(asked) == 2
    assert min(asked) >= 50


@pytest.mark.usefixtures("at_once")
def test_run_keeps_it_and_further_training_begins_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "choose_length_penalty", lambda *_: 1.4)
    model = trained(allow_overlap=True).fit(sentences(600), valid=sentences(80), run=tmp_path / "run", callbacks=[])
    assert model.predictor.output_length.penalty == 1.4
    assert model.run is not None
    assert model.run.load_best().output_length.penalty == 1.4
    further = trained(epochs=1).fit(sentences(12), start=model, callbacks=[])  # too few to choose it anew
    assert further.predictor.output_length.penalty == 1.4


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    model = trained().fit(sentences(300), callbacks=[])
    model.predictor.output_length = replace(model.predictor.output_length, penalty=1.3)
    return model


def scores(model: TextGenerator | OnnxGenerator, **options: float) -> list[float]:
    generation = model.generate("one red dog runs", beam=4, n_best=4, **options)  # type: ignore[arg-type]
    return [candidate.score for candidate in generation.candidates]


def test_search_uses_it_unless_one_is_given(model: TextGenerator) -> None:
    assert scores(model) == scores(model, length_penalty=1.3)
    assert scores(model) != scores(model, length_penalty=LENGTH_PENALTY)
    greedy = model.generate("one red dog")
    assert greedy.score == model.generate("one red dog", length_penalty=1.3).score


def test_files_copies_and_exports_keep_it(model: TextGenerator, tmp_path: Path) -> None:
    model.save(tmp_path / "saved")
    model.export("onnx", tmp_path / "exported")
    assert scores(TextGenerator.load(tmp_path / "saved")) == scores(model)
    assert scores(pickle.loads(pickle.dumps(model))) == scores(model)
    assert scores(OnnxGenerator.load(tmp_path / "exported")) == pytest.approx(scores(model), abs=1e-4)
    assert describe(model.predictor, model.plan, 16)[0]["limit"]["penalty"] == 1.3  # type: ignore[index]


def test_models_of_earlier_versions_keep_theirs() -> None:
    assert TextGenerator.load(OLD).predictor.output_length.penalty == 0.6


@pytest.mark.parametrize("penalty", [-1, 11, "0.6", None, float("nan")])
def test_damaged_penalty_is_refused(penalty: object) -> None:
    with pytest.raises(ModelFileError, match="length penalty from 0 to 10"):
        OutputLength.from_dict({"offset": 3, "slope": 1.0, "penalty": penalty})
