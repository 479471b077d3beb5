"""Are the edits that ``counterfactual`` finds the smallest, and how long does the search take?

    python benchmarks/counterfactuals.py [--texts 30] [--epochs 12] [--parts minimal,times]

Dates and numbers in words (built-in) by a character model, with characters as units. For sources of 13 to 16
units, all subsets are scored, and the sizes of the smallest removal and of the smallest sufficient set are compared with the ones
that the search finds, for the whole output and for every token (part ``minimal``). For sources of 25 to 30 units, processor time
on one thread (part ``times``).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch

from nbtextgen import TextGenerator, builtin
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.explanation.margins import Margins
from nbtextgen.explanation.minimal_edits import minimal_edits
from nbtextgen.explanation.shapley import power_set
from nbtextgen.explanation.subset_search import smallest_set

BUDGET = ExplanationConfig().budget


def smallest(reached: np.ndarray, sizes: np.ndarray) -> int:
    """The smallest size of the subsets that have a property; -1 if none has."""
    return int(sizes[reached].min()) if reached.any() else -1


def comparisons(model: TextGenerator, source: str) -> Iterator[tuple[str, bool]]:
    """For the whole output and some tokens: which search, and whether its set is as small as the smallest of all."""
    explainer = Explainer(model.predictor, source, ExplanationConfig(unit="char", faithfulness=False))
    count = len(explainer.units)
    subsets = power_set(count)
    sizes = subsets.sum(1)
    margins = Margins(model.predictor.networks, explainer.subject, explainer.value.removal)
    by_step = np.concatenate([margins.by_step(margins.removal(rows)) for rows in np.array_split(subsets, 32)])
    for scores in (by_step.min(1), *by_step.T):
        if scores[-1] <= 0:
            continue
        lookup = lambda sets, scores=scores: scores[sets @ (1 << np.arange(count))]  # noqa: E731
        removal = smallest_set(lambda removed: -lookup(~removed), count, BUDGET).units  # noqa: B023
        kept = smallest_set(lookup, count, BUDGET).units
        yield "removal", (-1 if removal is None else len(removal)) == smallest(scores <= 0, count - sizes)
        yield "sufficient", (-1 if kept is None else len(kept)) == smallest(scores > 0, sizes)


def main() -> None:
    """Train two models, compare, time, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--parts", default="minimal,times", help="what is measured, separated by commas")
    args = parser.parse_args()
    torch.set_num_threads(1)
    results = list[bool]()
    for name in ("dates", "numbers"):
        options = {"hidden_size": 128, "embedding_size": 64, "samples": 0, "learning_rate": 0.003, "threads": 1}
        model = TextGenerator(**options, epochs=args.epochs, source_masking=0.1).fit(builtin(name, 4000), callbacks=[])
        sources = builtin(name, 6000, seed=2).sources
        if "minimal" in args.parts:
            results += print_minimal(name, model, sources, args.texts)
        if "times" in args.parts:
            print_times(name, model, sources, args.texts)
    if results:
        print(f"in all, minimal in {100 * np.mean(results):.1f} % of {len(results)}")


def print_minimal(name: str, model: TextGenerator, sources: list[str], texts: int) -> list[bool]:
    """Compare with exhaustive search, print, and return every comparison."""
    counts = {"removal": list[bool](), "sufficient": list[bool]()}
    for source in islice((source for source in sources if 13 <= len(source) <= 16), texts):
        for kind, minimal in comparisons(model, source):
            counts[kind].append(minimal)
    for kind, hits in counts.items():
        print(f"{name:<8} {kind:<11} minimal in {100 * np.mean(hits):.1f} % of {len(hits)}", flush=True)
    return [hit for hits in counts.values() for hit in hits]


def print_times(name: str, model: TextGenerator, sources: list[str], texts: int) -> None:
    """Time all three searches on sources of 25 to 30 units, and print."""
    seconds, units = list[float](), set[int]()
    for source in islice((source for source in sources if 25 <= len(source) <= 30), texts):
        began = time.process_time()
        edits = minimal_edits(model.predictor, source, ExplanationConfig(unit="char"), background=sources[:500])
        seconds.append(time.process_time() - began)
        units.add(len(edits.input_units))
    print(
        f"{name:<8} {len(seconds)} sources of {min(units)} to {max(units)} units: all three searches "
        f"{np.median(seconds):.2f} s (median), {max(seconds):.2f} s at most",
        flush=True,
    )


if __name__ == "__main__":
    main()
