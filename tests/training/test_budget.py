"""A time limit chooses the size of the network; speeds are given here, nothing is timed."""

from __future__ import annotations

import pytest
import torch

from nbtextgen import Pairs, builtin
from nbtextgen.pipeline import defaults
from nbtextgen.pipeline.defaults import plan
from nbtextgen.training.budget import Budget, training_speed

LINES = [f"a man number {number} is walking down the long street with a dog" for number in range(12_000)]
SENTENCES = Pairs(LINES, [line.replace("man", "woman") + f" {len(line)}" for line in LINES])


def with_speed(monkeypatch: pytest.MonkeyPatch, speed: float) -> None:
    monkeypatch.setattr(defaults, "training_speed", lambda threads: speed)


def test_updates_grow_with_time_and_shrink_with_width() -> None:
    budget = Budget(60.0, 14.0, 16.0, 4000, 6e10)
    assert budget.updates(128, 256, 48) > 2 * budget.updates(256, 512, 48)
    assert Budget(120.0, 14.0, 16.0, 4000, 6e10).updates(128, 256, 48) == pytest.approx(
        2 * budget.updates(128, 256, 48), abs=2
    )


@pytest.mark.parametrize(("minutes", "hidden"), [(0.5, 192), (8, 256), (240, 512)])
def test_more_time_pays_for_a_wider_network(monkeypatch: pytest.MonkeyPatch, minutes: float, hidden: int) -> None:
    with_speed(monkeypatch, 6e10)
    settings = plan({"max_minutes": minutes, "device": "cpu", "copy": False}, SENTENCES)
    assert settings.model.hidden_size == hidden
    assert settings.training.epochs is None


def test_given_sizes_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    with_speed(monkeypatch, 1e6)
    settings = plan({"max_minutes": 1, "device": "cpu", "hidden_size": 384, "epochs": 3, "dropout": 0.5}, SENTENCES)
    assert (settings.model.hidden_size, settings.training.epochs, settings.model.dropout) == (384, 3, 0.5)


def test_dropout_is_small_where_pairs_are_seen_once_or_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    with_speed(monkeypatch, 6e10)
    short, long = (plan({"max_minutes": minutes, "device": "cpu"}, SENTENCES) for minutes in (0.3, 600))
    assert short.model.dropout < 0.1 < long.model.dropout  # type: ignore[operator]


def test_without_a_limit_nothing_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "training_speed", lambda threads: pytest.fail("timed"))
    assert plan({}, builtin("dates", 2000)).training.epochs


def test_measuring_the_speed_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert training_speed(-1) > 1e6
    assert torch.equal(before, torch.get_rng_state())
