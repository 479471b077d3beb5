"""What a user waits for: ``%load_ext nbtextgen`` beyond IPython itself, and a cell's first training step.

    .venv/bin/python benchmarks/start_up.py [--runs 7]

Every run is a fresh process. The first step is timed as a whole cell that makes one update and ends (an upper bound):
torch is imported, the built-in dates are made, tokenizers learned, the network built. Prints one JSON line of medians.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from statistics import median

SHELL = "import time; from IPython.core.interactiveshell import InteractiveShell as S; s = S.instance(); "
LOAD = SHELL + "b = time.perf_counter(); s.run_line_magic('load_ext', 'nbtextgen'); print(time.perf_counter() - b)"
STEP = (
    SHELL + "s.run_line_magic('load_ext', 'nbtextgen'); b = time.perf_counter(); "
    "s.run_line_magic('textgen_train', 'dates --data builtin:dates?count=2000 --max-steps 1 --valid-fraction 0 --quiet'); "
    "print(time.perf_counter() - b)"
)


def seconds(code: str, runs: int) -> list[float]:
    """The last number that each fresh process prints."""
    seconds = []
    for _ in range(runs):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        seconds.append(float(done.stdout.split()[-1]))
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    seconds(LOAD, 1)  # fills the file cache
    load, step = seconds(LOAD, runs), seconds(STEP, runs)
    print(
        json.dumps(
            {
                "load_ext_seconds": round(median(load), 3),
                "load_ext_worst": round(max(load), 3),
                "one_update_cell_seconds": round(median(step), 2),
                "one_update_cell_worst": round(max(step), 2),
                "runs": runs,
            }
        )
    )


if __name__ == "__main__":
    main()
