"""Does augmentation help with little data? 500 and 2,000 training pairs on real tasks, several draws of each.

    .venv/bin/python benchmarks/augmentation.py --data DIR [--pairs 500 2000] [--draws 5] [--minutes 0.5] [--tasks ...]

``DIR`` holds ``g2p2020/`` (spelling to pronunciation, French unless ``--language`` says another: exact match, percent),
``debian-synopsis/`` (descriptions to synopses with the copy head: ROUGE-L) and ``multi30k/`` (captions, English to German:
chrF); ``dates``, ``numbers`` and ``digits`` (numbers the other way round) are built in (exact match, percent). With
``--typos 0.05`` the sources to measure on are also typed with that share of wrong, doubled and missed keys: what training on
``keyboard:0.1`` gains there, and costs on sources typed well. Every draw takes other training pairs; plain and augmented
training see the same ones, with the same settings and the same processor minutes of one thread (``--minutes 0``: until each
ends by itself).
``back-translation:3`` is a way too: it adds three times as many target texts that were not drawn, with sources written by a
model of the other direction, which takes as many minutes again. Prints a JSON line per draw and way, and for each way the
mean difference to plain training with its 95 % confidence interval (Student's t over draws).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch

from nbtextgen import Pairs, TextGenerator, builtin
from nbtextgen.back_translation import back_translate
from nbtextgen.data.noise import keyboard

BACK = "back-translation:"
WAYS = {
    "g2p": ["", "mask:0.1", "concat:0.3"],
    "dates": ["", "concat:0.5"],
    "numbers": ["", "concat:0.5"],
    "digits": ["", "concat:0.5"],
    "captions": ["", "bpe-dropout:0.1", "mask:0.1"],
    "synopses": ["", "drop:0.1", "copy:0.5"],
}
T95 = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}
"""Two-sided 95 % points of Student's t by the number of draws."""


def task(name: str, data: Path, language: str) -> tuple[Pairs, Pairs, str, dict[str, Any]]:
    """All training pairs, those to measure on, the metric, and settings for little data."""
    if name == "g2p":
        train, test = (Pairs.of(data / "g2p2020" / f"{language}_{part}.tsv") for part in ("train", "dev"))
        return train, test, "exact", {}
    if name in ("dates", "numbers", "digits"):
        pairs = builtin("dates" if name == "dates" else "numbers", 8000)
        pairs = Pairs(pairs.targets, pairs.sources) if name == "digits" else pairs
        return pairs[:7000], pairs[7000:], "exact", {}
    if name == "synopses":
        train, test = (Pairs.of(data / "debian-synopsis" / f"{part}.tsv") for part in ("train", "valid"))
        small = {"vocabulary_size": 5000, "hidden_size": 128, "embedding_size": 64, "source_limit": 60}
        return train, test[:400], "rougeL", {"tokens": "word", "copy": True, **small}
    folder = data / "multi30k"
    train = Pairs.of((folder / "train.en", folder / "train.de"))
    test = Pairs.of((folder / "val.en", folder / "val.de"))[:400]
    return train, test, "chrf", {"tokens": "bpe", "vocabulary_size": 1000, "hidden_size": 256, "embedding_size": 128}


def trained(way: str, train: Pairs, rows: list[int], count: int, settings: dict[str, Any]) -> TextGenerator:
    """A model of the first ``count`` rows, augmented in one way; back-translation takes its targets from the rows after them."""
    pairs = train.take(rows[:count])
    if not way.startswith(BACK):
        return TextGenerator(augment=way or "none", **settings).fit(pairs, callbacks=[])
    more = train.take(rows[count : count * (1 + int(way.removeprefix(BACK)))]).targets
    return TextGenerator(augment="none", **settings).fit(pairs + back_translate(pairs, more, **settings), callbacks=[])


def main() -> None:
    """Train and measure every way on every draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--language", default="fre", help="of g2p: fre, hin, kor, rum")
    parser.add_argument("--pairs", type=int, nargs="+", default=[500, 2000])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--skip", type=int, default=0, help="draws that were made before")
    parser.add_argument("--minutes", type=float, default=0.5, help="processor minutes of each training; 0: no limit")
    parser.add_argument(
        "--typos", type=float, default=0.0, help="share of characters typed wrongly in a second measurement"
    )
    parser.add_argument("--ways", nargs="+", help="pipelines to try instead of the usual ones")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    time.perf_counter = time.process_time  # what --max-minutes is counted by
    for name in chosen.tasks:
        train, test, metric, options = task(name, chosen.data, chosen.language)
        tests = {"as they are": test}
        if chosen.typos:
            typed = [keyboard(text, chosen.typos, random.Random(text)) for text in test.sources]
            tests["with typos"] = Pairs(typed, test.targets, test.places)
        ways = WAYS[name] if chosen.ways is None else ["", *chosen.ways]
        for count in chosen.pairs:
            scores: dict[tuple[str, str], list[float]] = {}
            for draw in range(chosen.skip, chosen.draws):
                rows = random.Random(draw).sample(range(len(train)), len(train))
                for way in ways:
                    settings = {**options, "max_minutes": chosen.minutes or None, "seed": draw + 1}
                    model = trained(way, train, rows, count, settings)
                    values = {of: model.evaluate(pairs, metrics=[metric])[metric].value for of, pairs in tests.items()}
                    line = {"task": name, "pairs": count, "draw": draw, "augment": way, "metric": metric}
                    print(json.dumps(line | {of: round(value, 2) for of, value in values.items()}), flush=True)
                    for of, value in values.items():
                        scores.setdefault((way, of), []).append(value)
            for way in ways[1:]:
                for of in tests:
                    gains = [value - plain for value, plain in zip(scores[way, of], scores["", of], strict=True)]
                    line = {"task": name, "pairs": count, "augment": way, "metric": metric, "sources": of}
                    print(json.dumps(line | gain(gains)), flush=True)


def gain(gains: list[float]) -> dict[str, float | None]:
    """Mean of the paired differences, and half of its 95 % interval."""
    half = T95.get(len(gains), 1.96) * stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else None
    return {"gain": round(fmean(gains), 2), "plus_minus": None if half is None else round(half, 2)}


if __name__ == "__main__":
    main()
