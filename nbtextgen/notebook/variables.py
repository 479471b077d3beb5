"""What the notebook's variables and the words of a magic's line stand for: models, data, columns, files."""

from __future__ import annotations

import builtins
import keyword
import unicodedata
from collections.abc import Callable, Mapping
from inspect import ismodule
from pathlib import Path

from nbtextgen.core.errors import OptionError


def free_variable(text: str, variables: Mapping[str, object], fits: Callable[[object], bool]) -> str:
    """Return the name of a variable that a magic may fill, in the Unicode form in which Python looks names up.

    Args:
        text: the name as it is typed.
        variables: what the notebook holds.
        fits: whether a value is of the kind that the magic puts there, so that a cell can be run again.

    Raises:
        OptionError: if Python does not allow such a name, has something of its own under it, as ``print``, or the variable holds
            something else.
    """
    name = unicodedata.normalize("NFKC", text)
    if not name.isidentifier() or keyword.iskeyword(name):
        raise OptionError(f"'{text}' cannot be a variable name; use letters, digits and _, for instance: dates")
    if hasattr(builtins, name) and name not in variables:
        raise OptionError(f"'{name}' is a name of Python itself, which the notebook would lose; choose another name.")
    value = variables.get(name)
    if value is not None and not fits(value):
        raise OptionError(
            f"The variable {name} already holds {type(value).__name__}; choose another name or delete it."
        )
    return name


def is_generator(value: object) -> bool:
    """Return whether a variable holds a ``TextGenerator``; by name, so that it still does after ``%autoreload``."""
    return type(value).__name__ == "TextGenerator"


def holds_texts(value: object) -> bool:
    """Return whether a value is a column of texts, as an earlier call has left it in a variable."""
    return isinstance(value, (list, tuple)) or type(value).__name__ in ("Series", "ndarray")


def holds_data(value: object) -> bool:
    """Return whether a value is no model, function or module, which data must not replace."""
    return not (is_generator(value) or callable(value) or ismodule(value))


def data_variables(variables: Mapping[str, object]) -> list[str]:
    """Return the names of the variables that look like pairs: a frame, rows, a dict of columns, ``Pairs``."""
    return [
        name
        for name, value in list(variables.items())
        if not name.startswith("_") and name not in ("In", "Out") and _is_data(value)
    ]


def _is_data(value: object) -> bool:
    if isinstance(value, type) or callable(value):
        return False
    if isinstance(value, (list, tuple)):
        return bool(value) and isinstance(value[0], (tuple, list, Mapping))
    return (
        isinstance(value, Mapping)
        or hasattr(value, "columns")
        or hasattr(value, "column_names")
        or type(value).__name__ in ("Pairs", "RawPairs")
    )


def column_names(value: object) -> list[str]:
    """Return the names of the columns of a variable; empty if it has none."""
    if isinstance(value, (list, tuple)):
        value = value[0] if value and isinstance(value[0], Mapping) else {}
    names = getattr(value, "columns", None)
    names = getattr(value, "column_names", None) if names is None else names
    if names is None:
        names = value if isinstance(value, Mapping) else []
    return [str(name) for name in names]


def names_file(text: str) -> bool:
    """Return whether the text after ``--data`` names a built-in data set or a file; otherwise it is an expression."""
    from nbtextgen.data.readers.files import is_pairs_file  # imports NumPy

    if text.startswith("builtin:") or is_pairs_file(Path(text)):
        return True
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # a long expression is no file name
        return False
