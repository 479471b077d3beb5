"""CMUdict: phone and word error rate of one model, as Toshniwal & Livescu 2016 and Yolchuyeva et al. 2019 report them.

    .venv/bin/python benchmarks/pronunciation.py [--options '{"epochs": 20}'] [--on valid] [--beam 1]

Words are split by a seed into about 107k for training, 2.7k to choose the checkpoint and 12k to test, every pronunciation of
a word on one side. Beam 5; the listed pronunciation nearest to the output counts. Prints a JSON line for each part of ``--on``.
"""

from __future__ import annotations

import argparse
import json
import time

import torch

from nbtextgen import Pairs, TextGenerator, builtin

TEST, VALID = 12_000, 2_700


def split(seed: int = 1) -> tuple[Pairs, Pairs, Pairs]:
    """Pairs to train on, to choose the checkpoint and to test; every pronunciation of a word is in one of them."""
    pairs = builtin("pronunciation", seed=seed)
    words = list(dict.fromkeys(pairs.sources))
    test, valid = set(words[:TEST]), set(words[TEST : TEST + VALID])
    parts: list[list[int]] = [[], [], []]
    for row, word in enumerate(pairs.sources):
        parts[2 if word in test else 1 if word in valid else 0].append(row)
    return pairs.take(parts[0]), pairs.take(parts[1]), pairs.take(parts[2])


def main() -> None:
    """Train once and score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--options", type=json.loads, default={}, help="JSON of settings that replace the defaults")
    parser.add_argument("--seed", type=int, default=1, help="of the split")
    parser.add_argument(
        "--on",
        nargs="+",
        choices=["test", "valid"],
        default=["test"],
        help="words to score; valid: to compare settings",
    )
    parser.add_argument("--beam", type=int, default=5)
    chosen = parser.parse_args()
    train, valid, test = split(chosen.seed)
    began, worked = time.perf_counter(), time.process_time()
    model = TextGenerator(**chosen.options).fit(train, valid=valid)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    for name in chosen.on:
        asked = test if name == "test" else valid
        scores = model.evaluate(asked, metrics=["error-rate", "exact"], beam=chosen.beam, group_sources=True)
        phones, exact = scores["error-rate"], scores["exact"]
        figures = {"on": name, "phone_error_rate": phones.value, "low": phones.low, "high": phones.high}
        figures |= {"word_error_rate": 100 - exact.value, "low_word": 100 - exact.high, "high_word": 100 - exact.low}
        figures |= {"train_words": len(set(train.sources)), "words": len(set(asked.sources))}
        figures |= {"train_minutes": round(seconds / 60, 1), "processor_minutes": round(processor / 60, 1)}
        print(json.dumps({**figures, "threads": torch.get_num_threads(), **model.choices}, default=str), flush=True)


if __name__ == "__main__":
    main()
