"""What to label next: labels needed for the same quality when ``to_label`` chooses and when chance does.

    python benchmarks/labelling.py [--tasks dates table] [--seeds 5] [--out FILE]

Both begin with the same 200 labelled pairs. Chance adds 200 at a time; ``to_label`` adds 200 at a time by a model trained on those
before. Every model trains anew, by updates. Prints a JSON line for each training, and one for each task: the labels that chance needs
for the exact match that ``to_label`` has at its end (linear between means over seeds), and the ratio of both with a 95 % bootstrap
interval over seeds. Where chance never gets there, the ratio is an upper bound.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
from doubtful_tasks import SHAPES, THINGS, UNITS

from nbtextgen import Pairs, TextGenerator, builtin, to_label

STEP = 200
ROUNDS = (3, 9)
"""Trainings by ``to_label`` and by chance, the first, common one included."""
TEST = 1000
RESAMPLES = 2000
OPTIONS = {"hidden_size": 96, "max_steps": 400, "samples": 0, "batch_size": 32}


def dates(seed: int) -> Pairs:
    """Built-in dates in ten languages."""
    return builtin("dates", 6_000, seed=seed)


def table(seed: int) -> Pairs:
    """Ingredients typed by many hands: some things, units and forms are common, others rare, as in real columns."""
    draw, rows = random.Random(seed), dict[str, str]()

    def common(choices: list[str]) -> str:
        return draw.choices(choices, [1 / rank for rank in range(1, len(choices) + 1)])[0]

    while len(rows) < 6_000:
        thing, unit, number = common(THINGS), common(list(UNITS)), draw.randint(1, 999)
        name = common([thing, thing.title(), thing.upper()])
        rows[common(SHAPES).format(n=number, u=common(UNITS[unit]), t=name)] = f"{thing} | {number} | {unit}"
    return Pairs(list(rows), list(rows.values()))


TASKS = {"dates": dates, "table": table}


def exact(train: Pairs, test: Pairs, seed: int) -> tuple[TextGenerator, float]:
    """A model trained on pairs, and its exact match in percent."""
    model = TextGenerator(seed=seed, threads=1, device="cpu", **OPTIONS).fit(train, callbacks=[])
    outputs = model.predict(test.sources)
    return model, 100 * float(np.mean([output == target for output, target in zip(outputs, test.targets, strict=True)]))


def one_seed(name: str, seed: int) -> list[dict[str, Any]]:
    """All trainings of a seed."""
    pairs = TASKS[name](seed)
    pool, test = pairs[: len(pairs) - TEST], pairs[len(pairs) - TEST :]
    model, figure = exact(pool[:STEP], test, seed)
    lines = [{"task": name, "seed": seed, "by": by, "labels": STEP, "exact": figure} for by in ("chance", "to_label")]
    for rounds in range(2, ROUNDS[1] + 1):
        figure = exact(pool[: rounds * STEP], test, seed)[1]
        lines.append({"task": name, "seed": seed, "by": "chance", "labels": rounds * STEP, "exact": figure})
    labelled = list(range(STEP))
    for rounds in range(2, ROUNDS[0] + 1):
        free = sorted(set(range(len(pool))) - set(labelled))
        chosen = to_label(model, [pool.sources[row] for row in free], STEP, seed=seed)
        labelled += [free[each.row] for each in chosen]
        model, figure = exact(pool.take(labelled), test, seed)
        lines.append({"task": name, "seed": seed, "by": "to_label", "labels": rounds * STEP, "exact": figure})
    return lines


def needed(by: dict[str, dict[int, dict[int, float]]], seeds: list[int]) -> tuple[float, bool]:
    """Labels that chance needs for the quality of ``to_label`` at its end, by means over seeds, and whether it gets there."""

    def means(name: str) -> tuple[list[int], list[float]]:
        counts = sorted(by[name])
        return counts, [float(np.mean([by[name][count][seed] for seed in seeds])) for count in counts]

    (counts, chance), (_, own) = means("chance"), means("to_label")
    return float(np.interp(own[-1], np.maximum.accumulate(chance), counts)), own[-1] <= max(chance)


def summary(name: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """The labels that chance needs for the quality of ``to_label``."""
    by: dict[str, dict[int, dict[int, float]]] = {"chance": {}, "to_label": {}}
    for line in lines:
        by[line["by"]].setdefault(line["labels"], {})[line["seed"]] = line["exact"]
    seeds = sorted({line["seed"] for line in lines})
    spent, generator = max(by["to_label"]), np.random.default_rng(1)
    labels, reached = needed(by, seeds)
    draws = [spent / needed(by, generator.choice(seeds, len(seeds)).tolist())[0] for _ in range(RESAMPLES)]
    curves = {
        each: {count: round(float(np.mean(list(values.values()))), 2) for count, values in sorted(by[each].items())}
        for each in by
    }
    return {
        "task": name,
        "seeds": len(seeds),
        **curves,
        "labels_of_chance": round(labels) if reached else f"over {max(by['chance'])}",
        "ratio": round(spent / labels, 3),
        "ratio_interval": np.percentile(draws, [2.5, 97.5]).round(3).tolist(),
    }


def main() -> None:
    """Run the tasks one after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="append the lines to a file")
    parser.add_argument("--limit", type=float, default=60.0, help="minutes after which no further seed begins")
    arguments, began = parser.parse_args(), time.monotonic()

    def tell(line: dict[str, Any]) -> None:
        print(json.dumps(line), flush=True)
        if arguments.out is not None:
            with arguments.out.open("a") as file:
                file.write(json.dumps(line) + "\n")

    for name in arguments.tasks:
        lines = list[dict[str, Any]]()
        for seed in range(1, arguments.seeds + 1):
            if time.monotonic() - began < 60 * arguments.limit:
                lines += one_seed(name, seed)
                for line in lines[-(sum(ROUNDS)) :]:
                    tell(line)
        if lines:
            tell(summary(name, lines))


if __name__ == "__main__":
    main()
