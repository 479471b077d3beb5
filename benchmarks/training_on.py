"""Training on from a model: what forty corrections and a new domain gain, and what is forgotten, with and without replay.

    .venv/bin/python benchmarks/training_on.py [--tasks fixes,domain] [--steps 900]

``fixes``: a model of built-in dates (2,500 pairs) learns forty dates with Roman months, which it has never seen.
``domain``: a model of number words (``one two`` to ``12``) learns 800 pairs of another language. Each is measured in one thread as
exact match on the new pairs, on other pairs of their kind, and on the old validation pairs, for replay 0, 0.3 and 0.5, and for a
training from scratch on old and new pairs together with as many updates as the old model had. Prints a JSON line each, with
processor seconds. Trainings are measured in updates, so that a busy machine changes nothing but the seconds.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable

import torch

from nbtextgen import Pairs, TextGenerator, builtin

torch.set_num_threads(1)
ROMAN = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"]
DIGITS = {
    "en": ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    "de": ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"],
}


def roman(count: int) -> Pairs:
    """Dates with the month in Roman figures."""
    draw, rows = random.Random(5), list[tuple[str, str]]()
    for _ in range(count):
        year, month, day = draw.randint(1900, 2090), draw.randint(1, 12), draw.randint(1, 28)
        rows.append((f"{day}.{ROMAN[month - 1]}.{year}", f"{year}-{month:02}-{day:02}"))
    return Pairs([source for source, _ in rows], [target for _, target in rows])


def digits(language: str, count: int) -> Pairs:
    """Digits in words of a language, three to six of them, to figures."""
    draw = random.Random(language)
    rows = [[draw.randrange(10) for _ in range(draw.randint(3, 6))] for _ in range(count)]
    words = DIGITS[language]
    return Pairs([" ".join(words[each] for each in row) for row in rows], ["".join(map(str, row)) for row in rows])


def fixes() -> tuple[Pairs, Pairs, Pairs]:
    """Old pairs, new pairs, and other pairs of the new kind."""
    new = roman(240)
    return builtin("dates", 2_500), new[:40], new[40:]


def domain() -> tuple[Pairs, Pairs, Pairs]:
    """Old pairs, new pairs, and other pairs of the new kind."""
    new = digits("de", 1_000)
    return digits("en", 2_500), new[:800], new[800:]


TASKS: dict[str, Callable[[], tuple[Pairs, Pairs, Pairs]]] = {"fixes": fixes, "domain": domain}


def main() -> None:
    """Train and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default="fixes,domain", help="tasks, separated by commas")
    parser.add_argument("--steps", type=int, default=900, help="updates of the old model, and from scratch")
    chosen = parser.parse_args()
    for name in chosen.tasks.split(","):
        old, new, others = TASKS[name]()
        old, held = old.split(0.1, seed=1, limit=250)
        options = {"hidden_size": 64, "max_steps": chosen.steps, "threads": 1, "samples": 0}
        base, seconds = fitted(options, old, held, None, None)
        report(name, "old model", base, seconds, new, others, held)
        for replay in (0.0, 0.3, 0.5):
            model, seconds = fitted({"threads": 1, "samples": 0}, new, None, base, replay)
            report(name, f"training on, replay {replay}", model, seconds, new, others, held)
        scratch, seconds = fitted(options, old + new, held, None, None)
        report(name, "from scratch on both", scratch, seconds, new, others, held)


def fitted(
    options: dict[str, object], train: Pairs, valid: Pairs | None, start: TextGenerator | None, replay: float | None
) -> tuple[TextGenerator, float]:
    """A trained model, and the processor seconds that it took."""
    began = time.process_time()
    model = TextGenerator(**options).fit(train, valid=valid, callbacks=[], start=start, replay=replay)
    return model, time.process_time() - began


def report(task: str, name: str, model: TextGenerator, seconds: float, new: Pairs, others: Pairs, held: Pairs) -> None:
    """Print exact match on all kinds of pairs."""
    parts = {"new": new, "like_new": others, "old": held}
    figures = {part: round(model.evaluate(pairs, metrics=["exact"])["exact"].value, 1) for part, pairs in parts.items()}
    print(json.dumps({"task": task, "model": name, **figures, "processor_seconds": round(seconds, 1)}), flush=True)


if __name__ == "__main__":
    main()
