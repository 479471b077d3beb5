"""Imports of packages that only some features need, with one error message for all of them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from nbtextgen.core.errors import MemoryShortError, MissingPackageError, is_memory_short


@contextmanager
def optional_import(feature: str, package: str, extra: str | None = None) -> Generator[None]:
    """Import an optional package in the block.

    Args:
        feature: what needs the package; the subject of the error message.
        package: the name that people know the package by.
        extra: the extra of nbtextgen that installs it, or ``None`` if ``pip install package`` is enough.

    Raises:
        MissingPackageError: if the package is not installed, or cannot be imported; then the message says why.
        MemoryShortError: if it does not fit into memory.

    Example:
        >>> with optional_import("A data frame", "pandas", "frames"):
        ...     import pandas
    """
    try:
        yield
    except (ImportError, MemoryError) as error:
        if is_memory_short(error):
            raise MemoryShortError(
                f"{feature} needs {package}, for which there is not enough memory; close other notebooks or programs."
            ) from error
        if not isinstance(error, ModuleNotFoundError):
            raise MissingPackageError(
                f"{feature} needs {package}, which cannot be imported ({error}); install it again."
            ) from error
        requirement = package if extra is None else f"nbtextgen[{extra}]"
        raise MissingPackageError(f"{feature} needs {package}: pip install {requirement}.") from error


@contextmanager
def core_imports() -> Generator[None]:
    """Name PyTorch, in a block, where nbtextgen was installed without it to serve exported models.

    Raises:
        MissingPackageError: if it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingPackageError(
            "This needs torch, which is not installed here: pip install torch. Only exported models generate without it "
            "(OnnxGenerator)."
        ) from error
