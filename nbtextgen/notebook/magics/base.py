"""What all magics share: their line is parsed, their help lists the options, and errors take one line."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics

from nbtextgen.core.errors import NbTextGenError
from nbtextgen.notebook.arguments import help_table, parse_line
from nbtextgen.notebook.awaiting import unmark
from nbtextgen.notebook.completion import MagicCompletion, Options

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbtextgen.notebook.session import Session


class Commands(Magics):
    """Base class of a group of magics, which share the session."""

    def __init__(self, shell: InteractiveShell, session: Session) -> None:
        super().__init__(shell)
        self.session = session

    @classmethod
    def completions(cls) -> dict[str, MagicCompletion]:
        """Return what Tab offers on the line of each magic of the group."""
        methods = {name: getattr(method, "completion", None) for name, method in vars(cls).items()}
        return {name: completion for name, completion in methods.items() if completion is not None}


class MagicError(Exception):
    """A user's mistake, shown as one line; it still stops "Run all"."""

    def _render_traceback_(self) -> list[str]:
        return [f"nbtextgen: {self}"]


def command(
    options: Options,
    first_word: str,
    *,
    actions: Sequence[str] = (),
    sections: Mapping[str, Options] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Turn a method that takes a ``ParsedLine`` into one that takes the line of a magic, and its cell.

    Our errors are shown in one line, unless ``--debug`` is on the magic's line; also those of an awaited magic.

    Args:
        options: the magic's options; they are listed after the method's docstring.
        first_word, actions: what Tab offers, see ``MagicCompletion``.
        sections: the options under several headings.
    """

    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def run(self: Any, line: str, cell: str | None = None) -> Any:
            line, awaited, quiet = unmark(line)
            debug = "--debug" in line.split()
            try:
                parsed = parse_line(line, options)
                parsed.cell, parsed.awaited, parsed.quiet = cell, awaited, quiet
                result = method(self, parsed)
            except NbTextGenError as error:
                if debug:
                    raise
                raise MagicError(error.in_magic) from None
            return _awaited_in_one_line(result, debug) if inspect.isawaitable(result) else result

        tables = [f"{title}:\n\n{help_table(table)}" for title, table in (sections or {"Options": options}).items()]
        run.__doc__ = "\n\n".join([inspect.cleandoc(method.__doc__ or ""), *tables])
        run.completion = MagicCompletion(options, first_word, tuple(actions))  # type: ignore[attr-defined]
        return run

    return decorate


async def _awaited_in_one_line(work: Awaitable[Any], debug: bool) -> Any:
    try:
        return await work
    except NbTextGenError as error:
        if debug:
            raise
        raise MagicError(error.in_magic) from None
