"""Metrics that are functions of the user, by name, so that options, saved models and runs can refer to them."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from nbtextgen.core.errors import OptionError

OwnMetric = Callable[[str, str], float]
"""A function of a reference and an output. It may have an attribute ``higher_is_better``; the default is ``True``."""
PREFIX = "own:"
"""What the name of such a metric begins with in options."""
_functions: dict[str, OwnMetric] = {}


def register_metric(function: OwnMetric) -> str:
    """Make a metric of your own known, for ``select_by`` and for runs that are resumed in a new process.

    ``evaluate(metrics=[function])`` and ``TextGenerator(select_by=function)`` do this themselves.

    Args:
        function: from a reference and an output to a number, which is averaged over the outputs. Higher is better, unless
            the function has an attribute ``higher_is_better = False``.

    Raises:
        OptionError: for something that is no function, or a function of something else than two texts.

    Returns:
        the name that options, saved models and runs keep, for instance ``own:same_year``.

    Example:
        >>> def same_first(reference, output):
        ...     return float(reference[:1] == output[:1])
        >>> register_metric(same_first)
        'own:same_first'
        >>> model.evaluate(pairs[:9], metrics=[same_first])["same_first"].higher_is_better
        True
    """
    if not callable(function):
        raise OptionError(
            f"A metric is a name or a function of a reference and an output, not {type(function).__name__}."
        )
    own = getattr(function, "__name__", type(function).__name__)
    _check_signature(function, own)
    name = PREFIX + own
    _functions[name] = function
    return name


def _check_signature(function: OwnMetric, name: str) -> None:
    """Raise ``OptionError`` for a function that cannot be called with a reference and an output, before anything is generated."""
    if inspect.iscoroutinefunction(function):
        raise OptionError(f"The metric '{name}' is a coroutine, which is not awaited; give a plain function.")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of some compiled functions
        return
    try:
        signature.bind("", "")
    except TypeError as error:
        raise OptionError(f"The metric '{name}' must take a reference and an output ({error}).") from None


def own_metric(name: str) -> OwnMetric | None:
    """The registered function of this name."""
    return _functions.get(name)


def is_own_metric(value: object) -> bool:
    """Whether an option names a metric of the user, registered or not."""
    return isinstance(value, str) and value.startswith(PREFIX) and len(value) > len(PREFIX)
