"""Every error a user can meet, each one sentence that names the thing, the place and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NbTextGenError(Exception):
    """Base class: the message is one readable sentence and needs no traceback to be understood."""


class DataError(NbTextGenError, ValueError):
    """The text that was given cannot be read as pairs, or holds something that cannot be learned from."""


class OptionError(NbTextGenError, ValueError):
    """An option is unknown, of the wrong type, out of its range, or at odds with another one."""


class ModelFileError(NbTextGenError, ValueError):
    """A saved model or run folder is missing, damaged, or of a format this version cannot read."""


class NotTrainedError(NbTextGenError, RuntimeError):
    """The generator was asked for something that only a trained one can do."""


class MemoryShortError(NbTextGenError, MemoryError):
    """The machine's or the card's memory does not hold what was asked for."""


class LaunchError(NbTextGenError, RuntimeError):
    """The processes that should train together could not be started, or ended with an error."""


class MissingPackageError(NbTextGenError, ImportError):
    """An optional package is needed for what was asked, and is not installed."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """Give " Did you mean 'x'?" for the closest of ``choices``, or an empty string when none is close.

    Args:
        word: what the user wrote.
        choices: what would have been accepted.
    """
    folded = {choice.casefold(): choice for choice in choices}
    found = difflib.get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.55)
    return f" Did you mean '{folded[found[0]]}'?" if found else ""
