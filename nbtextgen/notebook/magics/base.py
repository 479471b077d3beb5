"""What every group of magics is built on: the shared session, what Tab offers, and errors in one line."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar

from IPython.core.magic import Magics

from nbtextgen.core.errors import NbTextGenError
from nbtextgen.notebook.completion import MagicCompletion

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbtextgen.notebook.session import Session


class Commands(Magics):
    """Base class of a group of magics.

    Attributes:
        completions: what Tab offers on the line of each magic of the group, by the magic's name.
    """

    completions: ClassVar[Mapping[str, MagicCompletion]] = {}

    def __init__(self, shell: InteractiveShell, session: Session) -> None:
        super().__init__(shell)
        self.session = session


class MagicError(Exception):
    """A user's mistake, shown as one line; it still stops "Run all"."""

    def _render_traceback_(self) -> list[str]:
        return [f"nbtextgen: {self}"]


def in_one_line(magic: Callable[..., Any]) -> Callable[..., Any]:
    """Show our errors in one line, unless ``--debug`` is on the magic's line; also those of an awaited magic."""

    @wraps(magic)
    def run(self: Any, line: str, cell: str | None = None) -> Any:
        debug = "--debug" in line.split()
        try:
            result = magic(self, line, cell)
        except NbTextGenError as error:
            if debug:
                raise
            raise MagicError(str(error)) from None
        return _awaited_in_one_line(result, debug) if inspect.isawaitable(result) else result

    return run


async def _awaited_in_one_line(work: Awaitable[Any], debug: bool) -> Any:
    try:
        return await work
    except NbTextGenError as error:
        if debug:
            raise
        raise MagicError(str(error)) from None
