"""The number of threads: chosen by timing with a clock of the tests' own, recorded, resumed, fixed, restored."""

from __future__ import annotations

import itertools
import json
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from nbtextgen import Pairs, Run, TextGenerator
from nbtextgen.core.errors import ModelFileError
from nbtextgen.run.log import from_record, to_record
from nbtextgen.training import threads as threads_module
from nbtextgen.training.events import Changed, Checkpoint, Event, Started, TrainingWarning, Validation
from nbtextgen.training.progress import line
from nbtextgen.training.threads import RETRY_SECONDS, ThreadTuner, is_small, recorded_threads, threads_on_resume

WORDS = ["".join(letters) for letters in itertools.product("abcd", repeat=3)]
REVERSED = Pairs(WORDS, [word[::-1] for word in WORDS])
SMALL = {"hidden_size": 12, "embedding_size": 8, "dropout": 0.2, "batch_size": 8, "epochs": 6, "samples": 0}
SMALL |= {"checkpoint_seconds": 0.0}


def drive(tuner: ThreadTuner, seconds: Callable[[int], float], updates: int) -> list[int]:
    """Make updates that take ``seconds`` of their number of threads; returns those numbers."""
    used = []
    for _ in range(updates):
        used.append(tuner.threads)
        tuner.record(seconds(tuner.threads), 100)
    return used


def settle(tuner: ThreadTuner, seconds: Callable[[int], float]) -> int:
    """Make updates until the tuner compares nothing; returns how many."""
    return next(count for count in range(1, 1000) if drive(tuner, seconds, 1) and not tuner.high)


# The choice -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "seconds", "chosen"),
    [
        (2, lambda threads: 0.1 / threads, 2),
        (2, lambda threads: 0.1, 1),  # no gain: one
        (2, lambda threads: 0.097 if threads == 2 else 0.1, 1),  # hardly any gain
        (2, lambda threads: 0.1 * threads, 1),
        (8, lambda threads: 0.1 / threads, 8),
        (6, lambda threads: 0.1 / threads, 6),
        (64, lambda threads: abs(threads - 9) + 1.0, 8),
    ],
)
def test_fastest_number_of_threads_is_chosen(limit: int, seconds: Callable[[int], float], chosen: int) -> None:
    tuner = ThreadTuner.fresh(limit)
    settle(tuner, seconds)
    assert tuner.chosen == tuner.threads == chosen


def test_trial_alternates_so_that_both_numbers_see_the_same_load() -> None:
    tuner = ThreadTuner.fresh(2)
    used = drive(tuner, lambda threads: 0.1, 10)
    assert used == [1, 1, 1, 2, 2, 1, 1, 2, 2, 1]


def test_spinning_threads_are_given_up_after_one_update() -> None:
    tuner = ThreadTuner.fresh(2)
    used: list[int] = []
    while tuner.high:
        used += drive(tuner, lambda threads: 0.1 if threads == 1 else 3.0, 1)
    assert used.count(2) == 1 and tuner.chosen == 1


def test_long_updates_need_a_shorter_trial() -> None:
    tuner = ThreadTuner.fresh(2)
    assert settle(tuner, lambda threads: 2.0 / threads) == 2 + 6 and tuner.chosen == 2


def test_one_outlier_does_not_decide() -> None:
    tuner, times = ThreadTuner.fresh(2), iter([0.05, 0.15, *[0.05] * 100])
    settle(tuner, lambda threads: 0.1 if threads == 1 else next(times))
    assert tuner.chosen == 2


def test_slowdown_leads_to_fewer_threads_and_a_quiet_machine_back_to_more() -> None:
    tuner = ThreadTuner.fresh(2)
    settle(tuner, lambda threads: 0.1 / threads)
    assert tuner.chosen == 2
    drive(tuner, lambda threads: 0.05, 200)
    assert tuner.chosen == 2 and not tuner.high, "steady speed is no reason for a trial"
    busy = drive(tuner, lambda threads: 0.1 if threads == 1 else 0.15, 100)
    assert tuner.chosen == 1 and busy[-1] == 1
    assert sum(threads == 2 for threads in busy) < 30
    quiet = drive(tuner, lambda threads: 0.1 / threads, int(RETRY_SECONDS / 0.1) + 100)
    assert tuner.chosen == 2 and quiet[-1] == 2


def test_collapse_is_noticed_within_two_updates() -> None:
    tuner = ThreadTuner.fresh(2)
    settle(tuner, lambda threads: 0.1 / threads)
    drive(tuner, lambda threads: 0.05, 100)
    used = drive(tuner, lambda threads: 0.1 if threads == 1 else 2.0, 10)
    assert tuner.chosen == 1 and sum(threads == 2 for threads in used) <= 3


def test_trials_in_vain_take_little_time() -> None:
    tuner = ThreadTuner.fresh(2)
    cost: Callable[[int], float] = lambda threads: 0.1 if threads == 1 else 3.0  # noqa: E731
    settle(tuner, cost)
    used = drive(tuner, cost, 20_000)
    lost = 3.0 * sum(threads == 2 for threads in used)
    assert 0 < lost < 0.03 * sum(map(cost, used))
    fast = ThreadTuner.fresh(2)
    settle(fast, lambda threads: 0.1)
    assert sum(threads == 2 for threads in drive(fast, lambda threads: 0.1, 20_000)) < 100


def test_slower_batches_for_every_number_of_threads_change_nothing_for_long() -> None:
    tuner = ThreadTuner.fresh(2)
    settle(tuner, lambda threads: 0.1 / threads)
    drive(tuner, lambda threads: 0.1 / threads, 100)
    used = drive(tuner, lambda threads: 0.2 / threads, 400)
    assert tuner.chosen == 2 and sum(threads == 1 for threads in used) < 20


@pytest.mark.parametrize("at", range(0, 60, 7))
def test_tuner_goes_on_from_its_record(at: int) -> None:
    tuner = ThreadTuner.fresh(4)
    drive(tuner, lambda threads: 0.2 / threads, at)
    again = ThreadTuner.from_dict(json.loads(json.dumps(asdict(tuner))), 4)
    assert drive(tuner, lambda threads: 0.2 / threads, 60) == drive(again, lambda threads: 0.2 / threads, 60)


def test_record_for_another_limit_keeps_the_choice_if_it_can() -> None:
    tuner = ThreadTuner.fresh(4)
    settle(tuner, lambda threads: 0.1 / threads)
    record = asdict(tuner)
    assert ThreadTuner.from_dict(record, 8).threads == 4
    assert ThreadTuner.from_dict(record, 2).threads == 2
    assert ThreadTuner.from_dict(asdict(ThreadTuner.fresh(4)), 2).threads == 1


@pytest.mark.parametrize(
    "change",
    [
        {"limit": 0},
        {"limit": True},
        {"chosen": 9},
        {"low": 2, "high": 2},
        {"high": 64},
        {"low_times": [None]},
        {"low_times": "no"},
        {"best": float("nan")},
        {"skip": -1},
        {"skip": 1.5},
        {"limit": 10**9},
    ],
)
def test_damaged_record_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ModelFileError, match="thread tuner"):
        ThreadTuner.from_dict(asdict(ThreadTuner.fresh(2)) | change, 2)
    with pytest.raises(ModelFileError, match="thread tuner"):
        ThreadTuner.from_dict([1], 2)


def test_small_networks_are_told_apart_by_their_steps() -> None:
    assert is_small(192, 64, 60) and is_small(256, 32, 60)
    assert not is_small(256, 64, 60) and not is_small(512, 64, 60) and not is_small(192, 64, 8000)


# Training -------------------------------------------------------------------------------------------------------------


class Clock:
    """Time that passes in updates alone, at a speed that depends on the number of threads."""

    def __init__(self, seconds: Callable[[int], float]) -> None:
        self.seconds, self.now, self.used = seconds, 0.0, list[int]()
        self._in_update = False

    def __call__(self) -> float:
        if self._in_update:
            self.used.append(torch.get_num_threads())
            self.now += self.seconds(torch.get_num_threads())
        self._in_update = not self._in_update
        return self.now


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def clock(monkeypatch, two_threads) -> Clock:
    found = Clock(lambda threads: 0.1 / threads)
    monkeypatch.setattr(threads_module, "clock", found)
    monkeypatch.setattr(threads_module, "SMALL_STEP", 0)
    return found


def changes(events: list[Event]) -> list[tuple[float | bool | None, int]]:
    return [(event.value, event.step) for event in events if isinstance(event, Changed) and event.setting == "threads"]


def weights(model: TextGenerator) -> list[torch.Tensor]:
    return [tensor for network in model.predictor.networks for tensor in network.state_dict().values()]


def same(first: TextGenerator, second: TextGenerator) -> bool:
    return all(torch.equal(one, two) for one, two in zip(weights(first), weights(second), strict=True))


class Killed(Exception):
    """Stands for the end of the process."""


def killer(at: int) -> Callable[[Event], None]:
    def listen(event: Event) -> None:
        if isinstance(event, Checkpoint) and event.step >= at:
            raise Killed

    return listen


def test_training_reports_its_choice_and_restores_the_number(clock: Clock) -> None:
    model = TextGenerator(**SMALL).fit(REVERSED, callbacks=[])
    [(chosen, step)] = changes(model.history)
    assert chosen == 2 and clock.used[step:] == [2] * (len(clock.used) - step)
    assert torch.get_num_threads() == 2
    clock.seconds = lambda threads: 0.1 * threads
    model = TextGenerator(**SMALL).fit(REVERSED, callbacks=[])
    [(chosen, step)] = changes(model.history)
    assert chosen == 1 and line(next(event for event in model.history if isinstance(event, Changed))) == (
        f"update {step}: training uses 1 thread"
    )
    assert torch.get_num_threads() == 2


def test_number_is_restored_after_an_exception(clock: Clock) -> None:
    clock.seconds = lambda threads: 0.1 * threads
    for kind in (Validation, Started):

        def fails(event: Event, kind: type = kind) -> None:
            if isinstance(event, kind):
                assert torch.get_num_threads() == 1
                raise Killed

        with pytest.raises(Killed):
            TextGenerator(**SMALL).fit(REVERSED, callbacks=[fails])
        assert torch.get_num_threads() == 2


def test_other_threads_keep_the_number_while_one_trains(clock: Clock) -> None:
    seen = []

    def look(event: Event) -> None:
        if isinstance(event, Validation):
            other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
            other.start()
            other.join()

    TextGenerator(**SMALL, threads=1).fit(REVERSED, callbacks=[look])
    assert seen and set(seen) == {2}


def test_fixed_number_is_used_throughout(clock: Clock) -> None:
    for fixed in (1, 2):
        seen = []
        model = TextGenerator(**SMALL, threads=fixed).fit(
            REVERSED, callbacks=[lambda event, seen=seen: seen.append(torch.get_num_threads())]
        )
        assert set(seen) == {fixed} and not changes(model.history) and not clock.used
        started = next(event for event in model.history if isinstance(event, Started))
        assert started.threads == fixed and f"{fixed} thread" in line(started)
        assert from_record(to_record(started)) == started


def test_small_networks_train_on_one_thread_without_a_trial(two_threads) -> None:
    model = TextGenerator(**SMALL).fit(REVERSED, callbacks=[])
    assert not changes(model.history)
    assert next(event for event in model.history if isinstance(event, Started)).threads == 1


def test_choice_is_among_the_threads_there_are(clock: Clock) -> None:
    torch.set_num_threads(1)
    model = TextGenerator(**SMALL).fit(REVERSED, callbacks=[])
    assert not changes(model.history) and not clock.used


@pytest.mark.parametrize("at", [4, 9, 40])
def test_killed_run_resumes_to_the_bit_with_the_same_choices(tmp_path: Path, clock: Clock, at: int) -> None:
    def slow_later() -> Callable[[int], float]:
        return lambda threads: 0.05 if threads == 2 and len(clock.used) < 25 else 3.0 if threads == 2 else 0.1

    clock.seconds = slow_later()
    straight = TextGenerator(**SMALL).fit(REVERSED, callbacks=[])
    used, clock.used = clock.used, []
    assert [value for value, _ in changes(straight.history)] == [2, 1]
    with pytest.raises(Killed):
        TextGenerator(**SMALL).fit(REVERSED, callbacks=[killer(at)], run=tmp_path / "r")
    del clock.used[at:]
    resumed = TextGenerator.resume(tmp_path / "r", callbacks=[])
    assert clock.used == used
    assert same(straight, resumed)
    assert not [event for event in resumed.history if isinstance(event, TrainingWarning)]


def test_run_goes_on_with_its_number_without_a_note(tmp_path: Path, clock: Clock) -> None:
    clock.seconds = lambda threads: 0.1 * threads
    with pytest.raises(Killed):
        TextGenerator(**SMALL).fit(REVERSED, callbacks=[killer(30)], run=tmp_path / "r")
    values = Run.open(tmp_path / "r").checkpoint().content.values  # type: ignore[union-attr]
    assert values["threads"]["number"] == values["made_with"]["threads"] == 1
    resumed = TextGenerator.resume(tmp_path / "r", callbacks=[])
    assert not [event for event in resumed.history if isinstance(event, TrainingWarning)]
    assert next(event for event in resumed.history if isinstance(event, Started)).threads == 1


def test_fewer_threads_than_the_run_had_are_named_in_a_note(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(Killed):
        TextGenerator(**SMALL).fit(REVERSED, callbacks=[killer(30)], run=tmp_path / "r")
    torch.set_num_threads(1)
    resumed = TextGenerator.resume(tmp_path / "r", callbacks=[])
    [note] = [event.text for event in resumed.history if isinstance(event, TrainingWarning)]
    assert "threads 2 then, 1 now" in note


def test_checkpoints_of_earlier_versions_say_how_many_threads(two_threads) -> None:
    assert recorded_threads({"made_with": {"threads": 1}}) == 1
    assert recorded_threads({"threads": {"number": 2}, "made_with": {"threads": 1}}) == 2
    assert recorded_threads({"made_with": {"threads": "x"}}) is None
    assert threads_on_resume({"made_with": {"threads": 1}}, None) == 1
    assert threads_on_resume({"made_with": {"threads": 8}}, None) == 2
    threads = threads_module.TrainingThreads(None, adaptive=True, small=True)
    threads.restore({"made_with": {"threads": 8}})
    with threads.in_use():
        assert threads.number == torch.get_num_threads() == 2
    assert threads_on_resume({"made_with": {"threads": 8}}, 4) == 4


# Spinning -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "given", "wanted"),
    [
        ("", {}, ["1000", None]),
        ("import torch; ", {}, [None, None]),
        ("", {"GOMP_SPINCOUNT": "7"}, ["7", None]),
        ("", {"OMP_WAIT_POLICY": "active"}, [None, "active"]),
        ("import torch; ", {"OMP_WAIT_POLICY": "passive"}, [None, "passive"]),
    ],
)
def test_spinning_is_limited_unless_the_user_decides(first: str, given: dict[str, str], wanted: list[object]) -> None:
    code = (
        f"{first}import json, os, nbtextgen\n"
        "print(json.dumps([os.environ.get('GOMP_SPINCOUNT'), os.environ.get('OMP_WAIT_POLICY')]))"
    )
    kept = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**kept, **given}
    )
    assert json.loads(found.stdout) == wanted


FAULTS = """
import resource, nbtextgen.model.cpu, torch
def faults(count):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        torch.ones(12_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(30)
print(faults(20))
nbtextgen.model.cpu.return_freed_memory()
print(faults(1))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_a_step_frees_is_kept_for_the_next_one_unless_the_user_chose() -> None:
    def pages(**variables: str) -> list[int]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
        done = subprocess.run(
            [sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True, env=environment
        )
        return list(map(int, done.stdout.split()))

    kept, returned = pages()
    assert kept < 2_000 < 10_000 < returned  # one tensor has 11,700 pages
    assert pages(MALLOC_MMAP_THRESHOLD_="1000000")[0] > 200_000
