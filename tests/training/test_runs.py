"""Run folders: resumed to the bit, watched and steered while they train, listed, locked, deleted."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from nbtextgen import Pairs, Run, TextGenerator, runs
from nbtextgen.core.errors import ModelFileError, NotTrainedError
from nbtextgen.run.lock import Lock
from nbtextgen.run.log import LogWriter, read_events
from nbtextgen.run.training import RunTraining
from nbtextgen.training.controls import Controls
from nbtextgen.training.events import (
    Changed,
    Checkpoint,
    Ended,
    Event,
    Resumed,
    Started,
    Step,
    TrainingWarning,
    Validation,
)

WORDS = ["".join(letters) for letters in itertools.product("abcd", repeat=3)]
REVERSED = Pairs(WORDS, [word[::-1] for word in WORDS])
SMALL = {
    "hidden_size": 12,
    "embedding_size": 8,
    "dropout": 0.2,
    "batch_size": 8,
    "epochs": 3,
    "checkpoint_seconds": 0.0,
    "samples": 1,
}


class Killed(Exception):
    """Stands for the end of the process: nothing after it runs in the training."""


def killer(at: int, network: int = 1):
    """A callback that ends everything at a checkpoint from update ``at`` on of the n-th network it hears of."""
    started = []

    def listen(event: Event) -> None:
        if isinstance(event, Started):
            started.append(event)
        if isinstance(event, Checkpoint) and event.step >= at and len(started) == network:
            raise Killed

    return listen


def weights(model: TextGenerator) -> list[dict[str, torch.Tensor]]:
    kept = [model.predictor.second] if model.predictor.second is not None else []
    return [network.state_dict() for network in [*model.predictor.networks, *kept]]


def same(first: TextGenerator, second: TextGenerator) -> bool:
    pairs = list(zip(weights(first), weights(second), strict=True))
    return all(torch.equal(one[name], other[name]) for one, other in pairs for name in one)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"average": "ema", "optimizer": "adamw", "accumulate": 2, "teacher_forcing": 0.5},
        {"average": "last", "average_last": 2, "schedule": "plateau", "select_by": "exact"},
        {"optimizer": "sgd", "patience": 2, "copy": True, "attention": "additive", "cell": "gru"},
        {"ensemble": 2, "epochs": 2},
    ],
)
@pytest.mark.parametrize("at", [3, 11])
def test_killed_run_resumes_to_the_same_bits_in_mid_epoch(tmp_path: Path, options, at) -> None:
    settings = {**SMALL, **options}
    straight = TextGenerator(**settings).fit(REVERSED, callbacks=[])
    with pytest.raises(Killed):
        TextGenerator(**settings).fit(REVERSED, callbacks=[killer(at)], run=tmp_path / "r")
    if options.get("ensemble"):  # killed again, in the second network
        with pytest.raises(Killed):
            TextGenerator.resume(tmp_path / "r", callbacks=[killer(at, network=2)])
    resumed = TextGenerator.resume(tmp_path / "r", callbacks=[])
    assert same(straight, resumed)
    assert same(straight, TextGenerator.load(tmp_path / "r"))
    straight_losses = [event.loss for event in straight.history if isinstance(event, Validation)]
    logged = [event.loss for event in Run.open(tmp_path / "r").history() if isinstance(event, Validation)]
    assert logged == straight_losses or options.get("ensemble")


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_snapshot_is_the_same_after_a_kill(tmp_path: Path, share: float) -> None:
    settings = {**SMALL, "snapshot": True}
    straight = TextGenerator(**settings).fit(REVERSED, callbacks=[])
    with pytest.raises(Killed):
        at = int(share * straight.history[-1].step)
        TextGenerator(**settings).fit(REVERSED, callbacks=[killer(at)], run=tmp_path / "r")
    resumed = TextGenerator.resume(tmp_path / "r", callbacks=[])
    for model in (straight, resumed, TextGenerator.load(tmp_path / "r")):
        assert len(weights(model)) == 2
        assert same(straight, model)
    best, earlier = weights(straight)
    assert any(not torch.equal(best[name], earlier[name]) for name in best)


@pytest.mark.parametrize(("options", "at"), [({}, 0), ({"optimizer": "sgd", "momentum": 0.0}, 3)])
def test_run_resumes_from_a_checkpoint_without_optimizer_moments(tmp_path: Path, options, at: int) -> None:
    settings = {**SMALL, **options}
    with pytest.raises(Killed):
        TextGenerator(**settings).fit(REVERSED, callbacks=[killer(at)], run=tmp_path / "r")
    assert Run.open(tmp_path / "r").checkpoints.steps()[0] == at
    assert same(
        TextGenerator.resume(tmp_path / "r", callbacks=[]), TextGenerator(**settings).fit(REVERSED, callbacks=[])
    )


def test_stopped_run_resumes_to_the_same_weights(tmp_path: Path) -> None:
    controls = Controls()

    def stop(event: Event) -> None:
        if isinstance(event, Checkpoint) and event.step == 10:
            controls.stop()

    stopped = TextGenerator(**SMALL).fit(REVERSED, callbacks=[stop], controls=controls, run=tmp_path / "r")
    assert isinstance(stopped.history[-1], Ended) and stopped.history[-1].reason == "interrupted"
    resumed = TextGenerator.resume(tmp_path / "r", callbacks=[])
    assert same(TextGenerator(**SMALL).fit(REVERSED, callbacks=[]), resumed)


def test_resuming_a_finished_run_returns_its_model(tmp_path: Path) -> None:
    trained = TextGenerator(**SMALL).fit(REVERSED, callbacks=[], run=tmp_path / "r")
    again = TextGenerator.resume(tmp_path / "r", callbacks=[])
    assert same(trained, again)
    assert not [event for event in again.history if isinstance(event, Step)]


def test_the_best_model_can_be_used_while_the_run_trains(tmp_path: Path) -> None:
    used = []

    def use(event: Event) -> None:
        if isinstance(event, Validation) and not used:
            used.append(TextGenerator.load(tmp_path / "r").generate("abc").text)

    TextGenerator(**SMALL).fit(REVERSED, callbacks=[use], run=tmp_path / "r")
    assert used


def test_another_process_watches_and_stops_a_run(tmp_path: Path) -> None:
    watcher = (
        "import sys, time; from nbtextgen import Run\n"
        "run, last = Run.open(sys.argv[1]), ''\n"
        "for event in run.events(follow=True):\n"
        "    kind = type(event).__name__\n"
        "    if kind == 'Validation': run.controls.dropout = 0.05; run.controls.rate_factor = 0.5\n"
        "    if kind == 'Changed': run.controls.stop()\n"
        "    if not last: print(kind)\n"
        "    last = kind\n"
        "print(last)\n"  # no more: a pipe that nobody reads would fill up, and hold up the one who should stop the run
    )
    found: list[subprocess.Popen[str]] = []

    def watch(event: Event) -> None:
        if isinstance(event, Checkpoint) and not found:
            found.append(
                subprocess.Popen(
                    [sys.executable, "-c", watcher, str(tmp_path / "r")], stdout=subprocess.PIPE, text=True
                )
            )

    model = TextGenerator(**{**SMALL, "epochs": 10_000}).fit(REVERSED, callbacks=[watch], run=tmp_path / "r")
    changes = [event for event in model.history if isinstance(event, Changed)]
    assert {(event.setting, event.value) for event in changes} == {("dropout", 0.05), ("rate_factor", 0.5)}
    assert isinstance(model.history[-1], Ended) and model.history[-1].reason == "interrupted"
    assert found[0].communicate()[0].split() == ["Started", "Ended"]


def test_the_log_holds_every_event_and_survives_half_a_line(tmp_path: Path) -> None:
    model = TextGenerator(**SMALL).fit(REVERSED, callbacks=[], run=tmp_path / "r")
    run = Run.open(tmp_path / "r")
    assert list(run.events()) == model.history
    run.log.write_bytes(run.log.read_bytes() + b'{"event": "Ste')
    assert list(run.events()) == model.history
    TextGenerator.resume(tmp_path / "r", callbacks=[])
    assert any(isinstance(event, Resumed) for event in run.events())
    assert b"Ste{" not in run.log.read_bytes()


def test_following_a_log_misses_nothing_when_a_torn_line_is_removed(tmp_path: Path) -> None:
    log, going_on = tmp_path / "events.jsonl", [True]
    first, second = Resumed(7, 1, 0.5), Resumed(8, 1, 0.5)
    predictor = LogWriter(log)
    predictor.append(first)
    log.write_bytes(log.read_bytes() + b'{"event": "Resumed", "at": 1, "st')
    found = read_events(log, lambda: going_on[0])
    assert next(found) == first
    threading.Timer(0.5, lambda: LogWriter(log).append(second)).start()  # the follower has seen the half by then
    assert next(found) == second
    going_on.clear()
    going_on.append(False)
    assert list(found) == []


def test_restarted_worker_obeys_earlier_requests(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        TextGenerator(**SMALL).fit(REVERSED, callbacks=[killer(6)], run=tmp_path / "r")
    run = Run.open(tmp_path / "r")
    run.controls.stop()
    launcher = Lock(tmp_path / "r" / "agent")
    launcher.acquire()  # as torchrun holds it, which starts workers again that died
    events = list(RunTraining(run).run())
    launcher.release()
    assert isinstance(events[-1], Ended) and events[-1].reason == "interrupted"
    assert TextGenerator.resume(tmp_path / "r", callbacks=[]).history[-1].reason == "finished"  # type: ignore[union-attr]


def test_checking_a_lock_does_not_hold_it(
    tmp_path: Path,
) -> None:
    lock, over = Lock(tmp_path / "lock"), threading.Event()
    lock.acquire()
    lock.release()
    said = set()

    def ask() -> None:
        while not over.is_set():
            said.add(Lock(tmp_path / "lock").held())

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    time.sleep(0.3)
    assert said == {False}
    for _ in range(20):
        lock.acquire()
        assert Lock(tmp_path / "lock").held()
        lock.release()
    over.set()
    for asker in askers:
        asker.join()
    lock.acquire()
    with pytest.raises(ModelFileError, match="is being trained by process"):
        Lock(tmp_path / "lock").acquire()
    lock.release()


def test_second_process_can_neither_train_nor_delete_a_run_in_training(tmp_path: Path) -> None:
    said = []

    def second(event: Event) -> None:
        if isinstance(event, Checkpoint) and not said:
            assert runs(tmp_path)[0].state == "training"
            for try_it in (lambda: TextGenerator.resume(tmp_path / "r"), Run.open(tmp_path / "r").delete):
                with pytest.raises(ModelFileError, match="is being trained") as caught:
                    try_it()
                said.append(str(caught.value))

    TextGenerator(**SMALL).fit(REVERSED, callbacks=[second], run=tmp_path / "r")
    assert "process" in said[0]


def test_damaged_checkpoint_falls_back_to_the_previous_one_with_a_warning(tmp_path: Path) -> None:
    straight = TextGenerator(**SMALL).fit(REVERSED, callbacks=[])
    with pytest.raises(Killed):
        TextGenerator(**SMALL).fit(REVERSED, callbacks=[killer(13)], run=tmp_path / "r")
    run = Run.open(tmp_path / "r")
    newest, before = run.checkpoints.steps()
    path = run.checkpoints.path(newest) / "state.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 1
    path.write_bytes(raw)
    best = run.best.path(run.best.steps()[0])
    (best / "nbtextgen.json").unlink()
    resumed = TextGenerator.resume(tmp_path / "r", callbacks=[])
    notes = [event.text for event in resumed.history if isinstance(event, TrainingWarning)]
    assert len(notes) == 1 and "checksum" in notes[0]
    went_on = next(event for event in resumed.history if isinstance(event, Resumed))
    assert went_on.step == before < newest
    assert same(straight, resumed)


def test_runs_are_listed_with_settings_and_scores_and_deleted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert runs() == []
    first = TextGenerator(**SMALL).fit(REVERSED, callbacks=[], run="french")
    second = TextGenerator(**{**SMALL, "hidden_size": 16}).fit(REVERSED, callbacks=[], run=True)
    assert first.run and second.run and first.run.folder.name.startswith("french-")
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "run.json").write_text("{")
    found = {one.name: one for one in runs()}
    assert found["broken"].state == "unreadable" and "cannot be read" in found["broken"].problem
    mine = found[first.run.name]
    last = [event for event in first.history if isinstance(event, Validation) and event.best][-1]
    assert (mine.state, mine.best_loss, mine.best_step) == ("finished", last.loss, last.step)
    assert mine.settings and mine.settings["hidden_size"] == 12
    assert mine.fingerprint == found[second.run.name].fingerprint
    first.run.delete()
    assert first.run.name not in {one.name for one in runs()}
    with pytest.raises(ModelFileError, match="There is no run"):
        Run.open(first.run.folder)


def test_run_refuses_a_folder_with_other_files(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(ModelFileError, match="already exists"):
        TextGenerator(**SMALL).fit(REVERSED, callbacks=[], run=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_live_settings_take_effect_at_once_and_are_logged() -> None:
    controls = Controls()
    during: list[float] = []

    def move(event: Event) -> None:
        if isinstance(event, Validation) and event.epoch == 1:
            controls.dropout, controls.teacher_forcing, controls.rate_factor = 0.6, 0.5, 0.25

    model = TextGenerator(**{**SMALL, "schedule": "constant", "warmup": 0.0})

    def watch(event: Event) -> None:
        move(event)
        if isinstance(event, Step):
            during.append(event.learning_rate)

    model.fit(REVERSED, callbacks=[watch], controls=controls)
    changes = {event.setting: event.value for event in model.history if isinstance(event, Changed)}
    assert changes == {"dropout": 0.6, "teacher_forcing": 0.5, "rate_factor": 0.25}
    plain = TextGenerator(**{**SMALL, "schedule": "constant", "warmup": 0.0}).fit(REVERSED, callbacks=[])
    assert during[-1] == pytest.approx(plain.plan.training.learning_rate * 0.25)
    assert not same(model, plain)
    assert {each.probability for each in model.predictor.networks[0].modules() if hasattr(each, "probability")} == {0.2}


def test_live_settings_survive_a_resume(tmp_path: Path) -> None:
    def run(callbacks, folder):
        controls = Controls()

        def move(event: Event) -> None:
            if isinstance(event, Checkpoint) and event.step == 5:
                controls.dropout, controls.rate_factor = 0.0, 2.0

        return TextGenerator(**SMALL).fit(REVERSED, callbacks=[move, *callbacks], controls=controls, run=folder)

    straight = run([], tmp_path / "one")
    with pytest.raises(Killed):
        run([killer(12)], tmp_path / "two")
    assert same(straight, TextGenerator.resume(tmp_path / "two", callbacks=[]))


def test_pause_does_not_count_as_training_time() -> None:
    controls = Controls()
    events: list[tuple[float, Event]] = []

    def listen(event: Event) -> None:
        events.append((time.perf_counter(), event))
        if isinstance(event, Validation) and event.epoch == 1:
            controls.pause()
            threading.Timer(1.0, controls.resume).start()

    TextGenerator(**SMALL).fit(REVERSED, callbacks=[listen], controls=controls)
    (paused, first), (went_on, second) = [(when, event) for when, event in events if isinstance(event, Changed)]
    assert isinstance(first, Changed) and isinstance(second, Changed) and (first.value, second.value) == (True, False)
    ended = events[-1][1]
    assert isinstance(ended, Ended)
    whole = events[-1][0] - events[0][0]
    assert ended.seconds < whole - 0.5 * (went_on - paused)


def test_a_run_without_a_first_update_can_still_be_resumed(tmp_path: Path) -> None:
    controls = Controls()
    controls.stop()
    with pytest.raises(NotTrainedError):
        TextGenerator(**SMALL).fit(REVERSED, callbacks=[], controls=controls, run=tmp_path / "r")
    with pytest.raises(ModelFileError, match="no model yet"):
        TextGenerator.load(tmp_path / "r")
    resumed = TextGenerator.resume(tmp_path / "r", callbacks=[])
    assert same(resumed, TextGenerator(**SMALL).fit(REVERSED, callbacks=[]))


def test_finished_run_ends_at_once_when_run_again(tmp_path: Path) -> None:
    TextGenerator(**SMALL).fit(REVERSED, callbacks=[], run=tmp_path / "r")
    training = RunTraining(Run.open(tmp_path / "r"))
    events = list(training.run())
    assert isinstance(events[-1], Ended) and events[-1].reason == "finished"
    assert training.predictor() is not None


def test_function_runs_is_not_hidden_by_a_module() -> None:
    code = "import nbtextgen, nbtextgen.notebook; from nbtextgen import Run, runs; print(runs('.'))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
