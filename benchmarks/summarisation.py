"""Summarisation of software descriptions: what attention, the copy head and coverage are worth.

    .venv/bin/python benchmarks/summarisation.py --data DIR/debian-synopsis [--minutes 60] [--models ...] [--pairs N]

Trains each network for the same processor time, on one thread, on the same pairs and writes the synopsis of every
description in ``valid.tsv``. Prints JSON lines for each: ROUGE-1, ROUGE-2, ROUGE-L (F1, percent) and the share of outputs
with a trigram that occurs twice, written by beam search as it is and by one that allows no trigram twice; and the same
for the lead baseline, the description's first sentence. Words are the tokens; of the source's
words that no vocabulary holds, only the copy head can write any.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from pathlib import Path
from typing import Any

import torch

from nbtextgen import Pairs, TextGenerator
from nbtextgen.evaluation.metrics import measure

MODELS: dict[str, dict[str, Any]] = {
    "fixed vector": {"attention": "none"},
    "attention": {"copy": False},
    "attention + copy": {"copy": True},
    "attention + copy + coverage": {"copy": True, "coverage": True},
}
ROUGE = ["rouge1", "rouge2", "rougeL"]


def repeated_trigrams(texts: list[str]) -> float:
    """Percent of texts in which some three words in a row occur twice."""

    def repeats(text: str) -> bool:
        words = text.lower().split()
        grams = list(zip(words, words[1:], words[2:], strict=False))
        return len(grams) > len(set(grams))

    return 100 * sum(map(repeats, texts)) / max(1, len(texts))


def first_sentence(text: str) -> str:
    """The text up to its first full stop, question or exclamation mark that a space follows."""
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0].rstrip(".")


def line(name: str, outputs: list[str], valid: Pairs, **more: Any) -> str:
    """The figures of one way as a JSON line."""
    scores = measure(list(valid.targets), outputs, ROUGE)
    figures = {metric: round(scores[metric].value, 2) for metric in ROUGE}
    return json.dumps({"model": name, **figures, "repeated_trigrams": round(repeated_trigrams(outputs), 2), **more})


def main() -> None:
    """Train and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60.0, help="processor minutes of training, each model")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--pairs", type=int, help="training pairs; default: all")
    parser.add_argument("--measured", type=int, help="descriptions to summarise; default: all of valid.tsv")
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--options", type=json.loads, default={}, help="JSON of settings that replace those below")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    time.perf_counter = time.process_time  # what --max-minutes is counted by
    train = Pairs.of(chosen.data / "train.tsv")[: chosen.pairs]
    valid = Pairs.of(chosen.data / "valid.tsv")[: chosen.measured]
    print(line("lead baseline", [first_sentence(text) for text in valid.sources], valid), flush=True)
    common = {
        "tokens": "word", "vocabulary_size": 10_000, "hidden_size": 256, "embedding_size": 128, "dropout": 0.2,
        "batch_size": 64, "learning_rate": 0.002, "samples": 0, "seed": 1, "epochs": 30,
    } | chosen.options  # fmt: skip
    for name in chosen.models:
        model = TextGenerator(**common | MODELS[name], max_minutes=chosen.minutes, valid_limit=500)
        began = time.process_time()
        model.fit(train, callbacks=[])
        parameters = sum(weight.numel() for weight in model.predictor.networks[0].parameters())
        steps = max((event.step for event in model.history if hasattr(event, "step")), default=0)
        more = {
            "processor_minutes": round((time.process_time() - began) / 60, 1),
            "updates": steps,
            "parameters": parameters,
        }
        for limit in (0, 3):
            generations = model.generate(valid.sources, beam=chosen.beam, no_repeat_ngram=limit)
            print(line(name, [each.text for each in generations], valid, no_repeat_ngram=limit, **more), flush=True)


if __name__ == "__main__":
    main()
