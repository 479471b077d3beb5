"""This release beside an earlier one: reading, training, decoding, explaining and starting, call by call in turn.

    git worktree add /tmp/before COMMIT
    .venv/bin/python benchmarks/releases.py --before /tmp/before --calls 15

Both releases run in a process of their own, pinned to the same core, and wait while the other computes. They read the same files, train
the same network, and decode and explain with one model, which the earlier release trains and saves. Every call of one
release is followed or preceded, by chance, by the same call of the other. Times are processor seconds of one thread; the
ratio is the median of those of neighbouring calls, with a 95 % interval (bootstrap). Below 1 this release is faster. The speed of a
shared machine drifts by more than the differences of interest, which the neighbouring calls share.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

ROOT = Path(__file__).parent.parent
SETTINGS = {
    "tokens": "word",
    "hidden_size": 256,
    "seed": 1,
    "threads": 1,
    "device": "cpu",
    "batch_size": 64,
    "dropout": 0.1,
}
START = {
    "import nbtextgen": "import nbtextgen",
    "%load_ext": "from IPython.core.interactiveshell import InteractiveShell as S; S.instance().run_line_magic('load_ext', 'nbtextgen')",
}


def pairs() -> list[tuple[str, str]]:
    """3,000 lines of 4 to 14 made-up words, and the same lines with every word spelled backwards."""
    generator = random.Random(1)
    words = ["".join(generator.choices("abcdefghij", k=generator.randint(2, 7))) for _ in range(800)]
    lines = [[generator.choice(words) for _ in range(generator.randint(4, 14))] for _ in range(3000)]
    return [(" ".join(line), " ".join(word[::-1] for word in line)) for line in lines]


def prepare(folder: Path, rows: int) -> None:
    """Write the tables to read, and train the model that both releases use."""
    from nbtextgen import TextGenerator

    lines = [f"source text {number}\ttarget {number}" for number in range(rows)]
    (folder / "table.tsv").write_text("\n".join(lines) + "\n")
    (folder / "table.csv").write_text("source,target\n" + "\n".join(line.replace("\t", ",") for line in lines) + "\n")
    model = TextGenerator(**SETTINGS, epochs=12, learning_rate=0.004).fit(pairs())
    model.save(folder / "model")


def actions(folder: Path) -> dict[str, Callable[[], object]]:
    """What the release that this process imports is measured at, by name."""
    import torch

    from nbtextgen import TextGenerator
    from nbtextgen.data.pairs import Pairs

    torch.set_num_threads(1)
    data = pairs()
    training = {**SETTINGS, "epochs": 1, "learning_rate": 0.001}
    model = TextGenerator.load(folder / "model")
    texts = [source for source, _ in data[:400]]
    long_text = " ".join(texts[:6])
    return {
        "read table.tsv": lambda: Pairs.of(folder / "table.tsv"),
        "read table.csv": lambda: Pairs.of(folder / "table.csv"),
        "train one epoch": lambda: TextGenerator(**training).fit(data),
        "generate 400, greedy": lambda: model.generate(texts),
        "generate 150, beam 5": lambda: model.generate(texts[:150], beam=5),
        "generate 40, one by one": lambda: [model.generate(text) for text in texts[:40]],
        "explain 4, Shapley values": lambda: [model.explain(text) for text in texts[:4]],
        f"explain one of {len(long_text.split())} words": lambda: model.explain(long_text),
        "explain 10, occlusion and attention": lambda: [
            model.explain(text, method="occlusion,attention") for text in texts[:10]
        ],
    }


def answer(folder: Path) -> None:
    """Print the names of the actions; then, for every name that is read, the processor seconds of one call."""
    available = actions(folder)
    print(json.dumps(list(available)), flush=True)
    for line in sys.stdin:
        begin = time.process_time()
        with redirect_stdout(sys.stderr):  # progress lines
            available[line.strip()]()
        print(time.process_time() - begin, flush=True)


class Release:
    """A process that calls the code of one release when asked."""

    def __init__(self, code: Path, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(code), "OMP_NUM_THREADS": "1"}
        command = ["taskset", "-c", "0", sys.executable, __file__, "--inside", "answer", "--folder", str(folder)]
        self._process = subprocess.Popen(
            command, env=environment, cwd=code, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.names: list[str] = json.loads(self._read())

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def seconds(self, name: str) -> float:
        """Processor seconds of one call."""
        assert self._process.stdin is not None
        self._process.stdin.write(name + "\n")
        self._process.stdin.flush()
        return float(self._read())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def start_up(release: Path) -> dict[str, float]:
    """Wall seconds of fresh processes that start nbtextgen, the least of three."""
    environment = {**os.environ, "PYTHONPATH": str(release)}
    seconds = {}
    for name, code in START.items():
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], env=environment, check=True, cwd=release)
            times.append(time.perf_counter() - begin)
        seconds[name] = min(times)
    return seconds


def main() -> None:
    """Measure both releases and print a table; or, in a process of one release, prepare or answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="folder of the earlier release's code")
    parser.add_argument(
        "--calls", type=int, default=15, help="calls of each release; short ones are repeated more often"
    )
    parser.add_argument("--rows", type=int, default=400_000, help="rows of the tables to read")
    parser.add_argument("--inside", choices=["prepare", "answer"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside == "prepare":
        prepare(options.folder, options.rows)
    elif options.inside == "answer":
        answer(options.folder)
    else:
        compare(options.before.resolve(), options.calls, options.rows)


def compare(before: Path, calls: int, rows: int) -> None:
    """Measure both releases in turn, and print medians and their ratios."""
    print("| what | earlier, s | now, s | ratio (95 %) |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {**os.environ, "PYTHONPATH": str(before), "OMP_NUM_THREADS": "1"}
        inside = ["--inside", "prepare", "--folder", name, "--rows", str(rows)]
        subprocess.run(
            [sys.executable, __file__, *inside], env=environment, capture_output=True, check=True, cwd=before
        )
        earlier, now = Release(before, folder), Release(ROOT, folder)
        for action in now.names:
            print_row(action, in_turn(earlier, now, action, calls))
        earlier.close()
        now.close()
    first, second = start_up(before), start_up(ROOT)
    for action, value in second.items():
        print(f"| {action} | {first[action]:.3f} | {value:.3f} | {value / first[action]:.2f} |")


def in_turn(earlier: Release, now: Release, action: str, calls: int) -> list[tuple[float, float]]:
    """Processor seconds of neighbouring calls of both; calls of less than a second are repeated up to four times as often."""
    generator = random.Random(0)
    longest = max(earlier.seconds(action), now.seconds(action))  # warms both up
    times: list[tuple[float, float]] = []
    for _ in range(calls * (4 if longest < 1 else 1)):
        if generator.random() < 0.5:
            before = earlier.seconds(action)
            times.append((before, now.seconds(action)))
        else:
            after = now.seconds(action)
            times.append((earlier.seconds(action), after))
    return times


def print_row(action: str, times: list[tuple[float, float]]) -> None:
    """Print medians, and the median ratio with its bootstrap interval."""
    generator = random.Random(0)
    ratios = [now / before for before, now in times]
    medians = sorted(statistics.median(generator.choices(ratios, k=len(ratios))) for _ in range(2000))
    low, high = medians[50], medians[-51]
    before, now = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = f"{statistics.median(ratios):.3f} ({low:.3f}-{high:.3f})"
    print(f"| {action} | {before:.3f} | {now:.3f} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
