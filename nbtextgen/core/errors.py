"""Errors that users see. A message is one sentence that names the thing, the place and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NbTextGenError(Exception):
    """Base class of all errors below."""


class DataError(NbTextGenError, ValueError):
    """Data that cannot be read as pairs or cannot be learned from."""


class OptionError(NbTextGenError, ValueError):
    """An option is unknown, has a wrong type or value, or contradicts another option."""


class ModelFileError(NbTextGenError, ValueError):
    """A saved model or run is missing, damaged, or in a format that this version cannot read."""


class NotTrainedError(NbTextGenError, RuntimeError):
    """The model is not trained yet."""


class MemoryShortError(NbTextGenError, MemoryError):
    """The memory of the machine or of the GPU is too small."""


class LaunchError(NbTextGenError, RuntimeError):
    """The processes of a distributed training could not be started, or ended with an error."""


class MissingPackageError(NbTextGenError, ImportError):
    """A feature needs a package that is not installed."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the choice closest to ``word``, or an empty text if none is close."""
    folded = {choice.casefold(): choice for choice in choices}
    matches = difflib.get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.55)
    return f" Did you mean '{folded[matches[0]]}'?" if matches else ""
