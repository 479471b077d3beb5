"""Slices of errors: are planted weaknesses found, and how often is one named where there is none?

    python benchmarks/slices.py [--data dates,pronunciation] [--pairs 10000] [--seeds 20] [--null-seeds 200] [--out FILE]

No model is trained. References of the built-in dates and pronunciations are outputs, of which some are spoilt by chance: a
twentieth anywhere, and ``--rate`` of them in planted slices (long sources, a word, letters, a rare character, a conjunction). A
planted slice is found if one of the slices has at least 80 % of its rows in common with it (Jaccard index), and a slice is false
if the planted rows are no more frequent in it than outside. With ``--null-seeds`` errors are spread evenly and every slice is
false. ``seconds`` is processor time. Prints a table, and one JSON line for each result to ``--out``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nbtextgen import Pairs, builtin
from nbtextgen.evaluation.evaluated import EvaluatedOutputs
from nbtextgen.evaluation.slices import WRONG, Slices, find_slices

BASE_RATE = 0.05
MIN_JACCARD = 0.8
Flags = NDArray[np.bool_]
PLANTED: dict[str, dict[str, Callable[[str], bool]]] = {
    "dates": {
        "long source": lambda text: len(text) >= 24,
        "word": lambda text: "March" in text,
        "ends with 7": lambda text: text.endswith("7"),
        "slash": lambda text: "/" in text,
        "comma and capital": lambda text: "," in text and text != text.lower(),
    },
    "pronunciation": {
        "long source": lambda text: len(text) >= 10,
        "letters gh": lambda text: "gh" in text,
        "starts with mc": lambda text: text.startswith("mc"),
        "letter x": lambda text: "x" in text,
        "ends with e": lambda text: text.endswith("e"),
    },
}


@dataclass
class Tally:
    """What was counted over the seeds."""

    found: int = 0
    planted: int = 0
    false: int = 0
    named: int = 0
    runs: int = 0
    runs_with_any: int = 0
    seconds: list[float] = field(default_factory=list)


def spoilt(pairs: Pairs, rates: NDArray[np.float64], rng: np.random.Generator) -> tuple[list[str], Flags]:
    """Outputs, and which of them are wrong."""
    wrong = rng.random(len(pairs)) < rates
    outputs = [target[:-1] + "?" if bad else target for target, bad in zip(pairs.targets, wrong, strict=True)]
    return outputs, wrong


def analyse(pairs: Pairs, rates: NDArray[np.float64], seed: int, tally: Tally) -> Slices:
    """The slices that are found in spoilt outputs."""
    outputs, wrong = spoilt(pairs, rates, np.random.default_rng(seed))
    evaluated = EvaluatedOutputs(pairs.sources, pairs.targets, outputs)
    began = time.process_time()
    slices = find_slices(evaluated, 100.0 * wrong, metric=WRONG, higher_is_better=False, seed=seed)
    tally.seconds.append(time.process_time() - began)
    tally.runs += 1
    tally.runs_with_any += bool(slices)
    return slices


def members(slices: Slices) -> Iterator[Flags]:
    """Which rows each slice has."""
    for each in slices:
        flags = np.zeros(slices.output_count, dtype=bool)
        flags[each.indices] = True
        yield flags


def plant(pairs: Pairs, name: str, rate: float, seed: int, tally: Tally) -> None:
    """Plant two weaknesses at a time, and count what is found."""
    tests = list(PLANTED[name].values())
    chosen = [tests[seed % len(tests)], tests[(seed + 1 + seed // len(tests)) % len(tests)]]
    planted = [np.fromiter(map(test, pairs.sources), dtype=bool) for test in dict.fromkeys(chosen)]
    anywhere = np.any(planted, axis=0)
    slices = analyse(pairs, np.where(anywhere, rate, BASE_RATE), seed, tally)
    for flags in planted:
        tally.planted += 1
        tally.found += any((flags & each).sum() >= MIN_JACCARD * (flags | each).sum() for each in members(slices))
    for each in members(slices):
        tally.named += 1
        tally.false += bool(anywhere[each].mean() <= anywhere[~each].mean())


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=",".join(PLANTED), help="names of data sets, separated by commas")
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--null-seeds", type=int, default=200)
    parser.add_argument("--rate", type=float, default=0.3, help="share of wrong outputs in planted slices")
    parser.add_argument("--minutes", type=float, default=15.0, help="no further seed is begun after this time")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    end = time.monotonic() + 60 * arguments.minutes
    for name in arguments.data.split(","):
        pairs = builtin(name, arguments.pairs, seed=5)
        for kind, seeds in (("planted", arguments.seeds), ("none planted", arguments.null_seeds)):
            tally = Tally()
            for seed in range(seeds):
                if time.monotonic() > end:
                    break
                if kind == "planted":
                    plant(pairs, name, arguments.rate, seed, tally)
                else:
                    few = pairs.take(range(seed % 5, len(pairs), 5))  # smaller sets are harder
                    analyse(few, np.full(len(few), 0.2), seed, tally)
            result = {"data": name, "pairs": len(pairs), "kind": kind, "rate": arguments.rate, **vars(tally)}
            if not tally.runs:
                print(f"{name:<14} {kind:<13} not run: the time was over")
                continue
            result["seconds"] = float(np.median(tally.seconds))
            print(
                f"{name:<14} {kind:<13} {tally.runs:>4} runs; found {tally.found} of {tally.planted} planted; false "
                f"{tally.false} of {tally.named} named; {tally.runs_with_any} runs with a slice; {result['seconds']:.2f} s each",
                flush=True,
            )
            if arguments.out:
                with arguments.out.open("a") as file:
                    file.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
