"""Dates as people write them, in several languages (Unicode CLDR by way of Babel), to ISO 8601."""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Iterator

from nbtextgen.core.optional_imports import optional_import

LOCALES = ("en_US", "en_GB", "fr", "de", "es", "it", "nl", "sv", "pt", "pl")
# Every pattern names the month by its name or puts the year first, so that no text has two readings.
PATTERNS = (
    "d MMM y",
    "d MMMM y",
    "EEE d MMM y",
    "EEEE d MMMM y",
    "MMM d, y",
    "MMMM d, y",
    "y-MM-dd",
    "y MMMM d",
    "y/M/d",
)
ORDINALS = ("the {n} of {month}, {year}", "{month} {n}, {year}", "{n} {month} {year}", "{n} of {month} {year}")
TARGET_SPANS = {"y": (0, 4), "M": (5, 7), "L": (5, 7), "d": (8, 10)}
"""Where the fields of a date, by their letters in CLDR, stand in its ISO form."""
SpanLink = tuple[tuple[int, int], tuple[int, int]]
"""A span of the source, and the span of the target that it makes."""
FIRST, LAST = datetime.date(1900, 1, 1).toordinal(), datetime.date(2099, 12, 31).toordinal()


def dates(count: int, seed: int) -> list[tuple[str, str]]:
    """Make ``count`` pairs of a written date and its ISO form, every source once.

    The days run from 1900 to 2099. Sources are in ten locales and nine patterns, English also with ordinals
    ("the 4th of July, 1976").
    """
    with optional_import("builtin:dates", "babel", "dates"):
        from babel.dates import format_date
    rng = random.Random(seed)
    iso_dates: dict[str, str] = {}
    while len(iso_dates) < count:
        day = datetime.date.fromordinal(rng.randint(FIRST, LAST))
        locale = rng.choice(LOCALES)
        if locale.startswith("en") and rng.random() < 0.4:
            text = _ordinal(day, rng)
        elif rng.random() < 0.3:
            text = format_date(day, rng.choice(("medium", "long", "full")), locale=locale)
            if not any(character.isalpha() for character in text):
                continue  # digits alone: the order of day and month would be a guess
        else:
            text = format_date(day, rng.choice(PATTERNS), locale=locale)
        if rng.random() < 0.1:
            text = text.lower()
        iso_dates.setdefault(text, day.isoformat())
    return list(iso_dates.items())


def _ordinal(day: datetime.date, rng: random.Random) -> str:
    """English with an ordinal number."""
    from babel.dates import format_date  # `dates` has found it

    month = format_date(day, "MMMM", locale="en_US")
    return rng.choice(ORDINALS).format(n=_numeral(day), month=month, year=day.year)


def _numeral(day: datetime.date) -> str:
    ending = "th" if day.day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    return f"{day.day}{ending}"


def date_links(source: str, target: str) -> tuple[SpanLink, ...] | None:
    """Which span of a written date makes which span of its ISO form: year, month and day.

    Returns ``None`` for pairs that ``dates`` does not make.
    """
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", target):
        return None
    try:
        day = datetime.date.fromisoformat(target)
    except ValueError:
        return None
    for pieces in _spellings(day):
        text = "".join(part for _, part in pieces)
        if source in (text, text.lower()):
            ends = [sum(len(part) for _, part in pieces[: index + 1]) for index in range(len(pieces))]
            spans = zip(pieces, ends, strict=True)
            return tuple(((end - len(part), end), TARGET_SPANS[field]) for (field, part), end in spans if field)
    return None


def _spellings(day: datetime.date) -> Iterator[list[tuple[str, str]]]:
    """Every text that ``dates`` may make of a day, in pieces: the letter of a field or nothing, and the text."""
    from babel.dates import DateTimeFormat, format_date, get_date_format, tokenize_pattern

    for locale in LOCALES:
        fields = DateTimeFormat(day, locale)
        named = [get_date_format(name, locale).pattern for name in ("medium", "long", "full")]
        for pattern in (*PATTERNS, *named):
            pieces = list[tuple[str, str]]()
            for kind, value in tokenize_pattern(pattern):
                if kind == "field":
                    letter, count = str(value[0]), int(value[1])
                    pieces.append((letter if letter in TARGET_SPANS else "", fields[letter * count]))
                else:
                    pieces.append(("", str(value)))
            yield pieces
    parts = {"n": ("d", _numeral(day)), "month": ("M", format_date(day, "MMMM", locale="en_US"))}
    parts["year"] = ("y", str(day.year))
    for pattern in ORDINALS:
        yield [parts.get(word, ("", word)) for word in re.split(r"[{}]", pattern)]
