"""A kill before any one of the changes that writing makes to the disk: what is there afterwards is whole, and writing goes on.

A script does the writing in forks of itself, one for each change, in which an audit hook kills the process just before it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = '''
import json, os, shutil, signal, sys
from pathlib import Path

import torch

torch.set_num_threads(1)
from nbtextgen import Run, TextGenerator
from nbtextgen.data.token_store import open_store
from nbtextgen.pipeline.dataset import prepare_data
from nbtextgen.data.parallel_tokenization import tokenize_pairs
from nbtextgen.tokenizers.registry import train_tokenizer
from nbtextgen.core.files import as_json, read_json, recover, replaced, write
from nbtextgen.training.checkpoints import CheckpointSeries, read_state, write_state
from nbtextgen.training.state import TrainerState

CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod")
PLACE = Path(sys.argv[1])


def kill_at(number):
    """From here on, end this process by SIGKILL just before the change of that number."""
    seen = 0

    def look(event, arguments):
        nonlocal seen
        flags = arguments[2] if event == "open" else 0
        if event in CHANGES or (event == "open" and isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)


def kills(name, prepare, act, check):
    """Kill ``act`` before each of its changes, on what ``prepare`` made; ``check`` looks, and goes on. Gives how many."""
    number = 0
    while True:
        number += 1
        place = PLACE / f"{name}-{number}"
        place.mkdir()
        prepare(place)
        process = os.fork()
        if not process:
            kill_at(number)
            act(place)
            os._exit(0)
        status = os.waitpid(process, 0)[1]
        natural = not os.WIFSIGNALED(status)
        assert natural is False or os.WEXITSTATUS(status) == 0
        check(place)
        left = [path.name for path in place.rglob(".*")]
        assert not left, (number, left)
        shutil.rmtree(place)
        if natural:
            return number - 1


# Checkpoints ----------------------------------------------------------------------------------------------------------

ORDER = [10, 20, 30, 30, 40, 25, 35]  # one is written again; from 40 back to 25 as after damage, on another course


def commit(place, step):
    state = TrainerState({"weights": {"one": torch.full((3,), float(step))}}, {"progress": {"step": step}})
    CheckpointSeries(place / "checkpoints").commit(step, lambda folder: write_state(folder, state))


def write_checkpoints(place):
    done = os.open(place / "done", os.O_WRONLY | os.O_CREAT)
    for step in ORDER:
        commit(place, step)
        os.pwrite(done, b"%d" % step, 0)


def check_checkpoints(place):
    series = CheckpointSeries(place / "checkpoints")
    said = (place / "done").read_text() if (place / "done").exists() else ""
    before = series.newest(read_state)
    assert before is None or not before.skipped, before
    series.sweep()
    found = series.newest(read_state)
    assert (found is None) <= (not said), (said, found)
    if found is not None:
        assert not found.skipped and int(found.content.group("weights")["one"][0]) == found.step
        assert found.step >= min(int(said or 0), 25), (said, found.step)
    commit(place, 50)
    assert series.newest(read_state).step == 50 and len(series.steps()) <= 2


# Folders that are replaced --------------------------------------------------------------------------------------------


def save(place, text):
    with replaced(place / "model", "manifest.json", "a model") as work:
        write(work / "text", text.encode())
        write(work / "manifest.json", as_json({"text": text}))


def check_saved(place):
    recover(place / "model", "manifest.json")
    kept = (place / "model" / "text").read_text()
    assert read_json(place / "model" / "manifest.json") == {"text": kept} and kept in ("old", "new")
    shutil.rmtree(place / "model")
    save(place, "newer")
    for path in place.glob(".model.*"):  # half a folder whose writer nobody can know to be dead
        assert not path.name.endswith(".old")
        shutil.rmtree(path)


# Tokens ---------------------------------------------------------------------------------------------------------------

ROWS = [(f"row {number}", "x") for number in range(50)]
tokenizer = train_tokenizer(["row 0123456789 x"], "char")


def store(place, key):
    return open_store(place / "store", key, tokenizer, tokenizer) or tokenize_pairs(
        ROWS if key == "new" else ROWS[:20], place / "store", tokenizer, tokenizer, key=key, workers=1
    )


def check_store(place):
    assert len(store(place, "old").examples) == 20
    assert len(store(place, "new").examples) == 50


# Runs -----------------------------------------------------------------------------------------------------------------


def begin(place):
    words = ["ab", "ba", "abc", "cab", "bca", "abca", "bb", "cc"]
    options = TextGenerator(hidden_size=8, embedding_size=8, epochs=1).get_params()
    Run.create(place / "r", prepare_data(options, list(zip(words, words))), options)


def check_run(place):
    if not Run.is_run(place / "r"):
        assert not (place / "r").exists()
        begin(place)
    run = Run.open(place / "r")
    assert len(run.training_data().train) > 4
    for path in place.glob(".r.*"):
        shutil.rmtree(path)


def nothing(place):
    """There is nothing before."""


found = {
    "checkpoints": kills("checkpoints", nothing, write_checkpoints, check_checkpoints),
    "saved": kills("saved", lambda place: save(place, "old"), lambda place: save(place, "new"), check_saved),
    "store": kills("store", lambda place: store(place, "old"), lambda place: store(place, "new"), check_store),
    "run": kills("run", nothing, begin, check_run),
}
print(json.dumps(found))
'''


@pytest.fixture(scope="module")
def kills(tmp_path_factory) -> dict[str, int]:
    """How many kills each kind of writing got over."""
    place = tmp_path_factory.mktemp("kills")
    (place / "script.py").write_text(SCRIPT)
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(place / "script.py"), str(place)], capture_output=True, text=True, env=variables
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("what", "least"), [("checkpoints", 40), ("saved", 8), ("store", 10), ("run", 10)])
def test_kill_before_any_disk_write_leaves_valid_files(kills, what, least) -> None:
    assert kills[what] >= least
