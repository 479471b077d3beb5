"""Dates as people write them, in several languages (Unicode CLDR by way of Babel), to ISO 8601."""

from __future__ import annotations

import datetime
import random

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

    ending = "th" if day.day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    patterns = ("the {n} of {month}, {year}", "{month} {n}, {year}", "{n} {month} {year}", "{n} of {month} {year}")
    return rng.choice(patterns).format(
        n=f"{day.day}{ending}", month=format_date(day, "MMMM", locale="en_US"), year=day.year
    )
