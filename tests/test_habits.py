"""What people of the field expect: data frames, scikit-learn's tools, studies of Optuna, axes of Matplotlib, a model card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbtextgen import Pairs, TextGenerator, tune
from nbtextgen.core.errors import OptionError
from nbtextgen.tuning import Tuning

WORDS = [a + b + c for a in "abcd" for b in "abcd" for c in "abcd"]
PAIRS = Pairs(WORDS, [word[::-1] for word in WORDS])
SMALL: dict[str, Any] = {"hidden_size": 8, "embedding_size": 8, "max_steps": 4, "samples": 0}


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    return TextGenerator(**SMALL).fit(PAIRS, callbacks=[])


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Tuning]:
    """A search whose trials are kept in a file."""
    storage = f"sqlite:///{tmp_path_factory.mktemp('studies')}/words.db"
    options = {**SMALL, "validate_every": 2}
    return storage, tune(PAIRS, ["dropout"], 5.0, options=options, trials=2, study="words", storage=storage)


def test_everything_that_holds_rows_has_a_frame(model: TextGenerator, stored: tuple[str, Tuning]) -> None:
    outputs = model.generate(["abc", "", "ddd"])
    frame = outputs.frame()
    assert list(frame["text"]) == [each.text for each in outputs] and frame["confidence"][0] == outputs[0].confidence
    scores = model.evaluate(PAIRS[:9])
    assert (
        list(scores.frame()["metric"]) == list(scores)
        and scores.frame()["value"][0] == next(iter(scores.values())).value
    )
    rows = PAIRS[3:5].frame()
    assert list(rows["source"]) == WORDS[3:5] and list(rows["place"]) == ["row 4", "row 5"]
    trials = stored[1].frame()
    assert list(trials["trial"]) == [1, 2] and {"dropout", "value", "state", "seconds"} <= set(trials.columns)


def test_scikit_learn_runs_pipelines_cross_validation_and_learning_curves(tmp_path: Path) -> None:
    from sklearn.model_selection import cross_validate, learning_curve
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    upper = FunctionTransformer(lambda texts: [text.upper() for text in texts])
    pipeline = make_pipeline(upper, TextGenerator(**SMALL))
    assert len(pipeline.fit(PAIRS.sources, PAIRS.targets).predict(["abc", "dda"])) == 2
    checked = cross_validate(TextGenerator(**SMALL), PAIRS.sources, PAIRS.targets, cv=2, return_train_score=True)
    assert checked["test_score"].shape == (2,) and np.isfinite(checked["train_score"]).all()
    sizes, _, scores = learning_curve(
        TextGenerator(**SMALL), PAIRS.sources, PAIRS.targets, train_sizes=[0.5, 1.0], cv=2, error_score="raise"
    )
    assert list(sizes) == [16, 32] and np.isfinite(scores).all()


def test_trials_are_kept_in_a_study_and_guide_the_next_search(stored: tuple[str, Tuning]) -> None:
    import optuna

    storage, tuning = stored
    kept = optuna.load_study(study_name="words", storage=storage)
    assert [trial.value for trial in kept.trials] == [trial.value for trial in tuning.trials]
    sampler = optuna.samplers.GridSampler({"dropout": [0.125]})  # ends the search when all is tried
    again = tune(PAIRS, {"dropout": [0.125, 0.25]}, 5.0, options=SMALL, sampler=sampler)
    assert [trial.settings for trial in again.trials] == [{"dropout": 0.125}] and again.best is not None
    more = tune(PAIRS, ["dropout"], 5.0, options=SMALL, trials=1, study="words", storage=storage)
    assert len(more.trials) == 1 and len(optuna.load_study(study_name="words", storage=storage).trials) == 3
    own = optuna.create_study(direction="minimize", sampler=optuna.samplers.RandomSampler(seed=1))
    assert tune(PAIRS, ["dropout"], 5.0, options=SMALL, trials=1, study=own).study is own and len(own.trials) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"study": "words"}, "no storage"),
        ({"study": "MAXIMIZE"}, "does not minimize"),
        ({"study": "OWN", "storage": "sqlite://"}, "its own storage"),
    ],
)
def test_a_study_that_does_not_fit_is_refused(arguments: dict[str, Any], message: str) -> None:
    import optuna

    studies = {"MAXIMIZE": "maximize", "OWN": "minimize"}
    if arguments["study"] in studies:
        arguments = {**arguments, "study": optuna.create_study(direction=studies[arguments["study"]])}
    with pytest.raises(OptionError, match=message):
        tune(PAIRS, ["dropout"], 5.0, options={**SMALL, "select_by": "loss"}, trials=1, **arguments)


def plots(model: TextGenerator, tuning: Tuning) -> list[Callable[[Any], Any]]:
    explanation = model.explain("abc")
    return [explanation.plot, tuning.plot, model.find_learning_rate(PAIRS, updates=3).plot]


def test_figures_are_drawn_on_the_axes_that_are_given(model: TextGenerator, stored: tuple[str, Tuning]) -> None:
    from matplotlib.figure import Figure

    for plot in plots(model, stored[1]):
        axes = Figure().subplots(1, 2)
        assert plot(axes[1]) is axes[1] and axes[1].has_data() and not axes[0].has_data()
        assert plot(None).has_data()


def test_a_saved_model_has_a_card_that_people_may_complete(tmp_path: Path) -> None:
    secret = [("qqzz", "zzqq"), *PAIRS]
    model = TextGenerator(**SMALL).fit(secret, callbacks=[])
    card = model.save(tmp_path / "plain") / "README.md"
    text = card.read_text(encoding="utf-8")
    assert "qqzz" not in text and "Nothing in this folder holds texts" in text
    assert "- 1 layer of encoder, 1 of decoder, attention: general" in text
    assert (
        f"{len(secret) - len(model.held_out or ())} training pairs" in text
        and "| `hidden_size` | `8` | given |" in text
    )
    assert "chosen from the data" in text and "TextGenerator.load" in text
    card.write_text(text + "\nTrained on secrets.\n")  # no checksum
    loaded = TextGenerator.load(tmp_path / "plain")
    assert loaded.generate("abc").text == model.generate("abc").text
    again = (loaded.save(tmp_path / "again") / "README.md").read_text()
    assert "the model was loaded before it was saved" in again
    kept = (model.save(tmp_path / "kept", keep_rows=True) / "README.md").read_text()
    assert f"holds {len(model.training_pairs())} training rows as plain text" in kept
    card.unlink()
    assert TextGenerator.load(tmp_path / "plain").generate("abc").text == model.generate("abc").text
