"""Numbers in words, several languages, to digits (num2words, LGPL, optional)."""

from __future__ import annotations

import random
from importlib import import_module

from nbtextgen.core.optional_imports import optional_import

LANGUAGES = ("en", "fr", "de", "es", "it")


def numbers(count: int, seed: int) -> list[tuple[str, str]]:
    """``count`` pairs such as "twenty-one" and "21", below one billion, every source once."""
    with optional_import("builtin:numbers", "num2words", "numbers"):
        num2words = import_module("num2words")
    rng = random.Random(seed)
    digits: dict[str, str] = {}
    while len(digits) < count:
        value = rng.randrange(10 ** rng.randint(1, 9))
        digits.setdefault(num2words.num2words(value, lang=rng.choice(LANGUAGES)), str(value))
    return list(digits.items())
