"""Starting several processes: mistakes and errors of workers are named at once."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nbtextgen import LaunchConfig, Pairs, Run, TextGenerator
from nbtextgen.core.errors import LaunchError, ModelFileError
from nbtextgen.pipeline.dataset import prepare_data
from nbtextgen.run.launch import LaunchedTraining
from nbtextgen.run.lock import Lock
from tests.processes import wait_for

WORDS = ["".join(letters) for letters in itertools.product("abcd", repeat=3)]
REVERSED = Pairs(WORDS, [word[::-1] for word in WORDS])
SMALL = {"hidden_size": 12, "embedding_size": 8, "batch_size": 11, "epochs": 2, "samples": 0, "checkpoint_seconds": 0.0}


def make_run(folder: Path, pairs: Pairs = REVERSED) -> Run:
    options = TextGenerator(**SMALL).get_params()
    return Run.create(folder, prepare_data(options, pairs), options)


def test_error_of_fit_names_the_error_of_the_worker(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if os.environ.get('RANK') == '1':\n"
        "    from nbtextgen.training.step import Updater\n"
        "    Updater.update = lambda *arguments: 1 / 0\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    model = TextGenerator(**SMALL)
    launch = LaunchConfig(processes=2, restarts=0)
    place = r"in update 1, on \d training pairs, the first of them [a-d]{3} -> [a-d]{3}"
    with pytest.raises(LaunchError, match=f"ZeroDivisionError in process 1: division by zero, {place}"):
        model.fit(REVERSED, run=tmp_path / "r", launch=launch, callbacks=[])
    assert not Run.open(tmp_path / "r").training


def test_port_in_use_is_refused_at_once(tmp_path: Path) -> None:
    run, began = make_run(tmp_path / "r"), time.monotonic()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = LaunchConfig(processes=2, rendezvous=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(LaunchError, match="Port .* of 127.0.0.1 is in use; choose another one"):
            LaunchedTraining(run, config).start()
    with pytest.raises(LaunchError, match="a name and a free port of this machine"):
        LaunchedTraining(run, LaunchConfig(processes=2, rendezvous="192.0.2.1:29500")).start()
    assert time.monotonic() - began < 30 and not run.training


@pytest.mark.parametrize("address", ["host", "host:", ":29500", "host:x", "host:0", "host:70000", "29500"])
def test_invalid_rendezvous_is_refused(address: str) -> None:
    with pytest.raises(LaunchError, match="rendezvous must be HOST:PORT"):
        LaunchConfig(nodes=2, rendezvous=address)


def test_more_processes_than_cores_or_pairs_are_reported(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", REVERSED[:12])
    notes = LaunchedTraining(run, LaunchConfig(processes=1000)).notes()
    assert "1000 processes share" in notes[0] and "lower --processes" in notes[0]
    assert "1000 processes train on 1" in notes[1]
    assert LaunchedTraining(run, LaunchConfig(processes=1)).notes() == []


def test_error_of_a_second_training_names_process_host_and_time(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    lock.acquire()
    pattern = rf"process {os.getpid()} on {socket.gethostname()} since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d"
    with pytest.raises(ModelFileError, match=pattern):
        Lock(tmp_path / "lock").acquire()
    lock.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    lock.acquire()
    child = os.fork()
    if child == 0:
        time.sleep(20)
        os._exit(0)
    try:
        assert Lock(tmp_path / "lock").held()
        lock.release()
        assert wait_for(lambda: not Lock(tmp_path / "lock").held(), 10)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_acquire_waits_until_a_killed_holder_has_ended(tmp_path: Path) -> None:
    code = (
        "import os, sys, threading, time, numpy\n"
        "from pathlib import Path\n"
        "from nbtextgen.run.lock import Lock\n"
        "Lock(Path(sys.argv[1])).acquire()\n"
        "memory = [numpy.ones(40_000_000, 'float32') for _ in range(4)]\n"
        "for _ in range(6): threading.Thread(target=lambda: [memory[0].sum() for _ in range(10**9)], daemon=True).start()\n"
        "print(flush=True)\n"
        "time.sleep(1000)\n"
    )
    code = code.replace("Lock(Path(sys.argv[1])).acquire()", "lock = Lock(Path(sys.argv[1])); lock.acquire()")
    for _ in range(3):
        holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "lock")], stdout=subprocess.PIPE)
        assert holder.stdout is not None
        holder.stdout.readline()
        time.sleep(0.2)
        holder.kill()
        lock = Lock(tmp_path / "lock")
        lock.acquire()  # not refused although the killed process may still be ending
        lock.release()
        holder.communicate()
