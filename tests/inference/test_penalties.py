"""The penalties of a model's beam search: chosen on held-out pairs, kept with the model, and used where a search leaves them open."""

from __future__ import annotations

import itertools
import pickle
import random
from collections.abc import Callable
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
from nbtextgen.pipeline.penalties import COVERAGE_PENALTY, LENGTH_PENALTIES, choose_penalties

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


Penalties = tuple[float, float]


def stub(quality: Callable[[Penalties], float], asked: list[Penalties], attention: str = "general") -> SimpleNamespace:
    """A predictor that writes this share of each reference with a length penalty and a coverage penalty."""

    def predict(sources: list[str], config: DecodingConfig) -> list[SimpleNamespace]:
        assert config.beam > 1
        assert config.length_penalty is not None and config.coverage_penalty is not None
        asked.append((config.length_penalty, config.coverage_penalty))
        share = quality(asked[-1])
        return [SimpleNamespace(text=" ".join(source.split()[: round(share * 40)])) for source in sources]

    networks = [SimpleNamespace(config=SimpleNamespace(attention=attention))]
    return SimpleNamespace(target=SimpleNamespace(normalize=str), predict=predict, networks=networks)


TEXTS = [" ".join(f"{letter}{number}" for number in range(40)) for letter in "ab"]


def chosen(quality: Callable[[Penalties], float], **options: str) -> tuple[Penalties, list[Penalties]]:
    """The penalties that are chosen, and those that were tried."""
    asked = list[Penalties]()
    penalties = choose_penalties(stub(quality, asked, **options), Pairs(TEXTS, TEXTS))  # type: ignore[arg-type]
    assert len(asked) == len(set(asked)), "none is tried twice"
    return penalties, asked


@pytest.mark.parametrize(
    ("length", "coverage"),
    [*((length, 0.0) for length in LENGTH_PENALTIES), *((length, COVERAGE_PENALTY) for length in (0.4, 0.6, 0.8))],
)
def test_penalties_with_the_best_outputs_are_chosen(length: float, coverage: float) -> None:
    penalties, asked = chosen(lambda tried: 1 - 0.3 * abs(tried[0] - length) - 0.5 * abs(tried[1] - coverage))
    assert penalties == (length, coverage)
    assert len(asked) <= 6


def test_penalties_that_change_nothing_are_not_searched_for() -> None:
    penalties, asked = chosen(lambda _: 0.5)
    assert penalties == (LENGTH_PENALTY, 0.0)
    assert len(asked) == 4


def test_model_without_attention_has_no_coverage_penalty() -> None:
    penalties, asked = chosen(lambda tried: 0.5 + tried[1], attention="none")
    assert penalties == (LENGTH_PENALTY, 0.0)
    assert {coverage for _, coverage in asked} == {0.0}


@pytest.mark.usefixtures("at_once")
def test_training_chooses_them_for_texts_and_leaves_short_outputs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()

    def choose(predictor: Predictor, pairs: Pairs) -> Penalties:
        asked.append(len(pairs))
        length, coverage = choose_penalties(predictor, pairs)
        return (1.2, 0.3) if length in LENGTH_PENALTIES and coverage in (0.0, COVERAGE_PENALTY) else (0.0, 0.0)

    monkeypatch.setattr(calibration, "choose_penalties", choose)
    models = [
        trained(tokens=tokens, valid_fraction=0.2).fit(sentences(400), callbacks=[])
        for tokens in ("bpe", "word", "char")
    ]
    lengths = [model.predictor.output_length for model in models]
    assert [(each.penalty, each.coverage) for each in lengths] == [(1.2, 0.3), (1.2, 0.3), (LENGTH_PENALTY, 0.0)]
    assert len(asked) == 2
    assert min(asked) >= 50


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1 / 1024, {"tried": 80, "calibrated": 80}),
        (1 / 128, {"tried": 76, "calibrated": 80}),
        (1 / 64, {"tried": 38, "calibrated": 76}),
        (1 / 32, {"calibrated": 50}),
        (100.0, {"calibrated": 50}),
    ],
)
def test_time_limit_bounds_the_pairs_by_how_long_outputs_take(
    seconds: float, expected: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``seconds`` for a pair, of a minute, which leaves 1.2 s for the calibration and 2.4 s for four searches."""
    asked, clock = dict[str, int](), itertools.count(0.0, seconds * calibration.TIMED_PAIRS)
    monkeypatch.setattr(calibration, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr(calibration, "choose_penalties", lambda _, pairs: asked.update(tried=len(pairs)) or (1.4, 0.3))
    monkeypatch.setattr(
        calibration, "calibrate_predictor", lambda _, __, pairs, *___: asked.update(calibrated=len(pairs))
    )
    model = trained(max_minutes=1).fit(sentences(400), valid=sentences(480)[400:], callbacks=[])
    assert asked == expected
    assert (model.predictor.output_length.penalty == 1.4) == ("tried" in expected)


@pytest.mark.usefixtures("at_once")
def test_run_keeps_them_and_further_training_begins_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "choose_penalties", lambda *_: (1.4, 0.3))
    model = trained(allow_overlap=True).fit(sentences(600), valid=sentences(80), run=tmp_path / "run", callbacks=[])
    assert model.run is not None
    further = trained(epochs=1).fit(sentences(12), start=model, callbacks=[])  # too few to choose them anew
    lengths = [each.output_length for each in (model.predictor, model.run.load_best(), further.predictor)]
    assert [(each.penalty, each.coverage) for each in lengths] == [(1.4, 0.3)] * 3


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    model = trained().fit(sentences(300), callbacks=[])
    model.predictor.output_length = replace(model.predictor.output_length, penalty=1.3, coverage=0.3)
    return model


def scores(model: TextGenerator | OnnxGenerator, **options: float) -> list[float]:
    generation = model.generate("one red dog runs", beam=4, n_best=4, **options)  # type: ignore[arg-type]
    return [candidate.score for candidate in generation.candidates]


def test_search_uses_them_unless_others_are_given(model: TextGenerator) -> None:
    assert scores(model) == scores(model, length_penalty=1.3, coverage_penalty=0.3) == scores(model, length_penalty=1.3)
    assert scores(model) != scores(model, length_penalty=LENGTH_PENALTY)
    assert scores(model) != scores(model, coverage_penalty=0.0)
    greedy = model.generate("one red dog")
    assert greedy.score == model.generate("one red dog", length_penalty=1.3, coverage_penalty=0.0).score


def test_files_copies_and_exports_keep_them(model: TextGenerator, tmp_path: Path) -> None:
    model.save(tmp_path / "saved")
    model.export("onnx", tmp_path / "exported")
    assert scores(TextGenerator.load(tmp_path / "saved")) == scores(model)
    assert scores(pickle.loads(pickle.dumps(model))) == scores(model)
    assert scores(OnnxGenerator.load(tmp_path / "exported")) == pytest.approx(scores(model), abs=1e-4)
    limit = describe(model.predictor, model.plan, 16)[0]["limit"]
    assert (limit["penalty"], limit["coverage"]) == (1.3, 0.3)  # type: ignore[index]


def test_models_of_earlier_versions_keep_theirs() -> None:
    length = TextGenerator.load(OLD).predictor.output_length
    assert (length.penalty, length.coverage) == (0.6, 0.0)


@pytest.mark.parametrize("penalty", [-1, 11, "0.6", None, float("nan")])
def test_damaged_penalty_is_refused(penalty: object) -> None:
    with pytest.raises(ModelFileError, match="length penalty from 0 to 10"):
        OutputLength.from_dict({"offset": 3, "slope": 1.0, "penalty": penalty})


@pytest.mark.parametrize("penalty", [-1, 101, "0.2", None, float("nan")])
def test_damaged_coverage_penalty_is_refused(penalty: object) -> None:
    with pytest.raises(ModelFileError, match="coverage penalty from 0 to 100"):
        OutputLength.from_dict({"offset": 3, "slope": 1.0, "coverage": penalty})
