"""Data sets made on the spot, without a network: ``builtin:dates``, ``builtin:numbers``, ``builtin:pronunciation``."""

from __future__ import annotations

from urllib.parse import parse_qsl

from nbtextgen.core.errors import DataError, nearest
from nbtextgen.data.builtin.dates import SpanLink, date_links, dates
from nbtextgen.data.builtin.words import number_links, numbers, pronunciation

BUILTIN_NAMES = ("dates", "numbers", "pronunciation")


def builtin_rows(name: str, count: int | None = None, seed: int = 1) -> list[tuple[str, str]]:
    """Make the (source, target) rows of a built-in data set.

    Args:
        name: one of ``BUILTIN_NAMES``.
        count: how many rows; default 20,000, or all of a finite set.
        seed: the same seed gives the same rows.

    Raises:
        DataError: for an unknown name or a count below one.
        MissingPackageError: if an optional package is not installed.
    """
    if count is not None and count < 1:
        raise DataError(f"builtin:{name} needs a count of at least 1 (got {count}).")
    if name == "dates":
        return dates(count or 20_000, seed)
    if name == "numbers":
        return numbers(count or 20_000, seed)
    if name == "pronunciation":
        return pronunciation(count, seed)
    names = ", ".join(BUILTIN_NAMES)
    raise DataError(f"There is no built-in data set '{name}' (there are {names}).{nearest(name, BUILTIN_NAMES)}")


def true_links(source: str, target: str) -> tuple[SpanLink, ...] | None:
    """Which span of the source makes which span of the target, as the generator of a built-in set knows it.

    Returns ``None`` for pairs of other sets, for pronunciations, which have no single alignment, and where the package that
    makes a set is not installed.
    """
    try:
        return date_links(source, target) or number_links(source, target)
    except ModuleNotFoundError:
        return None


def rows_from_name(text: str) -> list[tuple[str, str]]:
    """Make the rows of ``builtin:dates`` or ``builtin:dates?count=500&seed=3``."""
    name, _, query = text.removeprefix("builtin:").partition("?")
    options = dict(parse_qsl(query))
    try:
        count = int(options.pop("count")) if "count" in options else None
        seed = int(options.pop("seed", "1"))
    except ValueError:
        raise DataError(f"{text}: count and seed must be whole numbers.") from None
    if options:
        raise DataError(f"{text}: only count and seed can be given (got {', '.join(options)}).")
    return builtin_rows(name, count, seed)
