"""Do interactions find a dependence that is known? Built-in dates, with an order of day and month that one word decides.

    python benchmarks/interactions.py [--pairs 6000] [--epochs 12] [--outputs 100] [--seed 1] [--model FOLDER]

Beside the built-in dates, the model learns dates in digits, such as "us 03/04/2021" and "03/04/2021 uk": with "us" the first number
is the month, with "uk" the day. Neither the word nor the numbers decide anything alone, so their pair should have the largest
interaction. Printed: how often it comes first among all pairs, over held-out dates that have two readings,

* with the two numbers as one unit, for the whole output, missing units masked, or sampled from training sources of the same form;
* with every word a unit, asking why the output was written and not the other reading: the word with either number;
* the same with 13 to 20 units (characters), where interactions are sampled: both units of the pair lie in the word and a number.
"""

from __future__ import annotations

import argparse
import datetime
import random
import time
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from nbtextgen import Explanation, Pairs, TextGenerator, builtin

Row = tuple[str, str, str]
"""Source, target, and the other reading."""


def planted(count: int, seed: int) -> list[Row]:
    """Dates in digits, whose order one word decides."""
    rng = random.Random(seed)
    rows = list[Row]()
    while len(rows) < count:
        day = datetime.date.fromordinal(rng.randint(693_596, 766_644))
        word, order = rng.choice((("us", "%m/%d/%Y"), ("uk", "%d/%m/%Y")))
        text = day.strftime(order)
        source = f"{word} {text}" if rng.random() < 0.5 else f"{text} {word}"
        other = f"{day.year}-{day.day:02}-{day.month:02}"
        rows.append((source, day.isoformat(), other))
    return rows


def ambiguous(row: Row) -> bool:
    """Whether a date has two readings."""
    _, month, day = row[1].split("-")
    return month != day and int(day) <= 12


def first_pair(explanation: Explanation) -> set[str]:
    """The texts of the two units with the largest interaction."""
    first, second, _ = explanation.strongest_interactions(count=1)[0]
    return {explanation.input_units[first].strip(), explanation.input_units[second].strip()}


def as_sampled_spans(model: TextGenerator, row: Row) -> bool:
    """As ``as_spans``, with missing units from training sources, which the models of this script keep."""
    return as_spans(model, row, "sample")


def as_spans(model: TextGenerator, row: Row, missing: Literal["mask", "sample"] = "mask") -> bool:
    """Units: the word, both numbers together, the year."""
    source, word = row[0], "us" if "us" in row[0] else "uk"
    numbers, year = source.replace(word, "").strip().rsplit("/", 1)
    parts = sorted((word, numbers, year), key=source.index)
    explanation = model.explain(source, spans=parts, missing=missing, interactions=True, faithfulness=False)
    assert isinstance(explanation, Explanation)
    return first_pair(explanation) == {word, numbers}


def as_words(model: TextGenerator, row: Row) -> bool:
    """Units: every word and mark; why this reading and not the other."""
    explanation = model.explain(row[0], unit="word", contrast=row[2], interactions=True, faithfulness=False)
    assert isinstance(explanation, Explanation)
    pair = first_pair(explanation)
    numbers = {part for part in row[0].replace("/", " ").split() if len(part) == 2 and part.isdigit()}
    return len(pair & {"us", "uk"}) == 1 and len(pair & numbers) == 1


def as_characters(model: TextGenerator, row: Row) -> bool:
    """Units: characters, with sampled interactions."""
    explanation = model.explain(row[0], unit="char", contrast=row[2], interactions=True, faithfulness=False)
    assert isinstance(explanation, Explanation) and explanation.interaction_errors is not None
    first, second, _ = explanation.strongest_interactions(count=1)[0]
    word, numbers = row[0].index("u"), row[0].index("/") - 2
    inside = [
        {"word" if word <= unit < word + 2 else "number" if numbers <= unit < numbers + 5 else "other"}
        for unit in (first, second)
    ]
    return inside[0] | inside[1] == {"word", "number"}


def trained(rows: list[Row], epochs: int, folder: Path | None, seed: int) -> TextGenerator:
    """A model of these rows and as many built-in dates; the one that is saved in the folder, if there is one."""
    if folder is not None and folder.exists():
        return TextGenerator.load(folder)
    built_in = builtin("dates", len(rows))
    pairs = Pairs([row[0] for row in rows] + built_in.sources, [row[1] for row in rows] + built_in.targets)
    options = {"hidden_size": 128, "embedding_size": 64, "source_masking": 0.3, "learning_rate": 0.003}
    model = TextGenerator(**options, epochs=epochs, seed=seed, samples=0, threads=1).fit(pairs, callbacks=[])
    if folder is not None:
        model.save(folder, keep_sources=200)
    return model


def main() -> None:
    """Train, explain, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--outputs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1, help="of the first weights")
    parser.add_argument(
        "--model", type=Path, help="folder of the model, which is trained and saved there if it is missing"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = planted(args.pairs + 3 * args.outputs, 1)
    train, test = rows[: args.pairs], [row for row in rows[args.pairs :] if ambiguous(row)]
    model = trained(train, args.epochs, args.model, args.seed)
    right = [row for row in test if model.generate(row[0]).text == row[1]][: args.outputs]
    print(f"{len(right)} outputs that are right, of {len(test)} dates with two readings")
    checks = {
        "numbers as one unit, masked": as_spans,
        "numbers as one unit, sampled": as_sampled_spans,
        "words, against the other reading": as_words,
        "characters (sampled)": as_characters,
    }
    for name, check in checks.items():
        began = time.process_time()
        hits = [check(model, row) for row in right]
        seconds = (time.process_time() - began) / len(right)
        print(
            f"{name:<34} the planted pair comes first in {100 * np.mean(hits):.0f} %   {seconds:.2f} s each", flush=True
        )


if __name__ == "__main__":
    main()
