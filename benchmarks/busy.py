"""Training and decoding beside 0, 1 and 2 busy processes, relative to one quiet thread. Takes under four minutes.

    python benchmarks/busy.py [--models dates bpe] [--seconds 3]

Each line is one process that trains and decodes while busy processes (a pure-Python loop each) come and go beside it:

- ``one thread``: the reference; nothing else runs.
- ``old``: two threads that spin, as before (torch imported first, ``--threads 2``, searches with all threads).
- ``new``: nbtextgen imported first, all settings automatic.
- ``new, torch first``: torch imported first, so that its threads spin and only their number can be chosen.

Training throughput is measured after a pause in which the number of threads can be chosen anew; ``worst`` counts the pause
as well. Decoding: 64 sources (one batch) and 256, greedy. Run it on a quiet machine: what else runs counts as busy.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

WAYS = ("one thread", "old", "new", "new, torch first")
BUSY = (0, 1, 2)
PAUSE = 2.0
LOOP = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
"""Ends with the process that started it."""
MODELS: dict[str, dict[str, Any]] = {
    "dates": {"hidden_size": 256, "embedding_size": 128},
    "bpe": {"hidden_size": 512, "embedding_size": 256, "tokens": "bpe", "vocabulary_size": 4000, "batch_size": 32},
}
"""The built-in dates, and synthetic sentences."""
COMMON = {"samples": 0, "epochs": 100_000, "validate_every": 10**9, "schedule": "constant", "learning_rate": 0.001}


def sentences() -> list[tuple[str, str]]:
    """Sentences of made-up words, frequent and rare ones, to be written in reverse."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnop", k=draw.randint(2, 8))) for _ in range(6000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    sentences = [draw.choices(words, weights, k=draw.randint(5, 20)) for _ in range(3000)]
    return [(" ".join(each), " ".join(reversed(each))) for each in sentences]


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep so many processes busy."""
    others = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def measure(name: str, way: str, seconds: float) -> None:
    """In a process of its own: train and decode; prints a line of JSON."""
    if way in ("old", "new, torch first"):
        import torch  # noqa: F401
    from nbtextgen import Pairs, TextGenerator
    from nbtextgen.decoding import parallel
    from nbtextgen.inference import predictor
    from nbtextgen.training.controls import Controls
    from nbtextgen.training.events import Changed, Event, Step

    if way == "old":
        parallel.using_threads = lambda _: nullcontext()  # one search with all threads
        full = lambda texts, config: max(1, min(torch.get_num_threads(), texts // config.batch_size))  # noqa: E731
        predictor.Predictor._split_sources = lambda self, texts, config: [  # type: ignore[method-assign]
            list(range(first, texts, full(texts, config))) for first in range(full(texts, config))
        ]
    data: Any = "builtin:dates" if name == "dates" else Pairs.of(sentences())
    phases = BUSY if way != "one thread" else (0,)
    results: dict[str, Any] = {"train": [], "worst": [], "decode 64": [], "decode 256": [], "threads": []}
    controls = Controls()
    phase, others, since, counted, started = -1, busy(0), 0.0, [0.0, 0.0], [0.0, 0.0]
    threads: list[Any] = []

    def next_phase() -> None:
        nonlocal phase, others, since, counted, started
        if phase >= 0:
            others.__exit__(None, None, None)
            now = time.perf_counter()
            results["train"].append(counted[0] / (now - started[0]))
            results["worst"].append(counted[1] / (now - started[1]))
            results["threads"].append(threads[-1] if threads else None)
        phase += 1
        if phase == len(phases):
            controls.stop()
            return
        others = busy(phases[phase])
        others.__enter__()
        since = time.perf_counter()
        counted, started = [0.0, 0.0], [0.0, since]

    last = 0.0

    def listen(event: Event) -> None:
        nonlocal last
        if isinstance(event, Changed):
            threads.append(event.value)
        if not isinstance(event, Step):
            return
        seen, last = event.tokens_per_second * (event.seconds - last), event.seconds
        now = time.perf_counter()
        if phase < 0:
            chosen = threads or way in ("one thread", "old")
            if (event.step >= 20 and chosen) or now - began > 12:
                next_phase()
            return
        counted[1] += seen
        if started[0]:
            counted[0] += seen
        elif now - since > PAUSE:
            started[0] = now
        if started[0] and now - started[0] > seconds:
            next_phase()

    began = time.perf_counter()
    options = {**MODELS[name], **COMMON, "threads": 2 if way == "old" else None}
    model = TextGenerator(**options).fit(data, callbacks=[listen], controls=controls)
    sources = [source for source, _ in (model.held_out or Pairs.of(sentences()))] * 10
    for count in phases:
        with busy(count):
            for texts in (64, 256):
                done, began = 0, time.perf_counter()
                while time.perf_counter() - began < seconds / 3 or not done:
                    model.generate(sources[:texts], min_length=12, max_length=12)
                    done += texts
                results[f"decode {texts}"].append(done / (time.perf_counter() - began))
    print(json.dumps(results))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each figure")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        measure(*chosen.measure, chosen.seconds)
        return
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
    }
    kept["PYTHONPATH"] = str(Path(__file__).parents[1])
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; throughput relative to one thread, quiet")
    began = time.perf_counter()
    for name in chosen.models:
        reference: dict[str, list[float]] = {}
        for way in chosen.ways:
            variables = kept | ({"OMP_NUM_THREADS": "1"} if way == "one thread" else {})
            command = [sys.executable, __file__, "--seconds", str(chosen.seconds), "--measure", name, way]
            done = subprocess.run(command, env=variables, capture_output=True, text=True)
            if done.returncode:
                print(f"{name}, {way}: failed: {done.stderr[-500:]}")
                continue
            results = json.loads(done.stdout.splitlines()[-1])
            reference = reference or results
            units = {"train": "tokens/s", "worst": "tokens/s", "decode 64": "sources/s", "decode 256": "sources/s"}
            for what, unit in units.items():
                pairs = zip(BUSY, results[what], strict=False)  # the reference has one figure
                shares = "  ".join(f"{count} busy {value / reference[what][0]:5.2f}" for count, value in pairs)
                print(f"{name:6} {way:17} {what:10} {shares}   ({results[what][0]:,.0f} {unit} with 0 busy)")
            print(f"{name:6} {way:17} threads    {results['threads']}", flush=True)
    print(f"{time.perf_counter() - began:.0f} s, load {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
