"""BLEU, chrF and ROUGE-L of a beam of 5 by its penalties, and those that training chose, on three tasks.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/search_penalties.py --data DATA [--minutes 4] [--clock cpu] [--tasks multi30k]

One training with default settings for each task: captions (Multi30k), package descriptions from English to German, and their
synopses. The figures are those of the first 1,000 held-out pairs of the data, on which nothing was chosen. Prints a JSON line for
each search; greedy search first.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from curve_inside import CLOCKS, task_data

from nbtextgen import TextGenerator
from nbtextgen.evaluation.metrics import score

FOLDERS = {"multi30k": "multi30k", "descriptions": "debian-en-de", "synopsis": "debian-synopsis"}
SEARCHES = (
    (1, None, None),
    *((5, length, 0.0) for length in (0.6, 0.8, 1.0, 1.2, 1.4)),
    *((5, length, 0.2) for length in (0.6, 0.8, 1.0)),
    (5, 0.8, 0.4),
)
"""Beam, length penalty and coverage penalty."""
ASKED = 1000


def main() -> None:
    """Train once for each task, and search with each pair of penalties."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--tasks", nargs="+", choices=FOLDERS, default=list(FOLDERS))
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: processor time, for a busy machine")
    asked = parser.parse_args()
    time.perf_counter = CLOCKS[asked.clock]  # what ``max_minutes`` is counted by
    for task in asked.tasks:
        train, sources, targets = task_data(task, str(asked.data / FOLDERS[task]))
        began = time.perf_counter()
        model = TextGenerator(max_minutes=asked.minutes, threads=1).fit(train)
        minutes = round((time.perf_counter() - began) / 60, 2)
        chosen = model.predictor.output_length.penalty, model.predictor.output_length.coverage
        for beam, length, coverage in SEARCHES:
            began = time.perf_counter()
            settings = {"beam": beam, "length_penalty": length, "coverage_penalty": coverage}
            outputs = [each.text for each in model.generate(sources[:ASKED], **settings)]
            seconds = round(time.perf_counter() - began, 1)
            figures = {name: round(score(name, targets[:ASKED], outputs), 2) for name in ("bleu", "chrf", "rougeL")}
            characters = round(sum(map(len, outputs)) / sum(map(len, targets[:ASKED])), 3)
            line = {"task": task, "minutes": minutes, **settings, "chosen": chosen}
            print(json.dumps({**line, **figures, "length": characters, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
