"""What keeping freed memory saves: user and system seconds and page faults of one thread, by default and with glibc's own thresholds.

    python benchmarks/freed_memory.py [--processes 3]

Each line is a process of its own, since the gain differs from start to start: 25 updates of a network of 512 units, and one explanation
of 52 words, each after one that is not counted. The environment variables of glibc turn the thresholds of ``model/cpu.py`` off.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout

from busy import COMMON, MODELS, sentences

WAYS = {"glibc's own": {"GLIBC_TUNABLES": "glibc.malloc.check=0"}, "kept": {}}


def used(call: Callable[[], object]) -> str:
    """User seconds, system seconds and page faults of a call."""
    call()
    before = resource.getrusage(resource.RUSAGE_SELF)
    call()
    after = resource.getrusage(resource.RUSAGE_SELF)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return f"{user:.2f} + {system:.2f} s, {after.ru_minflt - before.ru_minflt:,} page faults"


def measure() -> None:
    """In a process of its own."""
    from nbtextgen import Pairs, TextGenerator

    pairs = Pairs.of(sentences())
    options = {**COMMON, **MODELS["bpe"], "epochs": 1, "max_steps": 25, "threads": 1, "valid_fraction": 0.0}
    with redirect_stdout(sys.stderr):
        model = TextGenerator(**options).fit(pairs, callbacks=[])
        training = used(lambda: TextGenerator(**options).fit(pairs, callbacks=[]))
        text = " ".join(" ".join(pairs.sources[:8]).split()[:52])
        explaining = used(lambda: model.explain(text, faithfulness=False))
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"25 updates {training}; explanation {explaining}; at most {largest:,} MB")


def main() -> None:
    """Print a line for each process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        measure()
        return
    for _ in range(chosen.processes):
        for name, variables in WAYS.items():
            environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
            command = [sys.executable, __file__, "--inside"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            print(f"{name:<12} {done.stdout}", end="", flush=True)


if __name__ == "__main__":
    main()
