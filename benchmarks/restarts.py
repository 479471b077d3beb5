"""Kill what trains, and count how often the rest goes on.

    python benchmarks/restarts.py --kills 20 --nodes 1

* workers: one of two processes is killed (SIGKILL) ``--kills`` times, each time after a new checkpoint was written; counts how
  often the group came together again and made another checkpoint, and how long that took;
* nodes: of two torchruns that train one run together (``--nnodes 1:2``) one is killed with its worker; seconds until the
  other makes a checkpoint again (``--nodes`` times);
* kernels: the process that started a run of two workers is killed; seconds until none of them is left (``--kernels`` times).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import psutil

SETTINGS: dict[str, Any] = {
    "hidden_size": 12,
    "embedding_size": 8,
    "batch_size": 11,
    "precision": "fp32",
    "samples": 0,
    "checkpoint_seconds": 0.2,
    "epochs": 100_000,
}
PATIENCE = 300.0


def pairs() -> list[tuple[str, str]]:
    """Words and their mirror images."""
    return [("".join(word), "".join(reversed(word))) for word in itertools.product("abcd", repeat=3)]


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked after does not."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def children(process: int) -> list[int]:
    """Processes that a process has started and that live."""
    return [child.pid for child in psutil.Process(process).children() if alive(child.pid)]


def waited(condition: Callable[[], Any], patience: float = PATIENCE) -> float | None:
    """Seconds until a condition holds, or ``None`` when it did not in time."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > patience:
            return None
        time.sleep(0.05)
    return time.monotonic() - began


def agent(run: Any) -> int:
    """The process id of the run's torchrun."""
    return int(json.loads((run.folder / "launch.json").read_text())["process"])


def newest(run: Any) -> int:
    """Update of the newest checkpoint."""
    return next(iter(run.checkpoints.steps()), 0)


def past(run: Any, step: int, gone: Sequence[int] = ()) -> Callable[[], bool]:
    """Whether there is a checkpoint after some update, and some processes are gone."""
    return lambda: newest(run) > step and not any(map(alive, gone))


def workers(place: Path, kills: int) -> None:
    """Kill one of two workers again and again."""
    from nbtextgen import LaunchConfig, Run, TextGenerator
    from nbtextgen.run.launch import end

    launch = LaunchConfig(processes=2, detach=True, restarts=kills + 5)
    TextGenerator(**SETTINGS).fit(pairs(), run=place / "workers", launch=launch)
    run = Run.open(place / "workers")
    waited(past(run, 0))
    times: list[float] = []
    for number in range(kills):
        before, group = newest(run), children(agent(run))
        if len(group) < 2:
            break
        os.kill(group[number % 2], signal.SIGKILL)
        # The one left over ends, two others start, and they get further than the one that was killed.
        took = waited(past(run, before, group))
        if took is None:
            break
        times.append(took)
        print(f"restart {number + 1}: {took:.1f} s", flush=True)
    end(run)
    middle = f", {median(times):.1f} s each (median), {max(times):.1f} at most" if times else ""
    print(f"killed workers: {len(times)} of {kills} recovered{middle}", flush=True)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def nodes(place: Path, times: int) -> None:
    """Kill one of two nodes, the one that does not hold the meeting place."""
    from nbtextgen import LaunchConfig, Run, TextGenerator
    from nbtextgen.pipeline.dataset import prepare_data
    from nbtextgen.run.launch import command, environment

    for number in range(times):
        options = TextGenerator(**SETTINGS).get_params()
        run = Run.create(place / f"nodes-{number}", prepare_data(options, pairs()), options)
        config = LaunchConfig(nodes=2, processes=1, rendezvous=f"localhost:{free_port()}")
        words, sides = command(run, config), []
        for side in range(2):
            with (run.folder / f"node-{side}.log").open("wb") as log:
                sides.append(
                    subprocess.Popen(words, stdout=log, stderr=log, env=environment(config), start_new_session=True)
                )
            if side == 0:  # the first to come holds the meeting place
                time.sleep(3.0)
        both = waited(past(run, 0))
        size = [len(children(side.pid)) for side in sides]
        before = newest(run)
        for process in (sides[1].pid, *children(sides[1].pid)):
            os.kill(process, signal.SIGKILL)
        took = waited(past(run, before + 50))
        print(
            f"lost node: workers {size} after {both or 0:.0f} s; the other went on after "
            + (f"{took:.1f} s" if took is not None else f"more than {PATIENCE:.0f} s"),
            flush=True,
        )
        for side in sides:
            for process in (*children(side.pid), side.pid):
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            side.wait()


def kernels(place: Path, times: int) -> None:
    """Kill the process that started a run."""
    from nbtextgen import Run

    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); import restarts\n"
        "from nbtextgen import TextGenerator\n"
        "TextGenerator(**restarts.SETTINGS).fit(restarts.pairs(), run=sys.argv[1], processes=2)"
    )
    for number in range(times):
        folder = place / f"kernel-{number}"
        here = str(Path(__file__).parent)
        kernel = subprocess.Popen([sys.executable, "-c", code, str(folder), here], stdout=subprocess.DEVNULL)
        waited(lambda folder=folder: (folder / "launch.json").exists() and newest(Run.open(folder)) > 0)
        group = [agent(Run.open(folder)), *children(agent(Run.open(folder)))]
        kernel.kill()
        kernel.wait()
        took = waited(lambda group=group: not any(map(alive, group)))
        print(
            f"killed kernel: none of {len(group)} processes left after "
            + (f"{took:.1f} s" if took is not None else f"more than {PATIENCE:.0f} s"),
            flush=True,
        )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--kernels", type=int, default=3)
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    place = Path(tempfile.mkdtemp(prefix="nbtextgen-restarts-"))
    kernels(place, args.kernels)
    nodes(place, args.nodes)
    if args.kills:
        workers(place, args.kills)
    shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
