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
import signal
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


def killed(folder: Path, epochs: int, rng: random.Random, longest: float) -> bool:
    """Start a life and kill it after a random while; says whether it ended by itself before.

    A life is a fork of this process, in which torch is imported but has started no thread: 200 of them take minutes.
    """
    process = os.fork()
    if not process:
        life(folder, epochs)
        os._exit(0)
    until = time.monotonic() + rng.uniform(0.0, longest)
    while time.monotonic() < until:
        if os.waitpid(process, os.WNOHANG)[0]:
            return True
        time.sleep(0.005)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
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
    parser.add_argument("--longest", type=float, default=3.0, help="seconds of the longest life")
    given = parser.parse_args()
    import torch

    import nbtextgen.running.training  # noqa: F401

    torch.set_num_threads(1)
    from nbtextgen import TextGenerator

    place, rng, began = Path(tempfile.mkdtemp(prefix="nbtextgen-kills-")), random.Random(given.seed), time.monotonic()
    kills = rounds = broken = unmade = finished = equal = 0
    lost: list[int] = []
    while kills < given.kills:
        rounds += 1
        folder, over = place / f"run-{rounds}", False
        while not over and kills < given.kills:
            over = killed(folder, given.epochs, rng, given.longest)
            if not over:
                kills += 1
                if kills % 20 == 0:
                    print(f"{kills} kills, {broken} broken files, {finished} runs finished", flush=True)
                checkpoint, last, bad = standing(folder)
                broken += bad
                unmade += not folder.exists()
                lost.append(last - checkpoint)
                left = [path for path in place.iterdir() if path.name.startswith(".")]
                for path in left:  # half a run folder from before it appeared: a person would delete it
                    shutil.rmtree(path, ignore_errors=True)
        if over:
            finished += 1
            straight = TextGenerator(**SETTINGS, epochs=given.epochs).fit(data(), listeners=[])
            weights = [one.writer.networks[0].state_dict() for one in (straight, TextGenerator.load(folder))]
            equal += all(bool((weights[0][name] == weights[1][name]).all()) for name in weights[0])
    print(
        f"{kills} kills in {time.monotonic() - began:.0f} s: {unmade} before the run's folder appeared, {broken} broken "
        f"files, updates to do again {mean(lost):.1f} on average and {max(lost)} at most (a checkpoint every "
        f"{SECONDS_BETWEEN_CHECKPOINTS:g} s); {finished} runs finished, {equal} of them equal to the bit to one never killed"
    )
    shutil.rmtree(place, ignore_errors=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
