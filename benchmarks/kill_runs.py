"""Kill a training at random moments, preparing and checkpointing included, and resume it every time.

    python benchmarks/kill_runs.py --kills 200

Each life of the run is a fresh process that ends by SIGKILL after a random while, counted in its own processor seconds, so
that a busy machine changes nothing. Nine in ten lives that find no folder, and three in ten of the others, count from their
very beginning (reading, cutting up and storing the texts, making or opening the folder), the rest from the first update on.
Prints what the kills hit, how many updates each of them cost, whether any file was found broken or left behind, and
whether the last weights are, to the bit, those of a run that was never killed.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbtextgen import TextGenerator

SECONDS_BETWEEN_CHECKPOINTS = 0.2
YOUNG, OLD = 0.9, 0.3
"""Shares of the lives whose time counts from their beginning: of those that find no folder, and of the others."""
SETTINGS = {
    "tokens": "bpe",
    "vocabulary_size": 300,
    "hidden_size": 24,
    "embedding_size": 16,
    "batch_size": 16,
    "samples": 1,
    "checkpoint_seconds": SECONDS_BETWEEN_CHECKPOINTS,
    "validate_every": 25,
}


def write_data(path: Path) -> None:
    """Words and their mirror images."""
    words = ["".join(letters) for letters in itertools.product("abcde", repeat=5)]
    path.write_text("".join(f"{word}\t{word[::-1]}\n" for word in words))


def store_of(folder: Path) -> Path:
    """Where the tokens of a run are cut up to."""
    return folder.with_name(f"{folder.name}-tokens")


def fresh(folder: Path, epochs: int) -> TextGenerator:
    """The generator of a run, whose texts are cut up into a store of its own."""
    from nbtextgen import TextGenerator

    return TextGenerator(**SETTINGS, epochs=epochs, store=str(store_of(folder)))


def life(folder: Path, epochs: int) -> None:
    """One life: begin the run, or go on with it."""
    from nbtextgen import Run, TextGenerator

    if Run.is_run(folder):
        TextGenerator.resume(folder, callbacks=[])
    else:
        fresh(folder, epochs).fit(folder.parent / "pairs.tsv", callbacks=[], run=folder)


@dataclass(frozen=True)
class Death:
    """How a life ended.

    Attributes:
        natural: by itself, the training being over.
        hit: what the kill came upon.
    """

    natural: bool
    hit: str = ""


def live_and_die(folder: Path, epochs: int, rng: random.Random, preparing: float, longest: float) -> Death:
    """Start a life and kill it after a random while.

    A life is a fork of this process, in which torch is imported but has started no thread: 200 of them take minutes.
    """
    log, size, early = folder / "events.jsonl", 0, rng.random() < (OLD if folder.exists() else YOUNG)
    if log.exists():
        size = log.stat().st_size
    process = os.fork()
    if not process:
        life(folder, epochs)
        os._exit(0)
    until = rng.uniform(0.0, preparing) if early else math.inf
    while (used := seconds_used(process)) < until:
        if os.waitpid(process, os.WNOHANG)[0]:
            return Death(natural=True)
        if until == math.inf and log.exists() and b'"Step"' in log.read_bytes()[size:]:
            until = used + rng.uniform(0.0, longest)
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return Death(natural=False, hit=hit(folder, size))


def prepared(folder: Path, epochs: int) -> float:
    """Processor seconds that a fresh life takes until its folder is there."""
    process = os.fork()
    if not process:
        life(folder, epochs)
        os._exit(0)
    while not folder.exists():
        time.sleep(0.001)
    used = seconds_used(process)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return used


def seconds_used(process: int) -> float:
    """Processor time of a child."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def hit(folder: Path, size: int) -> str:
    """What a kill came upon, as the folder tells; ``size`` is how long the log was before that life."""
    if not folder.exists():
        beside = [path.name for path in folder.parent.iterdir()]
        if any(name.startswith(f".{store_of(folder).name}.") for name in beside):
            return "cutting up and storing the texts"
        if any(name.startswith(f".{folder.name}.") for name in beside):
            return "making the folder"
        return "preparing, tokens stored" if store_of(folder).exists() else "preparing, nothing stored yet"
    if list(folder.glob("*/.step-*")):
        return "a checkpoint or best model half-written"
    log = folder / "events.jsonl"
    if not log.exists() or log.stat().st_size == size:
        return "opening the folder, before the first event"
    return (
        "training, with a checkpoint" if list(folder.glob("checkpoints/step-*")) else "training, before any checkpoint"
    )


def standing(folder: Path) -> tuple[int, int, list[str]]:
    """Update of the newest good checkpoint, the last update that the log knows of, and what is wrong with broken files."""
    from nbtextgen import Run
    from nbtextgen.training.events import Resumed, Step

    if not Run.is_run(folder):
        return 0, 0, []
    run = Run.open(folder)
    run.training_data()
    checkpoint = run.checkpoint()
    best = run.best_model() if run.best.steps() else None
    broken = [why for stored in (checkpoint, best) if stored is not None for why in stored.skipped]
    last = 0
    for event in run.events():
        last = event.step if isinstance(event, (Step, Resumed)) else last
    return checkpoint.step if checkpoint else 0, last, broken


def main() -> int:
    """Kill, resume, count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument(
        "--longest", type=float, default=1.5, help="processor seconds of the longest life, from its first update"
    )
    args = parser.parse_args()
    import torch

    import nbtextgen.evaluation.metrics
    import nbtextgen.generator
    import nbtextgen.pipeline.dataset
    import nbtextgen.run.training  # noqa: F401

    torch.set_num_threads(1)
    from nbtextgen import TextGenerator

    place, rng, began = Path(tempfile.mkdtemp(prefix="nbtextgen-kills-")), random.Random(args.seed), time.monotonic()
    write_data(place / "pairs.tsv")
    preparing = 1.2 * prepared(place / "first", args.epochs)
    print(f"preparing takes {preparing / 1.2:.2f} processor seconds", flush=True)
    kills = rounds = broken = finished = equal = left = 0
    hits: Counter[str] = Counter()
    lost: list[int] = []
    while kills < args.kills:
        rounds += 1
        folder, over = place / f"run-{rounds}", False
        while not over and kills < args.kills:
            death = live_and_die(folder, args.epochs, rng, preparing, args.longest)
            over = death.natural
            if over:
                break
            kills += 1
            hits[death.hit] += 1
            checkpoint, last, bad = standing(folder)
            broken += len(bad)
            for why in bad:
                print(f"broken after a kill while {death.hit}: {why}", flush=True)
            lost.append(last - checkpoint)
            if kills % 20 == 0:
                print(f"{kills} kills, {broken} broken files, {finished} runs finished", flush=True)
            for path in place.glob(f".{folder.name}.*"):  # half a run folder: a person would delete it
                shutil.rmtree(path, ignore_errors=True)
        if over:
            finished += 1
            left += len([path for path in folder.rglob(".*")]) + len(list(place.glob(f".{store_of(folder).name}.*")))
            straight = fresh(folder, args.epochs).fit(place / "pairs.tsv", callbacks=[])
            weights = [model.predictor.networks[0].state_dict() for model in (straight, TextGenerator.load(folder))]
            equal += all(bool((weights[0][name] == weights[1][name]).all()) for name in weights[0])
    for what, count in hits.most_common():
        print(f"{count:5d}  {what}")
    print(
        f"{kills} kills in {time.monotonic() - began:.0f} s: {broken} broken files, updates to do again {mean(lost):.1f} on "
        f"average and {max(lost)} at most (a checkpoint every {SECONDS_BETWEEN_CHECKPOINTS:g} s at most); {finished} runs "
        f"finished, {equal} of them equal to the bit to one never killed, {left} files or folders left behind in them"
    )
    shutil.rmtree(place, ignore_errors=True)
    return 1 if broken or left or equal < finished else 0


if __name__ == "__main__":
    sys.exit(main())
