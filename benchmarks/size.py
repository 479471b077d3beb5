"""Ten thousand pairs or ten million: memory, training speed, and time to tokenise.

    .venv/bin/python benchmarks/size.py [--pairs 10000 100000 1000000] [--folder DIR] [--updates 60] [--workers 2] [--clock cpu]

Writes a generated file of pairs for each size (numbers as words and as digits), tokenises it into a store, and makes
some training updates on it, each size in a process of its own. Prints a JSON line for each: pairs tokenised a minute by
each worker, training tokens a second (the median of its reports), and the most memory held, in MB: ``anonymous`` is what must fit
(heap and buffers), ``resident`` counts also the pages of the store that happen to be in memory and that the system may
drop. A second run on the same store shows that it is read again. ``--clock cpu`` counts processor time of one thread in training, so
that other work on the machine does not decide.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def write_pairs(path: Path, count: int) -> None:
    """Distinct numbers of eight digits, as words and as digits."""
    rng = random.Random(count)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            digits = f"{number:08d}{rng.randrange(10_000):04d}"
            file.write(" ".join(WORDS[int(digit)] for digit in digits) + "\t" + digits + "\n")


class Watch(threading.Thread):
    """Looks at this process's memory twenty times a second, and remembers the most."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.anonymous = self.resident = 0.0

    def run(self) -> None:
        """Until the process ends."""
        while True:
            lines = dict(
                line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line
            )
            for name, field in (("anonymous", "RssAnon"), ("resident", "VmRSS")):
                setattr(self, name, max(getattr(self, name), int(lines[field].split()[0]) / 1024))
            time.sleep(0.05)


def one_size(path: Path, store: Path, updates: int, workers: int, clock: str) -> dict[str, object]:
    """Tokenise and train a little; the figures."""
    if clock == "cpu":
        time.perf_counter = time.process_time
    from nbtextgen import TextGenerator
    from nbtextgen.data import parallel_tokenization
    from nbtextgen.training.events import Event, Started, Step

    count = sum(1 for _ in path.open("rb"))
    watch = Watch()
    watch.start()
    marks: dict[str, float] = {}
    whole = parallel_tokenization._fill

    def timed(*arguments: object) -> int:
        began = time.perf_counter()
        try:
            return whole(*arguments)  # type: ignore[arg-type]
        finally:
            marks["tokenising"] = time.perf_counter() - began

    parallel_tokenization._fill = timed  # type: ignore[assignment]
    os.cpu_count = lambda: workers  # type: ignore[assignment]
    pace: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, Started):
            marks["ready"] = time.perf_counter()
        if isinstance(event, Step):
            pace.append(event.tokens_per_second)

    began = time.perf_counter()
    TextGenerator(
        store=str(store), tokens="char", hidden_size=128, embedding_size=64, max_steps=updates, samples=0,
        batch_size=64, valid_limit=500, epochs=1, threads=1 if clock == "cpu" else None,
    ).fit(path, callbacks=[listen])  # fmt: skip
    figures: dict[str, object] = {"pairs": count, "seconds_before_training": round(marks["ready"] - began, 1)}
    if "tokenising" in marks:
        busy = workers if count > parallel_tokenization.SERIAL_LIMIT else 1
        figures["tokenised_per_minute_per_worker"] = round(count / marks["tokenising"] * 60 / busy)
    else:
        figures["store"] = "read again"
    return figures | {
        "clock": clock,
        "tokens_per_second": round(median(pace)) if pace else None,
        "anonymous_mb": round(watch.anonymous),
        "resident_mb": round(watch.resident),
    }


def main() -> None:
    """Every size in turn, each in a fresh process, twice on the same store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="where the files go; default: a temporary folder")
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--inside", nargs=2, type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        print(json.dumps(one_size(*chosen.inside, chosen.updates, chosen.workers, chosen.clock)), flush=True)
        return
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        for count in chosen.pairs:
            path, store = Path(folder) / f"{count}.tsv", Path(folder) / f"{count}.store"
            write_pairs(path, count)
            for _ in range(2):
                command = [sys.executable, __file__, "--inside", str(path), str(store)]
                command += ["--updates", str(chosen.updates), "--workers", str(chosen.workers), "--clock", chosen.clock]
                subprocess.run(command, check=True)
            path.unlink()


if __name__ == "__main__":
    main()
