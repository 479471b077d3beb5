"""Imports of packages that only some features need, with one error message for all of them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from nbtextgen.core.errors import MissingPackageError


@contextmanager
def optional_import(feature: str, package: str, extra: str | None = None) -> Generator[None]:
    """Import an optional package in the block.

    Args:
        feature: what needs the package; the subject of the error message.
        package: the name that people know the package by.
        extra: the extra of nbtextgen that installs it, or ``None`` if ``pip install package`` is enough.

    Raises:
        MissingPackageError: if an import in the block fails.

    Example:
        >>> with optional_import("A data frame", "pandas", "frames"):
        ...     import pandas
    """
    try:
        yield
    except ImportError as error:
        requirement = package if extra is None else f"nbtextgen[{extra}]"
        raise MissingPackageError(f"{feature} needs {package}: pip install {requirement}.") from error
