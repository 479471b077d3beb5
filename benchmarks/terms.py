"""Terms that must be in the output: are they, what does it cost in processor time, and what does it change in quality?

    .venv/bin/python benchmarks/terms.py [--task words|dates|multi30k] [--data DIR] [--steps 800] [--pairs 300]

Trains a model for a fixed number of updates, then generates for held-out sources with beam 5, plainly and with terms, in one
thread. The terms of a source are drawn from its reference, as Post & Vilar (2018, sec. 4) do: one, two or four words that the plain
output lacks first. Prints a JSON line for every number of terms: the share of outputs that contain their terms, processor seconds
of both searches (the median of ``--repeats``), and a score of both against the references (higher is no merit of the search, since
the references are given away in part; lower would be a fault).
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import time
from pathlib import Path

import torch

from nbtextgen import Pairs, TextGenerator, builtin

torch.set_num_threads(1)


def sentences(count: int) -> Pairs:
    """Recipe lines in made-up English and their translation word by word, with numbers and a changed order."""
    draw = random.Random(7)
    syllables = [first + vowel for first in "bdfgklmnprst" for vowel in "aeiou"]
    words = sorted({"".join(draw.choices(syllables, k=draw.randint(1, 3))) for _ in range(700)})
    others = ["".join(draw.choices(syllables, k=draw.randint(1, 3))) + "x" for _ in words]
    table, rows = dict(zip(words, others, strict=True)), list[tuple[str, str]]()
    for _ in range(count):
        chosen = draw.choices(words, k=draw.randint(4, 10))
        number = str(draw.randint(1, 400))
        written = [table[word] for word in chosen]
        rows.append((f"{number} {' '.join(chosen)}.", f"{written[1]} {written[0]} {number} {' '.join(written[2:])}."))
    return Pairs([source for source, _ in rows], [target for _, target in rows])


def task(name: str, data: Path | None) -> tuple[Pairs, Pairs, dict[str, object]]:
    """Training pairs, held-out pairs, and settings."""
    if name == "dates":
        pairs = builtin("dates", 8_000)
        return pairs[:6_000], pairs[6_000:], {"hidden_size": 128}
    if name == "words":
        pairs = sentences(9_000)
        return pairs[:8_000], pairs[8_000:], {"tokens": "bpe", "vocabulary_size": 2_000, "hidden_size": 256}
    assert data is not None, "name the folder of Multi30k with --data"
    train, val = (Pairs.of((data / f"{part}.en", data / f"{part}.de")) for part in ("train", "val"))
    return train, val, {"hidden_size": 256}


def main() -> None:
    """Train, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=("words", "dates", "multi30k"), default="words")
    parser.add_argument("--data", type=Path, help="folder with train.en, train.de, val.en, val.de")
    parser.add_argument("--steps", type=int, default=800, help="updates of the training")
    parser.add_argument("--pairs", type=int, default=300, help="held-out pairs")
    parser.add_argument("--repeats", type=int, default=3, help="times that each search is measured")
    chosen = parser.parse_args()
    train, held, options = task(chosen.task, chosen.data)
    held = held[: chosen.pairs]
    model = TextGenerator(**options, max_steps=chosen.steps, threads=1, samples=0).fit(train, callbacks=[])
    unit = "exact" if chosen.task == "dates" else "chrf"
    plain, seconds = timed(model, [list(held.sources)], [{}], chosen.repeats)
    print(
        json.dumps({"task": chosen.task, "terms": 0, "seconds": round(seconds, 2), unit: quality(held, plain, unit)}),
        flush=True,
    )
    batched(model, held, chosen.task, chosen.repeats)
    for count in (1, 2, 4):
        terms = [lacking(target, output, count) for (_, target), output in zip(held, plain, strict=True)]
        outputs, spent = timed(
            model, [[source] for source in held.sources], [{"must_include": each} for each in terms], 1
        )
        met = [all(term in output for term in each) for each, output in zip(terms, outputs, strict=True)]
        _, single = timed(model, [[source] for source in held.sources], [{} for _ in terms], 1)
        print(
            json.dumps(
                {
                    "task": chosen.task,
                    "terms": count,
                    "met": round(sum(met) / len(met), 4),
                    "seconds": round(spent, 2),
                    "plain_seconds": round(single, 2),
                    "ratio": round(spent / single, 2),
                    unit: quality(held, outputs, unit),
                }
            ),
            flush=True,
        )


def batched(model: TextGenerator, held: Pairs, name: str, repeats: int) -> None:
    """One call for all sources, 64 of them in a batch: their numbers are carried over, or a glossary gives a word of the reference
    for the last word of each source."""
    draw = random.Random(3)
    glossary = {re.findall(r"\w+", source)[-1]: draw.choice(re.findall(r"\w+", target)) for source, target in held}
    for label, settings in (("carry-over", {"carry_over": "numbers"}), ("glossary", {"glossary": glossary})):
        # Alternately, so that what else the machine does meets both.
        ratios, met = list[float](), 0.0
        for _ in range(repeats):
            _, before = timed(model, [list(held.sources)], [{}], 1)
            outputs, after = timed(model, [list(held.sources)], [settings], 1)
            ratios.append(after / before)
            met = sum(
                not re.search("lacks|only inside", " ".join(each)) for each in notes(model, held, settings)
            ) / len(held)
        figures = {"task": name, "batched": label, "met": met, "ratio": round(statistics.median(ratios), 2)}
        print(json.dumps(figures | {"of": [round(ratio, 2) for ratio in ratios]}), flush=True)


def notes(model: TextGenerator, held: Pairs, settings: dict[str, object]) -> list[tuple[str, ...]]:
    """The notes of all outputs, which say if a term is lacking."""
    return [output.notes for output in model.generate(list(held.sources), beam=5, precision="fp32", **settings)]


def lacking(target: str, output: str, count: int) -> list[str]:
    """Words of the reference, those first that the output lacks."""
    words = list(dict.fromkeys(target.replace(".", "").replace("-", " ").split()))
    random.Random(target).shuffle(words)
    return sorted(words, key=lambda word: word in output)[:count]


def timed(
    model: TextGenerator, calls: list[list[str]], settings: list[dict[str, object]], repeats: int
) -> tuple[list[str], float]:
    """Outputs of the calls, and processor seconds (median)."""
    spent, outputs = list[float](), list[str]()
    for _ in range(repeats):
        began = time.process_time()
        outputs = [
            output.text
            for sources, options in zip(calls, settings, strict=True)
            for output in model.generate(sources, beam=5, precision="fp32", **options)
        ]
        spent.append(time.process_time() - began)
    return outputs, statistics.median(spent)


def quality(held: Pairs, outputs: list[str], unit: str) -> float:
    """Score of the outputs against the references."""
    from nbtextgen.evaluation.metrics import score

    return round(score(unit, list(held.targets), outputs), 2)


if __name__ == "__main__":
    main()
