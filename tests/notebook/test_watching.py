"""A run that outlives its kernel: the next one finds it, watches it, stops it and writes with its model."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbtextgen import LaunchConfig, Run, TextGenerator
from nbtextgen.notebook.reattach import watch_run
from nbtextgen.run.launch import end
from nbtextgen.training.events import Changed
from tests.processes import wait_for

WORDS = ["".join(letters) for letters in itertools.product("abc", repeat=3)]
SMALL = {"hidden_size": 8, "embedding_size": 8, "samples": 0, "checkpoint_seconds": 0.0, "epochs": 100_000}


def test_the_next_kernel_finds_watches_steers_and_stops_a_detached_run(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    TextGenerator(**SMALL).fit(
        [(word, word[::-1]) for word in WORDS], run=Path("runs") / "words-1", launch=LaunchConfig(detach=True)
    )
    run = Run.open("runs/words-1")
    try:
        assert wait_for(lambda: bool(run.best.steps()))
        shell = InteractiveShell()  # as after a restart: it knows of nothing
        shell.run_line_magic("load_ext", "nbtextgen")
        shell.run_line_magic("textgen_panel", "words")
        magic = shell.magics_manager.magics["line"]["textgen_panel"].__self__
        training = magic.session.trainings["words"]
        assert training.running and wait_for(lambda: training.record.started is not None)
        training.controls.rate_factor = 0.5
        assert wait_for(
            lambda: any(isinstance(event, Changed) and event.setting == "rate_factor" for event in run.events())
        )
        shell.run_line_magic("textgen_runs", "stop words-1")
        assert "words-1 stops after its current update" in capsys.readouterr().out
        assert wait_for(lambda: not training.running) and wait_for(lambda: not run.training)
        assert training.worker.error is None
        assert shell.user_ns["words"].generate("abc").input_tokens
    finally:
        end(run)


def test_watching_ends_without_ending_the_training_and_end_ends_it(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    TextGenerator(**SMALL).fit([(word, word) for word in WORDS], run=folder, launch=LaunchConfig(detach=True))
    run = Run.open(folder)
    try:
        assert wait_for(lambda: bool(run.best.steps()))

        def leave(event: object) -> None:
            raise KeyboardInterrupt

        model = watch_run(run, callbacks=[leave])
        assert model.generate("abc").input_tokens and run.training
        shell = InteractiveShell()
        shell.run_line_magic("load_ext", "nbtextgen")
        shell.run_line_magic("textgen_runs", f"end r --folder {tmp_path}")
        assert wait_for(lambda: not run.training)
    finally:
        end(run)


@pytest.mark.parametrize("action", ["stop", "end"])
def test_a_run_that_nobody_trains_cannot_be_stopped(tmp_path: Path, action: str, capsys) -> None:
    TextGenerator(**{**SMALL, "epochs": 1}).fit([(word, word) for word in WORDS], run=tmp_path / "r", callbacks=[])
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "nbtextgen")
    shell.run_line_magic("textgen_runs", f"{action} r --folder {tmp_path}")
    assert "r is not in training" in capsys.readouterr().out
