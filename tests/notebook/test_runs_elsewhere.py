"""Runs that are not in the folder ``runs``: found, shown and stopped from the notebook."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbtextgen import LaunchConfig, Run, TextGenerator
from nbtextgen.run.launch import end
from nbtextgen.training.events import Event, Validation
from tests.processes import wait_for

WORDS = ["".join(letters) for letters in itertools.product("abc", repeat=3)]
PAIRS = [(word, word[::-1]) for word in WORDS]
SMALL = {"hidden_size": 8, "embedding_size": 8, "samples": 0, "checkpoint_seconds": 0.0, "epochs": 100_000}


@pytest.fixture
def shell(tmp_path: Path, monkeypatch) -> InteractiveShell:
    monkeypatch.chdir(tmp_path)
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "nbtextgen")
    return shell


def test_a_run_in_another_folder_is_found_and_stopped_while_it_trains(shell, tmp_path: Path, capsys) -> None:
    texts: list[str] = []

    def look(event: Event) -> None:
        if isinstance(event, Validation) and not texts:
            texts.append(repr(shell.run_line_magic("textgen_runs", "")))
            shell.run_line_magic("textgen_runs", "stop mine")
            texts.append(capsys.readouterr().out)

    model = shell.user_ns["m"] = TextGenerator(**SMALL)
    model.fit(PAIRS, callbacks=[look], run=tmp_path / "elsewhere" / "mine-1")
    assert "mine-1" in texts[0] and "training" in texts[0]
    assert "mine-1 stops after its current update" in texts[1]
    shell.run_line_magic("textgen_runs", f"open {tmp_path}/elsewhere/mine-1 --into best")
    assert shell.user_ns["best"].generate("abc").input_tokens


def test_a_detached_run_is_seen_from_its_own_kernel(shell, tmp_path: Path, capsys) -> None:
    model = shell.user_ns["fr2"] = TextGenerator(**SMALL)
    model.fit(PAIRS, run=tmp_path / "elsewhere" / "fr2-1", launch=LaunchConfig(detach=True))
    run = Run.open(tmp_path / "elsewhere" / "fr2-1")
    try:
        # The best weights are kept before the validation is written to the run's history.
        assert wait_for(lambda: any(isinstance(event, Validation) for event in run.history()))
        history = shell.run_line_magic("textgen_panel", "fr2 --kind history")
        assert "validation loss" in repr(history)
        shell.run_line_magic("textgen_panel", "fr2")
        training = shell.magics_manager.magics["line"]["textgen_panel"].__self__.session.trainings["fr2"]
        assert training.running
        shell.run_line_magic("textgen_runs", "stop fr2")
        assert "fr2-1 stops after its current update" in capsys.readouterr().out
        assert wait_for(lambda: not run.training) and wait_for(lambda: not training.running)
    finally:
        end(run)
