"""Trainings that cannot learn, and data that nothing can be learned from: the user is warned, with what to do."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nbtextgen import Pairs, TextGenerator
from nbtextgen.core.errors import DataError
from nbtextgen.inference.generation import Generation, Generations
from nbtextgen.inference.predictor import Predictor
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.training.config import TrainingConfig
from nbtextgen.training.events import Ended, TrainingWarning
from nbtextgen.training.state import Progress
from nbtextgen.training.validation import ValidationResult, ValidationScores, selection_key, unmoved_warning

WORDS = ["".join(letters) for letters in itertools.product("abcd", repeat=3)]
REVERSED = Pairs(WORDS, [word[::-1] for word in WORDS])
SMALL = {"hidden_size": 12, "embedding_size": 8, "batch_size": 8, "epochs": 4, "samples": 0, "precision": "fp32"}


def warnings_of(model: TextGenerator) -> list[str]:
    return [event.text for event in model.history if isinstance(event, TrainingWarning)]


def fit(pairs: object, valid: object = None, **options: object) -> TextGenerator:
    return TextGenerator(**{**SMALL, **options}).fit(pairs, valid=valid, callbacks=[])


def test_an_ordinary_training_warns_of_nothing() -> None:
    assert warnings_of(fit(REVERSED)) == []
    assert warnings_of(fit(REVERSED, epochs=30, learning_rate=0.002)) == []


def test_gradients_of_zero_are_reported(monkeypatch) -> None:
    loss = Seq2Seq.loss

    def without_gradient(self, *arguments, **options):
        result = loss(self, *arguments, **options)
        return type(result)(**{**vars(result), "total": result.total * 0.0})

    monkeypatch.setattr(Seq2Seq, "loss", without_gradient)
    for clip in (1.0, 0.0):
        warnings = warnings_of(fit(REVERSED, clip=clip))
        assert "All gradients were zero in the first 3 updates" in warnings[0] and "--seed" in warnings[0]
        assert any("has not moved" in text for text in warnings[1:])


@pytest.mark.parametrize(
    "options", [{"learning_rate": 1e-12}, {"learning_rate": 1e-9, "optimizer": "sgd", "epochs": 20}]
)
def test_a_loss_that_never_moves_is_reported_once(options: dict) -> None:
    (warning,) = warnings_of(fit(REVERSED, **options))
    assert "The training loss has not moved" in warning and "Raise --learning-rate" in warning


@pytest.mark.parametrize(
    ("step", "share", "is_said"), [(10, 0.25, False), (20, 0.5, True), (100, 0.25, True), (100, 0.05, False)]
)
def test_a_loss_is_not_called_unmoved_while_its_mean_lags_behind(step: int, share: float, is_said: bool) -> None:
    """After ten updates the moving mean of a loss that falls from 4.05 to 3.9 is still 4.02."""
    progress = Progress(step=step, first_loss=4.05, level=4.02)
    config = TrainingConfig(learning_rate=0.006, warmup=0.1)
    assert bool(unmoved_warning(progress, share, config)) == is_said


def test_random_targets_are_reported() -> None:
    draw = random.Random(1)
    pairs = Pairs(WORDS, ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=1)) for _ in WORDS])
    assert fit(pairs, epochs=2, learning_rate=1e-5).predict(["abc"])


def test_few_updates_are_reported() -> None:
    (warning,) = warnings_of(fit(REVERSED, epochs=1))
    assert "planned with 8 updates only" in warning and "--epochs" in warning
    assert "planned with 1 update only" in warnings_of(fit(REVERSED, max_steps=1))[0]


def test_one_target_for_all_is_reported() -> None:
    (warning,) = warnings_of(fit([(word, "same") for word in WORDS]))
    assert "All targets are the same text ('same')" in warning


LITTLE: dict[str, tuple[list[tuple[str, str]], str]] = {
    "one target mostly": (
        [(word, "same" if row else "other") for row, word in enumerate(WORDS * 2)],
        "the target is the same text",
    ),
    "one source mostly": (
        [("same" if row else "x", word) for row, word in enumerate(WORDS)],
        "the source is the same text",
    ),
    "repeated pairs": ([(word, word[::-1]) for word in WORDS[:5]] * 40, "Only 5 of the 200 pairs are different"),
    "few sources": (
        [(source, word) for word in WORDS for source in ("ab", "cd", "ef")],
        "with 64 targets each on average",
    ),
    "one source token": (
        [("a" * (1 + row % 7), word) for row, word in enumerate(WORDS)],
        "All sources consist of one token",
    ),
    "one word": (
        [(word, "a " * (1 + row % 5) + "a") for row, word in enumerate(WORDS)],
        "All targets consist of one token",
    ),
}


@pytest.mark.parametrize("kind", LITTLE)
def test_pairs_that_teach_little_are_reported(kind: str, tmp_path: Path) -> None:
    pairs, warning = LITTLE[kind]
    options = {"max_steps": 20, "target_tokens": "word" if kind == "one word" else "char", "valid_fraction": 0.0}
    options["source_tokens"] = "char"
    assert any(warning in text for text in warnings_of(fit(pairs, **options)))
    table = tmp_path / "pairs.tsv"
    table.write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    assert any(warning in text for text in warnings_of(fit(table, **options, store=tmp_path / "store")))


def test_one_pair_is_refused_in_memory_and_in_parts(tmp_path: Path) -> None:
    table = tmp_path / "pairs.tsv"
    table.write_text("a\tb\n" * 300)
    for options in ({}, {"store": tmp_path / "store"}):
        with pytest.raises(DataError, match="There are only 300 identical pairs to learn from"):
            fit(table, **options)


@pytest.mark.parametrize(
    ("valid", "warning"),
    [
        ([("zz", "zz")] * 50, "The validation data holds 1 different pair, too few"),
        (
            [("\u65e5" * (1 + row), "x" * row + "y") for row in range(9)],
            "100 % of the tokens of the validation sources",
        ),
        ([(word, "x") for word in WORDS[:20]], "In 20 of 20 validation pairs the source is a training source"),
    ],
)
def test_validation_pairs_that_say_little_are_reported(valid: list[tuple[str, str]], warning: str) -> None:
    assert any(warning in text for text in warnings_of(fit(REVERSED, valid)))


def test_a_text_of_one_token_is_reported() -> None:
    model = TextGenerator(**SMALL, tokens="char", context=10, window=5, max_steps=20).fit_text("a" * 400, callbacks=[])
    assert any("The text consists of one token, repeated" in text for text in warnings_of(model))


def test_a_time_limit_that_is_too_short_is_reported() -> None:
    warnings = warnings_of(fit(REVERSED, epochs=None, max_minutes=1e-6))
    assert any("fitted into the time limit, too few" in text and "--max-minutes" in text for text in warnings)


def test_outputs_that_do_not_depend_on_their_sources_are_reported(monkeypatch) -> None:
    def predict(self: Predictor, texts: list[str], config: object) -> Generations:
        return Generations(replace(Generation.empty(text), text="b" if text == different else "a") for text in texts)

    monkeypatch.setattr(Predictor, "predict", predict)
    pairs, different = [(word + end, word) for word in WORDS for end in "abcd"], ""
    (warning,) = warnings_of(fit(pairs, samples=1, epochs=1))
    assert "The model writes the same text ('a') for all 26 validation sources" in warning and "--epochs" in warning
    assert len(warnings_of(fit(pairs, samples=1, max_steps=3))) == 1  # another warning says so already
    different = fit(pairs, samples=1, epochs=1).held_out.sources[0]
    assert warnings_of(fit(pairs, samples=1, epochs=1)) == []


def test_one_source_for_all_is_reported() -> None:
    warnings = warnings_of(fit([("same", word) for word in WORDS]))
    assert any("All sources are the same text ('same')" in text for text in warnings)


def test_one_token_for_all_is_reported() -> None:
    (warning,) = warnings_of(fit([(word, "a" * (1 + row % 5)) for row, word in enumerate(WORDS)]))
    assert "All targets consist of one token" in warning


def test_targets_that_repeat_their_sources_are_reported() -> None:
    warnings = warnings_of(fit([*((word, word) for word in WORDS[2:]), ("ab", "ba"), ("cd", "dc")]))
    assert any("In 56 of 58 pairs" in text or "the target is the same as the source" in text for text in warnings)


def test_some_validation_pairs_among_the_training_pairs_are_left_out_of_training() -> None:
    valid = REVERSED[:10]
    model = fit(REVERSED, valid)
    (warning,) = warnings_of(model)
    assert (
        "10 of 64 training pairs are also validation pairs and were left out" in warning
        and "--allow-overlap" in warning
    )
    without = fit(REVERSED[10:], valid)
    first, second = (each.predictor.networks[0].state_dict() for each in (model, without))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_leak_that_differs_in_what_is_hardly_seen_is_a_leak() -> None:
    unseen = ["", "\u200b", "\u200d", "\u2060", "\u202e", "\ufeff", "\u00ad", "\ufe0f", "\u2028", "\u200b \u200b"]
    valid = Pairs(
        [
            f"{mark}{text[0].upper()}{mark.strip().replace(' ', '')}{text[1:]} "
            for mark, text in zip(unseen, REVERSED.sources, strict=False)
        ],
        [f" {text}{mark}" for mark, text in zip(unseen, REVERSED.targets, strict=False)],
    )
    assert "10 of 64 training pairs are also validation pairs" in warnings_of(fit(REVERSED, valid))[0]


@pytest.mark.parametrize("disguise", [str.upper, "{}!".format, "\u00bf{}?".format, "{}\u3002".format, " . ".join])
def test_a_leak_that_differs_in_punctuation_is_said_and_can_be_left_out(disguise: Callable[[str], str]) -> None:
    valid = [(disguise(source), target) for source, target in REVERSED[:10]]
    warnings = warnings_of(fit(REVERSED, valid))
    if disguise is str.upper:
        assert "10 of 64 training pairs are also validation pairs" in warnings[0]
        return
    assert "10 of 64 training pairs differ from validation pairs only in punctuation" in warnings[0]
    assert "--clean=overlap" in warnings[0]
    assert not any("punctuation" in text for text in warnings_of(fit(REVERSED, valid, clean="overlap")))


def test_pairs_held_out_beside_their_likes_are_said(tmp_path: Path) -> None:
    pairs = [(f"{source}{mark}", target) for source, target in REVERSED for mark in ".!"]
    table = tmp_path / "pairs.tsv"
    table.write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    for data, options in ((pairs, {}), (table, {"store": tmp_path / "store"})):
        warnings = warnings_of(fit(data, valid_fraction=0.2, **options))
        assert any("differ from training pairs only in punctuation" in text for text in warnings)
    formulas = [
        (f"x{first}{sign}{second}", f"{first}.{second}") for first in range(8) for second in range(8) for sign in "+="
    ]
    assert not any("punctuation" in text for text in warnings_of(fit(formulas, valid_fraction=0.2)))


def test_validation_on_the_training_pairs_is_refused_unless_allowed(tmp_path: Path) -> None:
    for valid in (REVERSED, REVERSED[:63]):
        with pytest.raises(DataError, match="64|63") as refused:
            fit(REVERSED, valid)
        assert "memorized" in str(refused.value) and "allow_overlap" in str(refused.value)
    (warning,) = warnings_of(fit(REVERSED, REVERSED, allow_overlap=True))
    assert "64 of 64 training pairs are also validation pairs, so scores are too good" in warning


def test_training_ends_early_where_validation_stops_improving() -> None:
    draw = random.Random(1)
    letters = "abcdefgh"
    pairs = [("".join(draw.choices(letters, k=5)), "".join(draw.choices(letters, k=5))) for _ in range(120)]
    model = fit(pairs, hidden_size=32, epochs=40, batch_size=16, learning_rate=0.02)
    ended = model.history[-1]
    assert isinstance(ended, Ended) and ended.reason == "early" and ended.step < 0.9 * 40 * 7


@pytest.mark.parametrize("metric", ["accuracy", "sequence-accuracy", "loss"])
def test_weights_whose_loss_is_no_number_are_never_the_best(metric: str) -> None:
    scores = ValidationScores(loss=math.nan, accuracy=50.0, sequence_accuracy=50.0)
    value = math.nan if metric == "loss" else 50.0
    assert selection_key(metric, value, scores, ValidationResult()) == math.inf
