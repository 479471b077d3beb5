"""What the notebook's variables and the words of a magic's line stand for: models, data, columns, files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def is_generator(value: object) -> bool:
    """Return whether a variable holds a ``TextGenerator``; by name, so that it still does after ``%autoreload``."""
    return type(value).__name__ == "TextGenerator"


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
