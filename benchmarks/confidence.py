"""Confidence on four tasks: calibration error, how well wrong outputs are found, and whether promises of ``accept`` hold.

    python benchmarks/confidence.py --data DATA [--tasks dates table] [--splits 50] [--models FOLDER] [--out FILE]
        [--options '{"snapshot": true}'] [--second]

Each task trains once, by updates. Its held-out pairs are split again and again: ``--calibration`` of them calibrate, the others
test. Prints a JSON line for each task: expected calibration error over 10 bins with equal numbers of outputs (``ece``), area under
the ROC curve of wrong outputs for the confidence and for the mean log-probability alone, and their difference with a bootstrap
interval over test outputs (``auroc``, ``auroc_mean_log``, ``gain``), all as means over the splits; for each precision the share of
outputs accepted, their realised precision, and the share of splits in which it was below the promise.

    python benchmarks/confidence.py --others 4 [--tasks dates table] [--models FOLDER]

How much could be known: so many other networks are trained from other seeds and score the same outputs. Prints for each number of
networks how much better the mean log-probability over all of them ranks wrong outputs than that of the one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from doubtful_tasks import TASKS, Task

from nbtextgen import Pairs, TextGenerator
from nbtextgen.confidence.calibration import HeldOut, calibration_error, fit_calibration
from nbtextgen.confidence.criterion import Criterion
from nbtextgen.confidence.features import NAMES
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.pipeline.calibration import add_second_network, held_out_outputs

PRECISIONS = (0.95, 0.99)
RESAMPLES = 1000


def trained(name: str, task: Task, models: Path | None, options: dict[str, Any], second: bool) -> TextGenerator:
    """The model of a task, from the folder of an earlier call if there is one."""
    if models is not None and (models / name).is_dir():
        return TextGenerator.load(models / name, device="cpu")
    train, valid = task.train, None
    if second:  # both networks need the same tokens
        train, valid = task.train[len(task.train) // 10 :], task.train[: len(task.train) // 10]

    def from_seed(seed: int) -> TextGenerator:
        settings = {"seed": seed, "threads": 1, "device": "cpu", **task.options, **options}
        return TextGenerator(**settings).fit(train, valid=valid, callbacks=[])

    model = from_seed(1)
    if second:
        other = from_seed(101)
        add_second_network(model.predictor, model.plan, other.predictor, other.plan)
    if models is not None:
        model.save(models / name)
    return model


def auroc(scores: np.ndarray[Any, Any], wrong: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]) -> float:
    """Area under the ROC curve of ``wrong`` for low scores, with a weight per output; ties count half."""
    _, groups = np.unique(scores, return_inverse=True)
    bad = np.bincount(groups, weights * wrong)
    good = np.bincount(groups, weights * ~wrong)
    above = good.sum() - np.cumsum(good)
    return float((bad * (above + 0.5 * good)).sum() / max(1e-12, bad.sum() * good.sum()))


def take(held: HeldOut, rows: np.ndarray[Any, Any]) -> HeldOut:
    return HeldOut(held.features[rows], held.right[rows], held.unlike[rows], held.token_logs, held.token_right)


def one_split(held: HeldOut, criterion: Criterion, count: int, seed: int) -> dict[str, Any]:
    """Calibrate on ``count`` outputs and test on the others."""
    order = np.random.default_rng(seed).permutation(len(held.right))
    calibration = fit_calibration(take(held, order[:count]), criterion, {})
    test = take(held, order[count:])
    confidence, mean_log = (
        calibration.confidence(test.features),
        test.features[:, NAMES.index("mean log-probability of a token")],
    )
    ones = np.ones(len(test.right))
    result: dict[str, Any] = {
        "ece": calibration_error(confidence, test.right),
        "ece_before": calibration_error(np.exp(mean_log), test.right),
        "auroc": auroc(confidence, ~test.right, ones),
        "auroc_mean_log": auroc(mean_log, ~test.right, ones),
        "isotonic": calibration.isotonic is not None,
        "columns": len(calibration.columns),
    }
    for precision in PRECISIONS:
        threshold = calibration.threshold(precision)
        accepted = np.zeros(len(ones), bool) if threshold is None else (confidence >= threshold) & ~test.unlike
        result[f"share_{precision}"] = float(accepted.mean())
        result[f"precision_{precision}"] = float(test.right[accepted].mean()) if accepted.any() else None
    generator, draws = np.random.default_rng(seed), 0
    if seed == 0:
        weights = (generator.multinomial(len(ones), ones / len(ones)).astype(float) for _ in range(RESAMPLES))
        draws = np.array(
            [auroc(confidence, ~test.right, each) - auroc(mean_log, ~test.right, each) for each in weights]
        )
        result["gain_interval"] = np.percentile(draws, [2.5, 97.5]).round(4).tolist()
        bins = [rng.integers(0, len(ones), len(ones)) for rng in [generator] for _ in range(RESAMPLES)]
        result["ece_interval"] = (
            np.percentile([calibration_error(confidence[rows], test.right[rows]) for rows in bins], [2.5, 97.5])
            .round(4)
            .tolist()
        )
    return result


def measure(name: str, task: Task, model: TextGenerator, splits: int, count: int) -> dict[str, Any]:
    """All figures of a task."""
    criterion, began = Criterion.parse(task.criterion), time.process_time()
    held, _ = held_out_outputs(model.predictor, model.plan, task.held, criterion, DecodingConfig())
    results = [one_split(held, criterion, min(count, len(held.right) // 2), seed) for seed in range(splits)]
    figures: dict[str, Any] = {"task": name, "criterion": str(criterion), "held_out": len(held.right)}
    figures |= {
        "right": round(float(held.right.mean()), 4),
        "calibrated_on": min(count, len(held.right) // 2),
        "splits": splits,
    }
    for key in ("ece", "ece_before", "auroc", "auroc_mean_log"):
        figures[key] = round(float(np.mean([result[key] for result in results])), 4)
    figures["ece_interval"] = results[0]["ece_interval"]
    figures["gain"] = round(figures["auroc"] - figures["auroc_mean_log"], 4)
    figures["gain_interval"] = results[0]["gain_interval"]
    for precision in PRECISIONS:
        realised = [
            result[f"precision_{precision}"] for result in results if result[f"precision_{precision}"] is not None
        ]
        figures[f"accept_{precision}"] = {
            "promised_in": len(realised),
            "share": round(float(np.mean([result[f"share_{precision}"] for result in results])), 4),
            "precision": round(float(np.mean(realised)), 4) if realised else None,
            "below": round(float(np.mean([value < precision for value in realised])), 3) if realised else None,
        }
    figures["isotonic"] = float(np.mean([result["isotonic"] for result in results]))
    figures["all_features"] = float(np.mean([result["columns"] > 3 for result in results]))
    return figures | {"processor_seconds": round(time.process_time() - began, 1)}


def measure_others(name: str, task: Task, model: TextGenerator, count: int) -> list[dict[str, Any]]:
    """What other networks know about the outputs of one."""
    outputs = model.generate(list(task.held.sources))
    kept = [index for index, output in enumerate(outputs) if output.text]
    pairs = Pairs([outputs[index].source for index in kept], [outputs[index].text for index in kept])
    right = Criterion.parse(task.criterion).right([task.held.targets[index] for index in kept], list(pairs.targets))
    ones, lines = np.ones(len(kept)), list[dict[str, Any]]()
    means = [np.array([outputs[index].log_probabilities.mean() for index in kept], np.float64)]
    for number in range(1, count + 1):
        other = TextGenerator(seed=100 + number, threads=1, device="cpu", **task.options).fit(task.train, callbacks=[])
        totals, tokens = other.predictor.target_scores(pairs)
        means.append(totals / tokens)
        scores = [auroc(each, ~right, ones) for each in (means[0], np.mean(means, 0))]
        line = {"task": name, "other_networks": number, "auroc_mean_log": round(scores[0], 4)}
        lines.append(line | {"auroc": round(scores[1], 4), "gain": round(scores[1] - scores[0], 4)})
    return lines


def main() -> None:
    """Measure the tasks one after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of public data sets; without it, built-in data only")
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--options", type=json.loads, default={}, help="JSON of further settings of the training")
    parser.add_argument("--second", action="store_true", help="a network from another seed scores each output, too")
    parser.add_argument("--splits", type=int, default=50)
    parser.add_argument("--calibration", type=int, default=2000, help="held-out pairs that calibrate")
    parser.add_argument("--models", type=Path, help="keep the trained models here, and use those of an earlier call")
    parser.add_argument("--out", type=Path, help="append the lines to a file")
    parser.add_argument("--others", type=int, default=0, help="measure what so many other networks know instead")
    parser.add_argument("--limit", type=float, default=60.0, help="minutes after which no further task begins")
    arguments = parser.parse_args()
    began = time.monotonic()
    for name in arguments.tasks:
        if time.monotonic() - began > 60 * arguments.limit:
            print(f"{name} and those after it are left out: the time is used up", file=sys.stderr)
            break
        task = TASKS[name](arguments.data)
        model = trained(name, task, arguments.models, arguments.options, arguments.second)
        if arguments.others:
            figures = measure_others(name, task, model, arguments.others)
        else:
            figures = [measure(name, task, model, arguments.splits, arguments.calibration)]
        for line in map(json.dumps, figures):
            print(line, flush=True)
            if arguments.out is not None:
                with arguments.out.open("a") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    main()
