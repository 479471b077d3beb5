"""Noise as people, keyboards and scanners make it: each function takes a text, a rate and a random generator."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from random import Random

Noise = Callable[[str, float, Random], str]

_KEYS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")


def _neighbours() -> dict[str, str]:
    """Keys beside and diagonally above or below one another, on a QWERTY keyboard."""
    keys = {(row, column): key for row, line in enumerate(_KEYS) for column, key in enumerate(line)}
    steps = [(0, -1), (0, 1), (-1, 0), (-1, 1), (1, 0), (1, -1)]
    return {
        key: "".join(
            sorted(keys[row + down, column + right] for down, right in steps if (row + down, column + right) in keys)
        )
        for (row, column), key in keys.items()
    }


NEIGHBOURS = _neighbours()
LOOKALIKES = {
    "0": "O", "O": "0Q", "o": "0c", "1": "lI", "l": "1I", "I": "l1", "5": "S", "S": "5", "8": "B", "B": "8", "2": "Z",
    "Z": "2", "6": "b", "b": "6h", "h": "b", "c": "eo", "e": "c", "u": "v", "v": "u", "m": ("rn", "nn"), "w": ("vv",),
    "d": ("cl",), "n": ("ri",), "t": "f", "f": "t", ",": ".", ".": ",", "g": "q", "q": "g", "i": "j", "j": "i",
}  # fmt: skip
"""What character recognition mistakes a character for."""


def by_characters(text: str, change: Callable[[str], str], rate: float, rng: Random) -> str:
    """Change each character with a probability."""
    draw = rng.random
    return "".join(change(character) if draw() < rate else character for character in text)


def drop_characters(text: str, rate: float, rng: Random) -> str:
    """Leave out characters."""
    return by_characters(text, lambda _: "", rate, rng)


def drop_words(text: str, rate: float, rng: Random) -> str:
    """Leave out words (Iyyer et al. 2015, sec. 4)."""
    return " ".join(word for word in text.split(" ") if rng.random() >= rate)


def _swapped(units: Sequence[str], rate: float, rng: Random) -> list[str]:
    """Exchange neighbours; no unit moves more than one place."""
    swapped, index = list(units), 0
    while index < len(swapped) - 1:
        if rng.random() < rate:
            swapped[index], swapped[index + 1] = swapped[index + 1], swapped[index]
            index += 1
        index += 1
    return swapped


def swap_characters(text: str, rate: float, rng: Random) -> str:
    """Exchange neighbouring characters."""
    return "".join(_swapped(text, rate, rng))


def swap_words(text: str, rate: float, rng: Random) -> str:
    """Exchange neighbouring words (Lample et al. 2018, sec. 2.3, with a reach of one)."""
    return " ".join(_swapped(text.split(" "), rate, rng))


def keyboard(text: str, rate: float, rng: Random) -> str:
    """Typing errors: a neighbouring key, a key twice, a key missed (Belinkov & Bisk 2018, sec. 3.2)."""

    def change(character: str) -> str:
        near = NEIGHBOURS.get(character.lower())
        if near is None:
            return character
        kind = rng.random()
        if kind < 0.6:
            key = rng.choice(near)
            return key.upper() if character.isupper() else key
        return character * 2 if kind < 0.8 else ""

    return by_characters(text, change, rate, rng)


def scanning(text: str, rate: float, rng: Random) -> str:
    """Errors of character recognition: look-alikes."""
    return by_characters(text, lambda character: rng.choice(LOOKALIKES.get(character, character)), rate, rng)


def case(text: str, rate: float, rng: Random) -> str:
    """Words in lower case, upper case or with a capital."""
    forms = (str.lower, str.upper, str.capitalize)
    return " ".join(rng.choice(forms)(word) if rng.random() < rate else word for word in text.split(" "))


def accents(text: str, rate: float, rng: Random) -> str:
    """Letters without their accents."""
    if text.isascii():
        return text

    def bare(character: str) -> str:
        parts = unicodedata.normalize("NFD", character)
        return "".join(part for part in parts if unicodedata.category(part) != "Mn") or character

    return by_characters(text, bare, rate, rng)


def repeat_span(text: str, rate: float, rng: Random) -> str:
    """With the probability ``rate``, a span of up to three words (or characters of a single word) written twice."""
    if not text or rng.random() >= rate:
        return text
    space = " " if " " in text else ""
    units = text.split(" ") if space else list(text)
    start = rng.randrange(len(units))
    stop = min(len(units), start + rng.randint(1, 3))
    return space.join(units[:stop] + units[start:stop] + units[stop:])


def synonyms(table: Mapping[str, Sequence[str]]) -> Noise:
    """Words of the user's table replaced by one of their synonyms; a capital stays a capital."""

    def replace(text: str, rate: float, rng: Random) -> str:
        words = text.split(" ")
        for index, word in enumerate(words):
            exact = table.get(word)
            others = exact or table.get(word.lower())
            if others and rng.random() < rate:
                synonym = rng.choice(others)
                words[index] = synonym[:1].upper() + synonym[1:] if word[:1].isupper() and not exact else synonym
        return " ".join(words)

    return replace
