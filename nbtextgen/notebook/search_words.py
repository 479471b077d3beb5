"""What a search tries, as words on the line of ``textgen_tune`` and as Python."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.core.options import Option
from nbtextgen.pipeline.settings import fit_options

if TYPE_CHECKING:
    from nbtextgen.tuning import Domain

FIT = fit_options()
SEARCHED = ("learning_rate", "hidden_size", "dropout")
"""Settings that are searched unless others are named."""
MINUTES = Option("minutes", float, False, 5.0, "time limit of the whole search", None, None, 0.0, None, None, (0.5, 60))


def search_of(words: Iterable[str]) -> dict[str, Domain]:
    """Return a search space from words such as ``hidden-size:16..64``, ``cell:lstm/gru`` or ``dropout``.

    Raises:
        OptionError: for an unknown setting, or a range that is none.
    """
    from nbtextgen.tuning import TUNABLE, Range, usual_range

    space: dict[str, Domain] = {}
    for word in words:
        flag, _, values = word.partition(":")
        name = flag.strip().replace("-", "_")
        if name not in TUNABLE:
            tunable = [each.replace("_", "-") for each in TUNABLE]
            raise OptionError(f"--search: there is no setting '{flag}' to search.{nearest(flag, tunable)}")
        usual = usual_range(FIT[name])
        if not values:
            space[name] = usual
        elif isinstance(usual, Range):
            ends = re.fullmatch(r"\s*(\S+?)\.\.(\S+)\s*", values)
            if ends is None:
                raise OptionError(f"--search: '{word}' has no range; write it as {flag}:{usual.low:g}..{usual.high:g}.")
            low, high = (float(FIT[name].parse(end)) for end in ends.groups())
            space[name] = Range(low, high, usual.logarithmic)
        else:
            space[name] = tuple(FIT[name].parse(value) for value in values.split("/"))
    return space


def search_as_words(space: dict[str, Domain]) -> list[str]:
    """Return a search space as the words of ``--search``."""
    from nbtextgen.tuning import Range

    return [
        f"{name.replace('_', '-')}:"
        + (f"{values.low:g}..{values.high:g}" if isinstance(values, Range) else "/".join(map(str, values)))
        for name, values in space.items()
    ]


def search_as_code(space: dict[str, Domain]) -> str:
    """Return a search space as Python, with ``(low, high)`` for a range."""
    from nbtextgen.tuning import Range

    parts = [
        f"{name!r}: " + (f"({values.low:g}, {values.high:g})" if isinstance(values, Range) else repr(list(values)))
        for name, values in space.items()
    ]
    return f"{{{', '.join(parts)}}}"
