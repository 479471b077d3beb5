"""This release beside an earlier one: reading, training, decoding, explaining and starting, in alternating processes.

    git worktree add /tmp/before COMMIT
    .venv/bin/python benchmarks/releases.py --before /tmp/before --rounds 3

Both read the same files, train the same network, and decode and explain with one model, which the earlier release trains and
saves. Each round is a fresh process per release, pinned to one core. Times are processor seconds of one thread, the least of
several calls and of all rounds; a ratio below 1 means that this release is faster.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
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


def least(calls: int, action: Callable[[], object]) -> float:
    """The least processor time of several calls."""
    times = []
    for _ in range(calls):
        begin = time.process_time()
        action()
        times.append(time.process_time() - begin)
    return min(times)


def measure(folder: Path) -> dict[str, float]:
    """The times of the release that this process imports."""
    import torch

    from nbtextgen import TextGenerator
    from nbtextgen.data.pairs import Pairs

    torch.set_num_threads(1)
    data = pairs()
    seconds = {
        f"read {name}": least(2, lambda name=name: Pairs.of(folder / name)) for name in ("table.tsv", "table.csv")
    }
    training = {**SETTINGS, "epochs": 2, "learning_rate": 0.001}
    seconds["train 2 epochs"] = least(2, lambda: TextGenerator(**training).fit(data))
    model = TextGenerator.load(folder / "model")
    texts = [source for source, _ in data[:400]]
    long_text = " ".join(texts[:6])
    model.generate(texts[:8])
    seconds |= {
        "generate 400, greedy": least(8, lambda: model.generate(texts)),
        "generate 150, beam 5": least(8, lambda: model.generate(texts[:150], beam=5)),
        "generate 40, one by one": least(8, lambda: [model.generate(text) for text in texts[:40]]),
        "explain 4, Shapley values": least(4, lambda: [model.explain(text) for text in texts[:4]]),
        f"explain one of {len(long_text.split())} words": least(3, lambda: model.explain(long_text)),
        "explain 10, occlusion and attention": least(
            4, lambda: [model.explain(text, method="occlusion,attention") for text in texts[:10]]
        ),
    }
    return seconds


def run(release: Path, arguments: list[str]) -> str:
    """Run this script with the code of a release; return its output."""
    environment = {**os.environ, "PYTHONPATH": str(release), "OMP_NUM_THREADS": "1"}
    command = ["taskset", "-c", "0", sys.executable, __file__, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=release).stdout


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
    """Measure both releases and print a table; or, in a process of one release, its times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="folder of the earlier release's code")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=400_000, help="rows of the tables to read")
    parser.add_argument("--inside", choices=["prepare", "measure"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside == "prepare":
        prepare(options.folder, options.rows)
    elif options.inside == "measure":
        print(json.dumps(measure(options.folder)))
    else:
        compare(options.before.resolve(), options.rounds, options.rows)


def compare(before: Path, rounds: int, rows: int) -> None:
    """Measure both releases in turn, and print the least times and their ratios."""
    best: dict[Path, dict[str, float]] = {before: {}, ROOT: {}}
    with tempfile.TemporaryDirectory() as folder:
        run(before, ["--inside", "prepare", "--folder", folder, "--rows", str(rows)])
        for number in range(rounds):
            for release in (before, ROOT) if number % 2 else (ROOT, before):
                inside = ["--inside", "measure", "--folder", folder]
                seconds = json.loads(run(release, inside).splitlines()[-1]) | start_up(release)
                print(release, json.dumps(seconds), file=sys.stderr, flush=True)
                best[release] = {name: min(best[release].get(name, value), value) for name, value in seconds.items()}
    print("| what | earlier, s | now, s | ratio |\n|---|---|---|---|")
    for name, value in best[ROOT].items():
        print(f"| {name} | {best[before][name]:.3f} | {value:.3f} | {value / best[before][name]:.2f} |")


if __name__ == "__main__":
    main()
