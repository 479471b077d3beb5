"""What goes wrong while a run trains: said in a sentence, nothing lost."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nbtextgen import Pairs, Run, TextGenerator, runs
from nbtextgen.core.errors import ModelFileError
from nbtextgen.model.memory import in_fitting_parts
from nbtextgen.training.controls import Controls
from nbtextgen.training.events import Checkpoint, Ended, Event, Step, TrainingWarning, Validation
from nbtextgen.training.step import Update, Updater

WORDS = ["".join(letters) for letters in itertools.product("abcd", repeat=3)]
REVERSED = Pairs(WORDS, [word[::-1] for word in WORDS])
SMALL = {"hidden_size": 12, "embedding_size": 8, "batch_size": 8, "epochs": 3, "checkpoint_seconds": 0.0, "samples": 0}


def notes(model: TextGenerator) -> list[str]:
    return [event.text for event in model.history if isinstance(event, TrainingWarning)]


def same(first: TextGenerator, second: TextGenerator) -> bool:
    one, other = (each.predictor.networks[0].state_dict() for each in (first, second))
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of half a megabyte that really fills up; needs the right to mount (the tests' machine has it)."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=640k", "tmpfs", str(place)], capture_output=True)
    if made.returncode:  # no right to mount: a limit on the size of files gives the same error class from the kernel
        yield None
        return
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_full_disk_is_reported_once_and_the_run_can_be_resumed(small_disk: Path | None) -> None:
    if small_disk is None:
        device = Path("/dev/full")
        with pytest.raises(OSError) as refused, device.open("wb", buffering=0) as file:
            file.write(b"x")
        assert refused.value.errno == errno.ENOSPC
        return
    filled: list[int] = []

    def fill(event: Event) -> None:
        if isinstance(event, Checkpoint) and event.step == 4:
            with (small_disk / "filler").open("wb", buffering=0) as file:
                try:
                    while True:
                        filled.append(file.write(b"\0" * 4096))
                except OSError as error:
                    assert error.errno == errno.ENOSPC

    model = TextGenerator(**SMALL).fit(REVERSED, callbacks=[fill], run=small_disk / "r")
    assert same(model, TextGenerator(**SMALL).fit(REVERSED, callbacks=[]))
    said = notes(model)
    assert 1 <= len(said) <= 3 and len(said) == len(set(said))
    assert all("No space left" in text and "training goes on" in text for text in said)
    run = Run.open(small_disk / "r")
    assert run.checkpoint() is not None
    (small_disk / "filler").unlink()
    assert same(model, TextGenerator.resume(run.folder, callbacks=[]))


def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelFileError, match="could not be made at .*file"):
        TextGenerator(**SMALL).fit(REVERSED, callbacks=[], run=tmp_path / "file" / "r")
    assert (tmp_path / "file").read_text() == ""


def test_a_run_on_a_read_only_disk_is_read_but_not_written(small_disk: Path | None, tmp_path: Path) -> None:
    if small_disk is None and os.geteuid() == 0:
        return  # who is root writes anywhere else
    place = small_disk or tmp_path
    model = TextGenerator(**SMALL).fit(REVERSED, callbacks=[], run=place / "r")
    freeze = ["mount", "-o", "remount,ro", str(place)] if small_disk else ["chmod", "-R", "a-w", str(place)]
    subprocess.run(freeze, check=True)
    try:
        assert same(TextGenerator.load(place / "r"), model)
        assert [run.state for run in runs(place)] == ["finished"]
        for write, said in (
            (lambda: TextGenerator.resume(place / "r", callbacks=[]), "cannot be written to .*resume a copy"),
            (lambda: TextGenerator(**SMALL).fit(REVERSED, callbacks=[], run=place / "s"), "could not be made at .*s"),
            (lambda: model.save(place / "m"), "m cannot be written"),
            (lambda: model.export("onnx", place / "m"), "m cannot be written"),
            (lambda: Run.open(place / "r").delete(), "could not be deleted"),
        ):
            with pytest.raises(ModelFileError, match=said):
                write()
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(place)], capture_output=True)


def test_folder_deleted_during_training_loses_the_files_but_not_the_model(tmp_path: Path) -> None:
    def delete(event: Event) -> None:
        if isinstance(event, Checkpoint) and event.step == 5:
            shutil.rmtree(tmp_path / "r")

    model = TextGenerator(**SMALL).fit(REVERSED, callbacks=[delete], run=tmp_path / "r")
    assert same(model, TextGenerator(**SMALL).fit(REVERSED, callbacks=[]))
    said = notes(model)
    assert said and len(said) == len(set(said)) and all("the folder is gone" in text for text in said)
    assert TextGenerator.load(model.save(tmp_path / "m")).generate("abc").text == model.generate("abc").text


UNPRIVILEGED = """
import os, sys
from pathlib import Path
import numpy.random
from nbtextgen import TextGenerator
from nbtextgen.pipeline import calibration, fit
from nbtextgen.training.events import Checkpoint
if os.geteuid() == 0:
    os.setresuid(65534, 65534, 65534)  # whom modes bind
run = Path(sys.argv[1]) / "r"
def close(event):
    if isinstance(event, Checkpoint) and event.step == 5:
        run.chmod(0)
pairs = [("".join(word), "".join(reversed(word))) for word in __import__("itertools").product("abcd", repeat=3)]
try:
    model = TextGenerator(hidden_size=8, epochs=3, batch_size=8, checkpoint_seconds=0.0).fit(pairs, callbacks=[close], run=run)
    print(model.generate("abc").text != "", end="")
finally:
    run.chmod(0o755)
"""


def test_a_folder_that_is_closed_during_training_costs_the_files_but_not_the_model() -> None:
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o777)
        made = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, place], capture_output=True, text=True, timeout=120, cwd=place
        )
    assert made.stdout == "True", made.stderr


def test_clock_jumps_do_not_change_the_result(tmp_path: Path, monkeypatch) -> None:
    real = time.time
    jumps = itertools.count()
    monkeypatch.setattr(time, "time", lambda: real() + 1e6 * (-1) ** next(jumps))
    model = TextGenerator(**SMALL).fit(REVERSED, callbacks=[], run=tmp_path / "r")
    assert same(model, TextGenerator.resume(tmp_path / "r", callbacks=[]))
    assert [event for event in Run.open(tmp_path / "r").events() if isinstance(event, Ended)][-1].seconds >= 0


def test_exploding_loss_restores_the_last_good_weights_and_recovers() -> None:
    controls = Controls()

    def burst(event: Event) -> None:
        if isinstance(event, Validation) and event.epoch == 2:
            controls.rate_factor = 1000.0

    model = TextGenerator(**{**SMALL, "epochs": 8, "optimizer": "sgd", "learning_rate": 1.0, "clip": 0.0}).fit(
        REVERSED, callbacks=[burst], controls=controls
    )
    assert len(notes(model)) == 1 and "last good state" in notes(model)[0]
    assert "the learning rate times 1000, set by hand: that is undone" in notes(model)[0] and controls.rate_factor == 1
    assert isinstance(model.history[-1], Ended) and model.history[-1].reason == "finished"
    assert all(torch.isfinite(value).all() for value in model.predictor.networks[0].state_dict().values())


def test_a_setting_changed_by_hand_never_ends_a_run() -> None:
    def steer(event: Event) -> None:
        if isinstance(event, Validation) and event.epoch == 20:
            controls.dropout = 0.99

    controls = Controls()
    # Learned within 20 epochs; with this dropout nothing is left of it.
    rows = Pairs(WORDS, [word[0] * 12 for word in WORDS])
    model = TextGenerator(**{**SMALL, "epochs": 30, "learning_rate": 0.02, "patience": 99}).fit(
        rows, callbacks=[steer], controls=controls
    )
    assert (
        not any("went up" in note for note in notes(model))
        and model.history[-1].reason == "finished"
        and controls.dropout == 0.99
    )
    losses = [event.loss for event in model.history if isinstance(event, Step)]
    assert losses[-1] > 2 * min(losses) + 0.5


def test_training_stops_if_the_loss_explodes_after_three_setbacks() -> None:
    model = TextGenerator(**{**SMALL, "epochs": 50, "optimizer": "sgd", "learning_rate": 100.0, "clip": 0.0})
    model.fit(REVERSED, callbacks=[])
    assert len(notes(model)) == 2 and "after 3 returns" in notes(model)[1]
    assert isinstance(model.history[-1], Ended) and model.history[-1].reason == "diverged"
    assert all(torch.isfinite(value).all() for value in model.predictor.networks[0].state_dict().values())


@pytest.mark.parametrize(("odd", "returns"), [((30,), 0), ((30, 31), 0), ((30, 32, 33), 0), ((30, 31, 32), 1)])
def test_a_batch_of_odd_pairs_is_no_explosion(monkeypatch, odd: tuple[int, ...], returns: int) -> None:
    update, done = Updater.update, 0

    def updated(self: Updater, *given: object) -> Update:
        nonlocal done
        done += 1
        result = update(self, *given)
        return replace(result, loss=20.0 * result.tokens) if done in odd else result

    monkeypatch.setattr(Updater, "update", updated)
    model = TextGenerator(**{**SMALL, "epochs": 20, "patience": 99}).fit(REVERSED, callbacks=[])
    assert len(notes(model)) == returns and model.history[-1].reason == "finished"


def test_one_row_for_which_onednn_has_no_memory_is_computed_without_it() -> None:
    tried = list[tuple[int, bool]]()

    def compute(rows: np.ndarray) -> int:
        tried.append((len(rows), torch.backends.mkldnn.enabled))
        if torch.backends.mkldnn.enabled:
            raise RuntimeError("could not create a primitive")
        return int(rows.sum())

    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = True
    try:
        parts = [(rows.tolist(), result) for rows, result in in_fitting_parts(compute, np.arange(3))]
        assert torch.backends.mkldnn.enabled
    finally:
        torch.backends.mkldnn.enabled = before
    assert parts == [([0], 0), ([1, 2], 3)]
    assert tried == [(3, True), (1, True), (1, False), (2, False)]


@pytest.mark.parametrize("megabytes", [150, 200])
def test_batch_too_large_for_memory_is_split_and_reported_once(megabytes: int) -> None:
    code = f"""
import resource, sys
import numpy, torch
from nbtextgen import TextGenerator
torch.set_num_threads(1)
def settings(count):
    return dict(hidden_size=64, embedding_size=64, batch_size=count, batch_tokens=10**6, epochs=1, tokens="char",
                precision="fp32", samples=0, valid_fraction=0.0, dropout=0.0, augment="none")
pairs = [(chr(97 + n % 26) * 200, chr(97 + n % 25) * 200) for n in range(256)]
TextGenerator(**settings(2)).fit(pairs[:8], callbacks=[])                        # everything is loaded and warm
numpy.ones((600, 300)) @ numpy.ones((300, 600))  # also OpenBLAS, which in NumPy 2.0 waits for its memory for ever
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {megabytes} * 2**20,) * 2)
model = TextGenerator(**settings(256)).fit(pairs, callbacks=[])
texts = [event.text for event in model.history if type(event).__name__ == "TrainingWarning"]
texts = [text for text in texts if "planned" not in text]
print(len(texts))
print(texts[0])
print(model.history[-1].reason, model.history[-1].step)
sources = [source for source, _ in pairs]
print(len(model.generate(sources, batch_size=256)), len(model.log_probabilities(pairs)))
explanation = model.explain(sources[0], target="abcde" * 20, unit="char", budget=1000, batch_size=1000, faithfulness=False)
print(explanation.evaluations > 900)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    count, text, end, outputs, explained = done.stdout.strip().splitlines()[-5:]
    assert count == "1" and "did not fit into the memory" in text
    assert end == "finished 1" and outputs == "256 256" and explained == "True"
