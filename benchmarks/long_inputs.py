"""Which estimate of Shapley values to trust on long inputs: permutations or regression, at the same number of copies read.

    python benchmarks/long_inputs.py [--seeds 6] [--budget 2000] [--reference 40000] [--texts 3] [--units 14 16 40 100 300]
    python benchmarks/long_inputs.py --unit auto --units 300 --reference 50000        # as users get it: words and phrases

A character model of built-in dates explains what it writes for one date (14 to 16 units, against exact values) and for several
dates in a row (40, 100 and 300 units, against 40,000 copies by another seed). "one phase" is the regression without the second phase
that it has from 80 units on. Printed for each estimator: root mean square error,
how often the reference is within 1.96 standard errors (of both), how many of the ten strongest units two seeds have in common (whole
output), and processor time of one explanation on one thread.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from unittest import mock

import numpy as np
import torch

from nbtextgen import TextGenerator, builtin
from nbtextgen.explanation.attributions import Attributions, ScoreFunction
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.explanation.regression import regression
from nbtextgen.explanation.shapley import exact, permutations

Estimator = Callable[..., Iterator[Attributions]]


def one_phase(score: ScoreFunction, units: int, budget: int, seed: int) -> Iterator[Attributions]:
    """The regression without the second phase that many units have."""
    with mock.patch("nbtextgen.explanation.regression.MANY_UNITS", units + 1):
        yield from regression(score, units, budget, seed)


ESTIMATORS: dict[str, Estimator] = {"permutations": permutations, "one phase": one_phase, "regression": regression}


def explainer(model: TextGenerator, source: str, unit: str = "char") -> Explainer:
    """A fresh one, that remembers nothing."""
    return Explainer(model.predictor, source, ExplanationConfig(unit=unit, faithfulness=False))


def last(estimates: Iterator[Attributions]) -> Attributions:
    """The final estimate."""
    *_, final = estimates
    return final


def top(values: np.ndarray, count: int = 10) -> set[int]:
    """The strongest units for the whole output."""
    return set(np.argsort(-np.abs(values.sum(0)))[:count].tolist())


def sources(units: int, count: int) -> list[str]:
    """Sources of so many characters: a date, or several in a row."""
    dates = builtin("dates", 400, seed=5).sources
    if units <= 16:
        return [date for date in dates if len(date) == units][:count]
    return [
        "; ".join(dates[start : start + 30])[:units].strip().ljust(units, ".") for start in range(0, 30 * count, 30)
    ]


def measure(model: TextGenerator, length: int, budget: int, seeds: int, reference: int, texts: int, unit: str) -> None:
    """Print a line for each estimator, for texts of some ``length`` in characters."""
    errors = {name: list[float]() for name in ESTIMATORS}
    covered = {name: list[float]() for name in ESTIMATORS}
    overlaps = {name: list[float]() for name in ESTIMATORS}
    seconds = {name: list[float]() for name in ESTIMATORS}
    units = length
    for source in sources(length, texts):
        right, spread = None, np.zeros(1)
        units = len(explainer(model, source, unit).units)
        if units <= 16:
            right = exact(explainer(model, source, unit).value, units).values
        elif reference:
            best = last(regression(explainer(model, source, unit).value, units, reference, 999))
            right, spread = best.values, np.asarray(best.standard_errors)
        for name, estimate in ESTIMATORS.items():
            tops = list[set[int]]()
            for seed in range(seeds):
                asked = explainer(model, source, unit)
                began = time.process_time()
                found = last(estimate(asked.value, units, budget, seed))
                seconds[name].append(time.process_time() - began)
                tops.append(top(found.values))
                if right is not None and found.standard_errors is not None:
                    distance = np.abs(found.values - right)
                    errors[name].append(float((distance**2).mean()))
                    covered[name].append(
                        float((distance <= 1.96 * np.hypot(found.standard_errors, spread) + 1e-9).mean())
                    )
            overlaps[name] += [len(one & other) / 10 for one, other in itertools.combinations(tops, 2)]
    for name in ESTIMATORS:
        error = f"{np.sqrt(np.mean(errors[name])):.4f}" if errors[name] else "-"
        cover = f"{100 * np.mean(covered[name]):.1f} %" if covered[name] else "-"
        print(f"{length:>4} characters, {units:>3} units  {name:<13} error {error}  covered {cover:>7}  top ten in common "
              f"{np.mean(overlaps[name]):.2f}  {np.median(seconds[name]):.2f} s", flush=True)  # fmt: skip


def main() -> None:
    """Train, then measure at each length."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--budget", type=int, default=2000)
    parser.add_argument("--reference", type=int, default=40_000)
    parser.add_argument("--texts", type=int, default=3)
    parser.add_argument("--model", default="", help="folder of a saved model, instead of training one")
    parser.add_argument("--units", type=int, nargs="*", default=[14, 16, 40, 100, 300])
    parser.add_argument("--unit", choices=["char", "auto"], default="char", help="auto: what users get by default")
    args = parser.parse_args()
    torch.set_num_threads(1)
    options = {"hidden_size": 128, "embedding_size": 64, "samples": 0, "learning_rate": 0.003, "threads": 1}
    if args.model:
        model = TextGenerator.load(args.model)
    else:
        model = TextGenerator(**options, epochs=12, source_masking=0.1).fit(builtin("dates", 4000), callbacks=[])
    for units in args.units:
        measure(model, units, args.budget, args.seeds, args.reference, args.texts, args.unit)


if __name__ == "__main__":
    main()
