"""Search for settings within a budget."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any

import pytest

from nbtextgen import Pairs, TextGenerator
from nbtextgen.core.errors import OptionError
from nbtextgen.training.controls import Controls
from nbtextgen.tuning import Range, Tuning, search_space, tune
from nbtextgen.tuning.result import Trial

WORDS = ["".join(letters) for letters in itertools.product("abcd", repeat=3)]
REVERSED = Pairs(WORDS, [word[::-1] for word in WORDS])
FIXED = {"embedding_size": 8, "batch_size": 16, "dropout": 0.0}


@pytest.fixture(scope="module")
def tuned() -> Tuning:
    search = {"learning_rate": Range(1e-6, 0.03, logarithmic=True), "hidden_size": (16, 48), "cell": ["gru", "lstm"]}
    return tune(REVERSED, search, 30.0, options=FIXED | {"max_steps": 30}, trials=8)


def test_best_trial_has_the_best_score_and_its_model_generates(tuned: Tuning) -> None:
    assert tuned.best is not None and tuned.best_trial is not None
    values = [trial.value for trial in tuned.trials if trial.value is not None]
    assert tuned.best_trial.value == min(values)
    assert tuned.best.get_params()["learning_rate"] == tuned.best_trial.settings["learning_rate"]
    assert tuned.best.generate("abc").text


def test_proposals_stay_within_their_ranges(tuned: Tuning) -> None:
    for trial in tuned.trials:
        assert 1e-6 <= trial.settings["learning_rate"] <= 0.03
        assert trial.settings["hidden_size"] in range(16, 49, 8)
        assert trial.settings["cell"] in ("gru", "lstm")
        assert trial.state in ("complete", "pruned")


def test_importance_is_a_share_and_finds_the_setting_that_matters(tuned: Tuning) -> None:
    assert sum(tuned.importance.values()) == pytest.approx(1.0)
    assert max(tuned.importance, key=tuned.importance.__getitem__) == "learning_rate"


def test_it_shows_itself_without_scripts(tuned: Tuning) -> None:
    page = tuned._repr_mimebundle_()["text/html"]
    assert page.count("data:image/svg+xml;base64,") == 2 and "<script" not in page
    assert repr(tuned).startswith("Tuning(8 trials")


def test_stop_keeps_the_best_so_far() -> None:
    controls, lengths = Controls(), []

    def on_progress(tuning: Tuning) -> None:
        lengths.append(len(tuning.trials))
        if tuning.trials[-1].curve:
            controls.stop()

    tuning = tune(
        REVERSED,
        ["learning_rate"],
        5.0,
        options=FIXED | {"hidden_size": 16},
        on_progress=on_progress,
        controls=controls,
    )
    assert isinstance(tuning.best, TextGenerator) and len(tuning.trials) == 1


def test_settings_that_fail_do_not_end_the_search() -> None:
    search = {"hidden_size": [15, 16]}  # 15 cannot be halved for the two directions
    tuning = tune(REVERSED, search, 30.0, options=FIXED | {"max_steps": 3}, trials=6)
    states = {trial.settings["hidden_size"]: trial.state for trial in tuning.trials}
    assert states[16] in ("complete", "pruned")
    assert states.get(15, "failed") == "failed"


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        (["hiden_size"], {}, "Did you mean 'hidden_size'"),
        ({"hidden_size": (64, 16)}, {}, "from a lower to a higher"),
        ({"dropout": (0.0, 1.5)}, {}, "dropout must be"),
        ({"cell": ["lsmt"]}, {}, "Did you mean 'lstm'"),
        ({"cell": "lstm"}, {}, "give a Range"),
        (["tokens"], {}, "cannot be compared"),
        (["cell"], {"cell": "gru"}, "both fixed and searched"),
        ([], {}, "nothing to search"),
    ],
)
def test_invalid_search_is_refused(settings, options, message) -> None:
    with pytest.raises(OptionError, match=message):
        search_space(settings, options)


def test_tokens_can_be_searched_if_a_text_metric_is_compared() -> None:
    assert search_space({"tokens": ["char", "bpe"]}, {"select_by": "chrf"}) == {"tokens": ("char", "bpe")}


def test_without_optuna_one_sentence_says_how_to_get_it() -> None:
    code = (
        "import sys; sys.modules['optuna'] = None; from nbtextgen.tuning import tune\n"
        "try: tune([('a', 'b'), ('b', 'a')])\nexcept Exception as error: print(error)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "Tuning needs Optuna: pip install nbtextgen[tune]."


def test_the_chart_of_trials_names_the_best_and_the_others() -> None:
    best, other = (
        Trial(1, {"dropout": 0.1}, [(1.0, 2.0), (2.0, 0.5)], 0.5),
        Trial(2, {"dropout": 0.2}, [(1.0, 3.0)], 3.0),
    )
    chart = Tuning("loss", False, [best, other], best_trial=best).curves()
    for name in ("trial 1, the best", "other trials", "best"):
        assert f">{name}</text>" in chart.svg


@pytest.mark.parametrize("budget", [{"minutes": "1"}, {"minutes": 0}, {"minutes": float("nan")}, {"minutes": True}])
def test_a_time_without_minutes_is_refused(budget: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="minutes must be a number above 0"):
        tune([("a", "b"), ("b", "a")], **budget)


@pytest.mark.parametrize("trials", [0, -1, "2", 1.5, True])
def test_a_search_without_trials_is_refused(trials: Any) -> None:
    with pytest.raises(OptionError, match="trials must be a whole number above 0"):
        tune([("a", "b"), ("b", "a")], trials=trials)
