"""Which explanation can be believed: methods x data sets, with and without source masking in training.

    python benchmarks/faithfulness.py --data FOLDER --models FOLDER [--sets dates,g2p,multi30k] [--masking 0,0.15]
                                      [--parts train,methods,missing] [--limit 200] [--crossed 60] [--steps N]
                                      [--out FILE]

``--data`` holds ``multi30k/`` and ``g2p2020/``; dates come with the package. Every model is trained once and kept in
``--models`` (``train``); then, of ``--limit`` validation outputs each,

* ``methods``: comprehensiveness, sufficiency and deletion area of every method, with 95 % intervals, random order as control; for
  dates also the share of positive attribution of the year's four output characters that lies on the year in the source;
* ``missing``: what should stand for missing units. SHAP by mask, deletion and sampling, each judged by all three ways of
  removing, on ``--crossed`` of the outputs.

Prints tables, and one JSON line for each result to ``--out``.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nbtextgen import Pairs, TextGenerator, builtin
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.explanation.faithfulness import faithfulness
from nbtextgen.explanation.survey import Mean, survey
from nbtextgen.run.folder import Run

METHODS = ("shap", "lime", "integrated-gradients", "occlusion", "input-x-gradient", "attention")
MISSING = ("mask", "delete", "sample")
FIGURES = ("comprehensiveness", "sufficiency", "deletion")
CONFIG = ExplanationConfig(method=METHODS, budget=600, exact_units=9, donors=4)
"""600 copies a method at most, 512 for exact values: so every method of sampling spends the same."""


@dataclass(frozen=True)
class Task:
    """A data set, the settings of its model and the metric of its outputs."""

    name: str
    train: Pairs
    valid: Pairs
    metric: str
    settings: dict[str, Any] = field(default_factory=dict)


def tasks(folder: Path, names: list[str]) -> Iterator[Task]:
    """The data sets asked for; short trainings, by updates rather than minutes so that a busy machine trains the same."""
    if "dates" in names:
        train, valid = builtin("dates", 12_000), builtin("dates", 500, seed=99)
        yield Task("dates", train, valid, "exact", {"max_steps": 3000})
    if "g2p" in names:
        train, valid = (Pairs.of(folder / "g2p2020" / f"fre_{part}.tsv") for part in ("train", "dev"))
        yield Task("g2p", train, valid, "exact", {"max_steps": 3000})
    if "multi30k" in names:
        sides = [[folder / "multi30k" / f"{part}.{side}" for side in ("en", "de")] for part in ("train", "val")]
        train, valid = (Pairs.of(tuple(each)) for each in sides)
        words = {"tokens": "word", "source_lowercase": True, "target_lowercase": True, "vocabulary_size": 6000}
        small = {"hidden_size": 256, "embedding_size": 128, "valid_limit": 500}
        yield Task("multi30k", train, valid, "bleu", {**words, **small, "max_steps": 4500})


def folder_of(models: Path, task: Task, masking: float) -> Path:
    """Where a model is kept."""
    return models / f"{task.name}-{masking}"


def train(task: Task, masking: float, folder: Path) -> dict[str, Any]:
    """Train and keep one model, going on where an earlier call was cut off; how good it is."""
    began, run = time.process_time(), folder.with_name(folder.name + "-run")
    if Run.is_run(run):
        model = TextGenerator.resume(run, callbacks=[])
    else:
        model = TextGenerator(**task.settings, source_masking=masking, samples=0, checkpoint_seconds=10.0)
        model.fit(task.train, run=run, callbacks=[])
    minutes = (time.process_time() - began) / 60
    model.save(folder)
    score = model.evaluate(task.valid, metrics=[task.metric])[task.metric]
    print(f"trained {task.name}, masking {masking}: {task.metric} {score.value:.1f}, {minutes:.1f} min", flush=True)
    return {"metric": task.metric, "score": score.value, "processor_minutes_of_last_call": round(minutes, 2)}


def methods(model: TextGenerator, task: Task, pairs: Pairs, masking: float) -> dict[str, Any]:
    """One block of the table of methods."""
    began = time.process_time()
    result = survey(model.predictor, pairs, CONFIG)
    print(f"\n{task.name}, masking {masking}, {result.first[0].missing}, {len(pairs)} texts\n")
    print(f"| method | {' | '.join(FIGURES)} | year |\n|---|---|---|---|---|")
    table: dict[str, Any] = {}
    for method, scores in result.faithfulness.items():
        cells = {figure: scores[figure] for figure in FIGURES}
        shares = [year_share(each) for each in result.explanations.get(method, [])] if task.name == "dates" else []
        known_shares = [share for share in shares if share is not None]
        if known_shares:
            cells["year"] = Mean.of(known_shares)
        print(f"| {method} | {' | '.join(map(str, cells.values()))} |", flush=True)
        table[method] = {name: asdict(cell) for name, cell in cells.items()}
    seconds = round(time.process_time() - began)
    agreement = dict(zip(result.agreement.methods, result.agreement.correlations[0].round(3).tolist(), strict=True))
    print(f"\nrank correlation with SHAP: {agreement}; {seconds} processor seconds")
    return {"texts": len(pairs), "missing": result.first[0].missing, "table": table, "agreement": agreement} | {
        "processor_seconds": seconds
    }


def year_share(explanation: Explanation) -> float | None:
    """Share of the positive attribution of the output's year that lies on the source's year; ``None`` without one."""
    year = explanation.text[:4]
    match = re.search(rf"(?<!\d){re.escape(year)}(?!\d)", explanation.source)
    if match is None or not re.fullmatch(r"\d{4}", year):
        return None
    right = np.array([match.start() <= start < match.end() for start, _ in explanation.input_offsets])
    positive = np.maximum(explanation.values[:4], 0)
    return float(positive[:, right].sum() / positive.sum()) if positive.sum() > 0 else None


def missing(model: TextGenerator, task: Task, pairs: Pairs, masking: float) -> dict[str, Any]:
    """SHAP with each way of leaving out, judged by each: gain over random order, in area."""
    began = time.process_time()
    background = task.train.sources[:: max(1, len(task.train) // 200)]
    gains = np.zeros((len(pairs), len(MISSING), len(MISSING)))
    years: dict[str, list[float]] = {each: [] for each in MISSING}
    for index, source in enumerate(pairs.sources):
        explainers = [
            Explainer(model.predictor, source, replace(CONFIG, missing=each), background=background) for each in MISSING
        ]
        for row, explainer in enumerate(explainers):
            *_, explained = explainer.refine("shap")
            gains[index, row] = [faithfulness(other.value, explained.values).gain for other in explainers]
            if task.name == "dates" and (share := year_share(explained)) is not None:
                years[MISSING[row]].append(share)
    print(f"\n{task.name}, masking {masking}: what stands for missing units, {len(pairs)} texts\n")
    print(f"| values by | {' | '.join('judged by ' + each for each in MISSING)} | mean |\n|---|---|---|---|---|")
    table = {}
    for row, each in enumerate(MISSING):
        cells = [Mean.of(gains[:, row, column].tolist()) for column in range(len(MISSING))] + [
            Mean.of(gains[:, row].mean(1).tolist())
        ]
        shares = [Mean.of(years[each])] if years[each] else []
        print(f"| {each} | {' | '.join(map(str, cells + shares))} |", flush=True)
        table[each] = {
            name: asdict(cell) for name, cell in zip((*MISSING, "mean", "year"), cells + shares, strict=False)
        }
    return {"texts": len(pairs), "gains": table, "processor_seconds": round(time.process_time() - began)}


def main() -> None:
    """Train what is not there yet, explain, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--sets", default="dates,g2p,multi30k")
    parser.add_argument("--masking", default="0,0.15")
    parser.add_argument("--parts", default="train,methods,missing")
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--crossed", type=int, default=60)
    parser.add_argument("--steps", type=int, help="updates of a shorter training, for a first look")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()

    def note(part: str, task: Task, masking: float, figures: dict[str, Any]) -> None:
        if args.out:
            line = json.dumps({"set": task.name, "masking": masking, "part": part, **figures})
            with args.out.open("a") as file:
                file.write(line + "\n")

    parts = args.parts.split(",")
    for task in tasks(args.data, args.sets.split(",")):
        for masking in map(float, args.masking.split(",")):
            folder = folder_of(args.models, task, masking)
            if not folder.exists():
                if args.steps:
                    task.settings["max_steps"] = args.steps
                note("train", task, masking, train(task, masking, folder))
            model = TextGenerator.load(folder)
            pairs = task.valid.take(range(0, len(task.valid), max(1, len(task.valid) // args.limit)))[: args.limit]
            if "methods" in parts:
                note("methods", task, masking, methods(model, task, pairs, masking))
            if "missing" in parts:
                some = pairs[:: max(1, len(pairs) // args.crossed)][: args.crossed]
                note("missing", task, masking, missing(model, task, some, masking))


if __name__ == "__main__":
    main()
