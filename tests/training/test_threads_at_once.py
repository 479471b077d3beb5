"""Trainings, loads and saves in several threads of one process: each is right, or refused in a sentence."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nbtextgen import Controls, TextGenerator
from nbtextgen.core.errors import OptionError
from nbtextgen.model.isolation import forked_generators, isolated, others_turn
from nbtextgen.training.events import Event, Started, Validation

WORDS = ["abc", "bca", "cab", "acb", "bac", "cba", "abcd", "dcba", "aabb", "ccdd", "adda", "bddb"]
PAIRS = [(word, word[::-1]) for word in WORDS] * 4
SMALL: dict[str, Any] = {"hidden_size": 16, "embedding_size": 16, "epochs": 8, "threads": 1, "dropout": 0.2}


def at_once(*functions: Callable[[], object]) -> list[object]:
    """What the functions return or raise, each called in a thread of its own."""
    results: list[object] = [None] * len(functions)

    def call(index: int, function: Callable[[], object]) -> None:
        try:
            results[index] = function()
        except Exception as error:
            results[index] = error

    threads = [threading.Thread(target=call, args=each, daemon=True) for each in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return results


def scores(model: object) -> Any:
    assert isinstance(model, TextGenerator), model
    return model.log_probabilities(PAIRS[:12])


@pytest.fixture(scope="module")
def alone() -> list[TextGenerator]:
    """Models with two seeds, trained one after another."""
    return [TextGenerator(**SMALL, seed=seed).fit(PAIRS, callbacks=[]) for seed in (1, 2)]


def settings() -> tuple[object, ...]:
    return torch.get_default_dtype(), torch.get_float32_matmul_precision(), torch.get_rng_state().tolist()


def test_two_trainings_at_once_are_as_they_are_alone(alone: list[TextGenerator]) -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_float32_matmul_precision("high")
    before = settings()
    try:
        models = [TextGenerator(**{**SMALL, "seed": seed, "epochs": 8}) for seed in (1, 2)]
        results = at_once(*(lambda model=model: model.fit(PAIRS, callbacks=[]) for model in models))
        assert settings() == before
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_float32_matmul_precision("highest")
    for model, other in zip(results, alone, strict=True):
        assert np.array_equal(scores(model), scores(other))


def test_torch_settings_are_restored_by_the_last_thread_that_leaves() -> None:
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with isolated():
            inside.set()
            leave.wait(30)
            assert torch.get_default_dtype() == torch.float32

    torch.set_default_dtype(torch.float64)
    try:
        with isolated():
            thread = threading.Thread(target=stay)
            thread.start()
            inside.wait(30)
        assert torch.get_default_dtype() == torch.float32  # the other thread computes
        leave.set()
        thread.join(30)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_model_is_trained_once_at_a_time(alone: list[TextGenerator]) -> None:
    model, refused = TextGenerator(**SMALL, seed=1), list[Exception]()

    def again(event: Event) -> None:
        if isinstance(event, Started):
            refused.extend(error for error in at_once(lambda: model.fit(PAIRS)) if isinstance(error, Exception))

    model.fit(PAIRS, callbacks=[again])
    assert [type(error) for error in refused] == [OptionError]
    assert "This TextGenerator is being trained already; wait for the end" in str(refused[0])
    assert np.array_equal(scores(model), scores(alone[0]))
    with pytest.raises(ValueError, match="first pairs"):
        model.fit(PAIRS, callbacks=[fail])
    assert scores(model.fit(PAIRS, callbacks=[])) is not None  # after an error, too


def fail(event: Event) -> None:
    raise ValueError("first pairs")


def test_others_train_and_load_while_a_training_is_paused(alone: list[TextGenerator], tmp_path: Path) -> None:
    alone[0].save(tmp_path / "m")
    controls, paused = Controls(), threading.Event()

    def pause(event: Event) -> None:
        if isinstance(event, Validation) and not paused.is_set():
            controls.pause()
            paused.set()

    def other() -> object:
        paused.wait(30)
        TextGenerator.load(tmp_path / "m")
        model = TextGenerator(**SMALL, seed=2).fit(PAIRS, callbacks=[])
        controls.resume()
        return model

    results = at_once(lambda: TextGenerator(**SMALL, seed=1).fit(PAIRS, callbacks=[pause], controls=controls), other)
    for model, expected in zip(results, alone, strict=True):
        assert np.array_equal(scores(model), scores(expected))


def test_a_turn_that_is_given_away_comes_back_with_its_own_random_state() -> None:
    torch.manual_seed(5)
    with forked_generators(7):
        expected = torch.rand(4)
    users = torch.get_rng_state()
    with forked_generators(7):
        first = torch.rand(2)
        with forked_generators():
            with others_turn():
                assert torch.equal(torch.get_rng_state(), users)
                at_once(lambda: torch.manual_seed(99) and None)
                users = torch.get_rng_state()  # the user's own draws are kept
            torch.rand(1)
        assert torch.equal(torch.cat([first, torch.rand(2)]), expected)
    assert torch.equal(torch.get_rng_state(), users)


def test_models_saved_to_one_folder_at_once_leave_a_whole_one(alone: list[TextGenerator], tmp_path: Path) -> None:
    folder = tmp_path / "m"
    for _ in range(15):
        results = at_once(*(lambda model=model: model.save(folder) for model in (*alone, alone[0])))
        assert results == [folder] * 3
        loaded = scores(TextGenerator.load(folder))
        assert any(np.array_equal(loaded, scores(model)) for model in alone)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
