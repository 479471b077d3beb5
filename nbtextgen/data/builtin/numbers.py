"""Numbers in words, several languages, to digits (num2words, LGPL, optional)."""

from __future__ import annotations

import random

from nbtextgen.core.optional_imports import optional_import

LANGUAGES = ("en", "fr", "de", "es", "it")


def numbers(count: int, seed: int) -> list[tuple[str, str]]:
    """``count`` pairs such as "twenty-one" and "21", below one billion, every source once."""
    with optional_import("builtin:numbers", "num2words", "numbers"):
        from num2words import num2words
    rng = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        value = rng.randrange(10 ** rng.randint(1, 9))
        found.setdefault(num2words(value, lang=rng.choice(LANGUAGES)), str(value))
    return list(found.items())
