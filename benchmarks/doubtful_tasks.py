"""The tasks of ``confidence.py`` and ``labelling.py``: pairs to train on, held-out pairs, and settings that leave some outputs wrong."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbtextgen import Pairs, builtin

LANGUAGES = ("fre", "hin", "kor", "rum")


@dataclass(frozen=True)
class Task:
    """A task.

    Attributes:
        train: pairs to train on.
        held: other pairs of the same kind.
        options: settings of ``TextGenerator``; trainings are measured in updates, so that a busy machine changes nothing.
        criterion: when an output counts as right, as ``calibrate`` takes it.
    """

    train: Pairs
    held: Pairs
    options: dict[str, Any] = field(default_factory=dict)
    criterion: str = "exact"


def dates(data: Path | None) -> Task:
    """Built-in dates, trained too little."""
    pairs = builtin("dates", 14_000)
    return Task(pairs[:1_500], pairs[6_000:], {"hidden_size": 128, "max_steps": 500})


def pronunciation(data: Path | None) -> Task:
    """Spelling to sounds: the four languages of SIGMORPHON 2020 in one model, or CMUdict without the data."""
    if data is None or not (data / "g2p2020").is_dir():
        pairs = builtin("pronunciation", 16_000)
        return Task(pairs[:8_000], pairs[8_000:], {"hidden_size": 192, "max_steps": 2_000})
    rows = list[tuple[str, str]]()
    for language in LANGUAGES:
        for part in ("train", "dev"):
            lines = (data / "g2p2020" / f"{language}_{part}.tsv").read_text(encoding="utf-8").splitlines()
            rows += [(f"{language[0].upper()}{left}", right) for left, right in (line.split("\t") for line in lines)]
    random.Random(1).shuffle(rows)
    pairs = Pairs([left for left, _ in rows], [right for _, right in rows])
    return Task(pairs[:8_000], pairs[8_000:], {"hidden_size": 192, "max_steps": 2_500, "target_tokens": "symbol"})


def multi30k(data: Path | None) -> Task:
    """English to German; an output is right from a sentence-level chrF of 60 on."""
    if data is None or not (data / "multi30k").is_dir():
        raise FileNotFoundError("Multi30k is not part of the project; name the folder that holds it with --data.")
    sides = [
        [
            line
            for part in ("train", "val")
            for line in (data / "multi30k" / f"{part}.{side}").read_text(encoding="utf-8").splitlines()
        ]
        for side in ("en", "de")
    ]
    rows = list(zip(*sides, strict=True))
    random.Random(1).shuffle(rows)
    pairs = Pairs([left for left, _ in rows], [right for _, right in rows])
    return Task(pairs[:24_000], pairs[24_000:], {"max_steps": 900, "hidden_size": 256}, "chrf>=60")


THINGS = [
    "flour", "sugar", "butter", "milk", "eggs", "olive oil", "salt", "rice", "honey", "oats", "cream", "basil", "yeast",
    "red lentils", "chickpeas", "sea salt", "brown sugar", "rye flour", "sunflower oil", "almond milk",
]  # fmt: skip
UNITS = {
    "kg": ["kg", "kgs.", "kilo", "Kilos"],
    "g": ["g", "gr.", "grams", "gms"],
    "l": ["l", "litres", "Ltr", "lt."],
    "ml": ["ml", "millilitres", "mL"],
    "pc": ["x", "pcs", "pieces", "pc."],
}
SHAPES = ["{n} {u} of {t}", "{n}{u} {t}", "{t} ({n}{u})", "{t}, {n} {u}", "{n} {u} {t}", "{t} - {n}{u}"]


def ingredient(draw: random.Random) -> tuple[str, str]:
    """A row of a table as in notebook 04, typed in haste."""
    thing, unit = draw.choice(THINGS), draw.choice(list(UNITS))
    number = draw.choice([draw.randint(1, 12), draw.randint(1, 20) * 25, draw.randint(1, 999)])
    name = draw.choice([thing, thing.title(), thing.upper()])
    if draw.random() < 0.15:
        position = draw.randrange(len(name))
        name = name[:position] + name[position + 1 :]
    return draw.choice(SHAPES).format(n=number, u=draw.choice(UNITS[unit]), t=name), f"{thing} | {number} | {unit}"


def table(data: Path | None) -> Task:
    """Ingredients typed by many hands."""
    draw = random.Random(7)
    rows = list({left: (left, right) for left, right in (ingredient(draw) for _ in range(16_000))}.values())
    pairs = Pairs([left for left, _ in rows], [right for _, right in rows])
    return Task(pairs[:600], pairs[4_000:12_000], {"hidden_size": 128, "max_steps": 400})


TASKS = {"dates": dates, "pronunciation": pronunciation, "multi30k": multi30k, "table": table}
