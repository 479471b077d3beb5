"""Figure 1: ``builtin:dates``, default settings, exact match on 2,000 held-out dates and the training time.

python benchmarks/dates.py [--pairs 20000] [--options '{"learning_rate": 0.002}']
"""

from __future__ import annotations

import argparse
import json
import time

import torch

from nbtextgen import TextGenerator, builtin


def main() -> None:
    """Train once with default settings and print one JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--held-out", type=int, default=2_000)
    parser.add_argument("--options", type=json.loads, default={}, help="JSON of settings that replace the defaults")
    options = parser.parse_args()
    pairs = builtin("dates", options.pairs + options.held_out)
    train, held = pairs[: options.pairs], pairs[options.pairs :]
    began, worked = time.perf_counter(), time.process_time()
    model = TextGenerator(**options.options).fit(train)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    scores = model.evaluate(held)
    exact = scores["exact"]
    result = {"pairs": len(train), "held_out": len(held), "exact": exact.value, "low": exact.low, "high": exact.high}
    print(
        json.dumps(
            {
                **result,
                "train_seconds": round(seconds, 1),
                "processor_seconds": round(processor, 1),
                "threads": torch.get_num_threads(),
            }
        )
    )


if __name__ == "__main__":
    main()
