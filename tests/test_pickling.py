"""Models survive pickle and joblib, alone and in a search of scikit-learn."""

from __future__ import annotations

import copy
import io
import itertools
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from nbtextgen import Controls, OnnxGenerator, Pairs, TextGenerator
from nbtextgen.core.errors import ModelFileError, NotTrainedError
from nbtextgen.inference.generation import GenerationInterrupted
from nbtextgen.training.events import Event, Validation

WORDS = ["".join(letters) for letters in itertools.product("abcd", repeat=3)]
REVERSED = Pairs(WORDS, [word[::-1] for word in WORDS])
SMALL = {"hidden_size": 12, "embedding_size": 8, "batch_size": 8, "epochs": 3, "samples": 0}


def with_pickle(value: object) -> object:
    return pickle.loads(pickle.dumps(value))


def with_joblib(value: object) -> object:
    file = io.BytesIO()
    joblib.dump(value, file)
    file.seek(0)
    return joblib.load(file)


ROUND_TRIPS = pytest.mark.parametrize("again", [with_pickle, with_joblib, copy.deepcopy])


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    return TextGenerator(**SMALL).fit(REVERSED, callbacks=[])


@ROUND_TRIPS
def test_a_fitted_model_generates_the_same(again: Callable, model: TextGenerator) -> None:
    kept = model.generate("abc")  # an output in use
    other = again(model)
    assert other.get_params() == model.get_params() and other.plan == model.plan
    for text in ("abc", "dd", "bca"):
        ours, theirs = (each.generate(text, beam=3) for each in (model, other))
        assert ours.text == theirs.text and ours.log_probabilities.tolist() == theirs.log_probabilities.tolist()
    assert other.history == model.history and kept.text == other.generate("abc").text
    assert other.explain("abc", method="attention").input_units == model.explain("abc", method="attention").input_units
    assert other.fit(REVERSED, callbacks=[]).generate("abc").text


@ROUND_TRIPS
def test_an_unfitted_model_keeps_its_settings(again: Callable) -> None:
    model = TextGenerator(**SMALL, cell="gru")
    other = again(model)
    assert other.get_params() == model.get_params() and repr(other) == repr(model)
    with pytest.raises(NotTrainedError):
        other.generate("abc")
    clone(other)


@ROUND_TRIPS
def test_a_grid_search_survives(again: Callable) -> None:
    search = GridSearchCV(TextGenerator(**{**SMALL, "epochs": 1}), {"hidden_size": [8, 12]}, cv=2)
    search.fit(list(REVERSED.sources), list(REVERSED.targets), callbacks=[])
    other = again(search)
    assert other.best_params_ == search.best_params_
    assert other.best_estimator_.generate("abc").text == search.best_estimator_.generate("abc").text


def test_a_model_is_pickled_during_training_and_with_its_run(tmp_path: Path) -> None:
    model = TextGenerator(**SMALL)
    copies: list[bytes] = []

    def keep(event: Event) -> None:
        if isinstance(event, Validation):
            copies.append(pickle.dumps(model))

    model.fit(REVERSED, callbacks=[keep], run=tmp_path / "r")
    assert isinstance(pickle.loads(copies[0]), TextGenerator)
    other = pickle.loads(pickle.dumps(model))
    assert other.run.name == "r" and other.generate("abc").text == model.generate("abc").text


@ROUND_TRIPS
def test_everything_a_user_holds_can_be_copied(again: Callable, model: TextGenerator, tmp_path: Path) -> None:
    exported = OnnxGenerator.load(model.export("onnx", tmp_path / "x"))
    assert again(exported).generate("abc").text == exported.generate("abc").text
    controls = Controls()
    controls.dropout = 0.25
    other = again(controls)
    other.stop()
    assert other.dropout == 0.25 and not controls.stopping
    interrupted = again(GenerationInterrupted(model.generate(["abc"]), "half way"))
    assert str(interrupted) == "half way" and interrupted.generations[0].source == "abc"
    (tmp_path / "x" / "decoder-1.onnx").write_bytes(b"")
    copied = pickle.dumps(exported)
    (tmp_path / "x" / "decoder-1.onnx").write_bytes(b"another model")
    with pytest.raises(ModelFileError, match="decoder-1.onnx was changed"):
        pickle.loads(copied)


class Marked(TextGenerator):
    """A subclass with a parameter of its own."""

    def __init__(self, mark: str = "", **options: Any) -> None:
        self.mark = mark
        super().__init__(**options)


def test_a_subclass_keeps_its_parameters(tmp_path: Path) -> None:
    model = Marked(mark="a", **SMALL)
    assert clone(model).mark == "a" and clone(model).get_params() == model.get_params()
    assert model.set_params(mark="b", epochs=2).mark == "b" and model.get_params()["epochs"] == 2
    model.fit(REVERSED, callbacks=[])
    assert type(Marked.load(model.save(tmp_path / "m"))) is Marked and with_pickle(model).mark == "b"
