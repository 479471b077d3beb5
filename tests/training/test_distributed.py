"""Several processes on one run: real torchrun, real kills."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nbtextgen import LaunchConfig, Pairs, Run, TextGenerator, runs
from nbtextgen.cli import main
from nbtextgen.cli.run_file import run_settings
from nbtextgen.core.errors import OptionError
from nbtextgen.pipeline.dataset import prepare_data
from nbtextgen.run.launch import command, end
from nbtextgen.training.distributed import ProcessGroup
from nbtextgen.training.events import Checkpoint, Ended, Resumed, Started, Validation
from tests.processes import alive, children, wait_for

WORDS = ["".join(letters) for letters in itertools.product("abcd", repeat=3)]
REVERSED = Pairs(WORDS, [word[::-1] for word in WORDS])
SMALL = {
    "hidden_size": 12,
    "embedding_size": 8,
    "dropout": 0.0,
    "batch_size": 11,
    "precision": "fp32",
    "samples": 0,
    "checkpoint_seconds": 0.0,
}


def agent(run: Run) -> int:
    return json.loads((run.folder / "launch.json").read_text())["process"]


def test_two_processes_follow_the_curve_of_one(tmp_path: Path) -> None:
    options = {**SMALL, "epochs": 3, "accumulate": 2, "copy": True, "select_by": "exact", "average": "ema"}
    alone = TextGenerator(**options).fit(REVERSED, callbacks=[])
    together = TextGenerator(**options).fit(REVERSED, callbacks=[], run=tmp_path / "r", processes=2)
    curves = [[(e.loss, e.metric) for e in one.history if isinstance(e, Validation)] for one in (alone, together)]
    assert len(curves[0]) == 3
    np.testing.assert_allclose(curves[0], curves[1], atol=1e-5)
    for first, second in zip(alone.predictor.networks, together.predictor.networks, strict=True):
        for name, value in first.state_dict().items():
            torch.testing.assert_close(second.state_dict()[name], value, atol=2e-4, rtol=1e-3)


def test_a_detached_run_is_found_watched_restarted_after_a_kill_and_stopped(tmp_path: Path) -> None:
    model = TextGenerator(**SMALL, epochs=100_000)
    model.fit(REVERSED, run=tmp_path / "r", launch=LaunchConfig(processes=2, detach=True))
    run = Run.open(tmp_path / "r")  # as a new kernel would
    try:
        assert wait_for(lambda: run.checkpoints.steps()[:1] > [8] and run.best.steps())
        assert runs(tmp_path)[0].state == "training"
        assert model.generate("abc").input_tokens
        os.kill(children(agent(run))[-1], signal.SIGKILL)
        assert wait_for(lambda: _resumed_and_past(run) >= 8)
        assert sum(isinstance(event, Started) for event in run.events()) == 2
        run.controls.stop()
        assert wait_for(lambda: not run.training)
        assert [event.reason for event in run.history() if isinstance(event, Ended)] == ["interrupted"]
        assert wait_for(lambda: not children(agent(run)))
        assert TextGenerator.load(tmp_path / "r").generate("abc").input_tokens
    finally:
        end(run)


def _resumed_and_past(run: Run) -> int:
    """The update that the run was resumed from, once a later checkpoint is there; before that -1."""
    resumed, past = -1, False
    for event in run.events():
        if isinstance(event, Resumed):
            resumed, past = event.step, False
        past = past or (resumed >= 0 and isinstance(event, Checkpoint) and event.step > resumed)
    return resumed if past else -1


def test_a_killed_kernel_leaves_no_process_and_a_run_that_can_be_ended(tmp_path: Path) -> None:
    code = (
        "import sys, itertools; from nbtextgen import TextGenerator\n"
        "words = [''.join(w) for w in itertools.product('abcd', repeat=3)]\n"
        f"TextGenerator(epochs=100_000, **{SMALL!r}).fit(list(zip(words, words)), run=sys.argv[1], processes=2)"
    )
    kernel = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "r")], stdout=subprocess.DEVNULL)
    assert wait_for(lambda: (tmp_path / "r" / "launch.json").exists() and Run.open(tmp_path / "r").checkpoints.steps())
    run = Run.open(tmp_path / "r")
    started = [agent(run), *children(agent(run))]
    assert len(started) == 3
    kernel.kill()
    kernel.wait()
    # How many seconds that takes, benchmarks/restarts.py prints.
    assert wait_for(lambda: not any(map(alive, started)))
    # The first thread of a killed process ends before the last one does, and the lock is free after the last.
    assert wait_for(lambda: not run.training)
    model = TextGenerator(**SMALL, epochs=100_000)
    model.fit(REVERSED, run=tmp_path / "s", launch=LaunchConfig(detach=True))
    second = Run.open(tmp_path / "s")
    assert wait_for(second.checkpoints.steps)
    assert end(second) and wait_for(lambda: not second.training)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_batches_are_split_between_processes_by_tokens(size: int) -> None:
    lengths = np.arange(1, 200)
    rows = np.arange(40, 140)
    parts = [ProcessGroup(rank, size).share(rows, lengths) for rank in range(size)]
    assert np.array_equal(np.concatenate(parts), rows)
    totals = [int(lengths[part].sum()) for part in parts]
    assert max(totals) - min(totals) <= 2 * lengths[rows].max()
    assert sum(len(ProcessGroup(rank, 5).share(rows[:2], lengths)) for rank in range(5)) == 2


def test_command_line_trains_resumes_and_refuses_changed_settings(tmp_path: Path, capsys) -> None:
    (tmp_path / "pairs.tsv").write_text("\n".join(f"{word}\t{word[::-1]}" for word in WORDS))
    settings = (
        f'run = "{tmp_path}/r"\ndata = "{tmp_path}/pairs.tsv"\nhidden-size = 12\nembedding_size = 8\nepochs = 1\n'
    )
    toml = tmp_path / "run.toml"
    toml.write_text(settings)
    assert main(["train", str(toml)]) == 0
    assert "finished" in capsys.readouterr().out
    assert main(["train", str(toml)]) == 0 and main(["train", str(tmp_path / "r")]) == 0
    toml.write_text(settings.replace("size = 12", "size = 16"))
    assert main(["train", str(toml)]) == 1
    assert "--hidden-size 12, not 16" in capsys.readouterr().err
    toml.write_text(settings + "hiden-size = 3\n")
    with pytest.raises(OptionError, match="Did you mean 'hidden_size'"):
        run_settings(toml)


def test_launch_command_has_rendezvous_and_folder(tmp_path: Path) -> None:
    options = TextGenerator(**SMALL).get_params()
    run = Run.create(tmp_path / "r", prepare_data(options, REVERSED), options)
    words = command(run, LaunchConfig(nodes=4, processes=2, rendezvous="host:29500"))
    assert {"--nnodes=1:4", "--nproc-per-node=2", "--rdzv-endpoint=host:29500"} <= set(words)
    assert words[-1] == str(run.folder.resolve())
    with pytest.raises(Exception, match="rendezvous=HOST:PORT"):
        LaunchConfig(nodes=2)
