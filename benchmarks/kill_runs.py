"""Kill a training at random moments, preparing and checkpointing included, and resume it every time.

    python benchmarks/kill_runs.py --kills 200

Each life of the run is a fresh process that ends by SIGKILL after a random while. Prints how often the run went on, how
many updates each kill cost, whether any file was found broken, and whether the last weights are, to the bit, those of a
run that was never killed.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean

SECONDS_BETWEEN_CHECKPOINTS = 0.5
SETTINGS = {
    "hidden_size": 24,
    "embedding_size": 16,
    "batch_size": 16,
    "samples": 1,
    "checkpoint_seconds": SECONDS_BETWEEN_CHECKPOINTS,
    "validate_every": 40,
}


def data() -> list[tuple[str, str]]:
    """Words and their mirror images."""
    words = ["".join(letters) for letters in itertools.product("abcde", repeat=4)]
    return [(word, word[::-1]) for word in words]


def life(folder: Path, epochs: int) -> None:
    """One life: begin the run, or go on with it."""
    from nbtextgen import Run, TextGenerator

    if Run.is_one(folder):
        TextGenerator.resume(folder, listeners=[])
    else:
        TextGenerator(**SETTINGS, epochs=epochs).fit(data(), listeners=[], run=folder)


def killed(folder: Path, epochs: int, rng: random.Random) -> bool:
    """Start a life and kill it after a random while; says whether it ended by itself before."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, __file__, "--life", str(folder), "--epochs", str(epochs)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()  # everything is imported: from here on it works on the run
    try:
        process.wait(rng.uniform(0.0, 4.0))
        return True
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False


def standing(folder: Path) -> tuple[int, int, int]:
    """Update of the newest good checkpoint, the last update that the log knows of, and how many files are broken."""
    from nbtextgen import Run
    from nbtextgen.training.events import Resumed, Step

    if not Run.is_one(folder):
        return 0, 0, 0
    run = Run.open(folder)
    run.material()
    found = run.checkpoint()
    best = run.best.newest(lambda path: path) and run.best_model()
    broken = (len(found.skipped) if found else 0) + (len(best.skipped) if best else 0)
    last = 0
    for event in run.events():
        last = event.step if isinstance(event, (Step, Resumed)) else last
    return found.step if found else 0, last, broken


def main() -> int:
    """Kill, resume, count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--life", type=Path)
    given = parser.parse_args()
    if given.life:
        import torch

        import nbtextgen.generator  # noqa: F401

        torch.set_num_threads(1)
        print("ready", flush=True)
        life(given.life, given.epochs)
        return 0
    from nbtextgen import TextGenerator

    place, rng, began = Path(tempfile.mkdtemp(prefix="nbtextgen-kills-")), random.Random(given.seed), time.monotonic()
    kills = rounds = broken = unmade = equal = 0
    lost: list[int] = []
    while kills < given.kills:
        rounds += 1
        folder, over = place / f"run-{rounds}", False
        while not over and kills < given.kills:
            over = killed(folder, given.epochs, rng)
            if not over:
                kills += 1
                checkpoint, last, bad = standing(folder)
                broken += bad
                unmade += not folder.exists()
                lost.append(last - checkpoint)
                left = [path for path in place.iterdir() if path.name.startswith(".")]
                for path in left:  # half a run folder from before it appeared: a person would delete it
                    shutil.rmtree(path, ignore_errors=True)
        if over:
            straight = TextGenerator(**SETTINGS, epochs=given.epochs).fit(data(), listeners=[])
            weights = [one.writer.networks[0].state_dict() for one in (straight, TextGenerator.load(folder))]
            equal += all(bool((weights[0][name] == weights[1][name]).all()) for name in weights[0])
        finished = rounds if over else rounds - 1
        print(
            f"{kills} kills in {time.monotonic() - began:.0f} s: {unmade} before the run's folder appeared, {broken} broken files, "
            f"updates to do again {mean(lost):.1f} on average and {max(lost)} at most (a checkpoint every "
            f"{SECONDS_BETWEEN_CHECKPOINTS:g} s); runs finished {finished}, of them equal to the bit to a run never killed {equal}",
            flush=True,
        )
    shutil.rmtree(place, ignore_errors=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
