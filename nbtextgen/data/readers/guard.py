"""Objects that are not what their methods promise: a list shorter than its length, an iterator of nothing, keys without values."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from nbtextgen.core.errors import DataError, NbTextGenError

Item = TypeVar("Item")


@contextmanager
def reading(what: str, data: object) -> Generator[None]:
    """Raise ``DataError`` if an object in the place of data cannot be used as its methods promise.

    Errors of other kinds, such as those of a connection that a stream reads from, are the user's own and stay as they are.

    Args:
        what: what is read: ``Pairs`` or ``Texts``.
        data: the object.
    """
    try:
        yield
    except NbTextGenError:
        raise
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise DataError(
            f"{what} cannot be read from {type(data).__name__}, which raised {type(error).__name__} ({error}); give a list or a "
            "data frame of the same texts."
        ) from error


def guarded(what: str, items: Iterable[Item], data: object) -> Iterator[Item]:
    """Yield what is read from an object step by step; see ``reading``."""
    with reading(what, data):
        yield from items


def is_instance(data: object, kind: type) -> bool:
    """``isinstance`` for data that may hold anything, without narrowing its type."""
    return isinstance(data, kind)
