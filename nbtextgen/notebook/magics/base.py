"""What all magics share: their line is parsed, their help lists the options, and errors take one line."""

from __future__ import annotations

import inspect
import sys
from collections import ChainMap
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

from IPython.core.magic import Magics, no_var_expand

from nbtextgen.core.errors import NbTextGenError, OptionError
from nbtextgen.core.escaping import pictured
from nbtextgen.core.optional_imports import core_imports
from nbtextgen.notebook.arguments import help_table
from nbtextgen.notebook.awaiting import unmark
from nbtextgen.notebook.cells import SILENT, continue_line
from nbtextgen.notebook.completion import MagicCompletion, Options
from nbtextgen.notebook.lines import ParsedLine, Syntax, parse_line

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbtextgen.notebook.session import Session

Value = TypeVar("Value")


OWNERS: dict[str, list[str]] = {}
"""The magics that have an option, by its Python name."""


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

    def text(self, parsed: ParsedLine) -> str:
        """Return the text on the line, or that in the variable after ``--text``; empty if there is neither."""
        expression = parsed.options.get("text")
        if expression is None:
            return parsed.text or ""
        if parsed.text:
            raise OptionError("Give the text on the line or with --text, not both.")
        return self.session.text(expression)


class MagicError(Exception):
    """A user's mistake, shown as one line; it still stops "Run all"."""

    def _render_traceback_(self) -> list[str]:
        return [f"nbtextgen: {pictured(str(self))}"]


def command(
    options: Options,
    first_word: str,
    *,
    words: int | None = 1,
    rest: str = "",
    actions: Sequence[str] = (),
    sections: Mapping[str, Options] | None = None,
    advice: str = "",
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Turn a method that takes a ``ParsedLine`` into one that takes the line of a magic, and its cell.

    Our errors are shown in one line, unless ``--debug`` is on the magic's line; also those of an awaited magic.

    Args:
        options: the magic's options; they are listed after the method's docstring.
        first_word, actions: what Tab offers, see ``MagicCompletion``.
        words, rest, advice: what the line holds beside options, and the advice to an unknown one, see ``Syntax``.
        sections: the options under several headings.
    """

    syntax = Syntax(options, words, rest, advice, OWNERS)

    def decorate(method: Callable[..., object]) -> Callable[..., object]:
        for name in options:
            OWNERS.setdefault(name, []).append(method.__name__)

        @no_var_expand
        @wraps(method)
        def run(self: Commands, line: str, cell: str | None = None) -> object:
            line, awaited, quiet = unmark(line)
            line, cell = continue_line(line, cell)
            debug = "--debug" in line.split()
            try:
                with core_imports(), self.session.local_variables(caller_variables(sys._getframe(1))):
                    parsed = parse_line(line, syntax, self.session.scope)
                    parsed.cell, parsed.awaited, parsed.quiet = cell, awaited, quiet
                    result = method(self, parsed)
            except NbTextGenError as error:
                if debug:
                    raise
                raise MagicError(error.in_magic) from None
            if inspect.isawaitable(result):
                return _awaited_in_one_line(result, debug)
            return None if parsed.silenced and line.endswith(SILENT) else result

        tables = [f"{title}:\n\n{help_table(table)}" for title, table in (sections or {"Options": options}).items()]
        run.__signature__ = inspect.signature(run, follow_wrapped=False)  # type: ignore[attr-defined]  # IPython 7 checks calls by it
        run.__doc__ = "\n\n".join([inspect.cleandoc(method.__doc__ or ""), *tables])
        run.completion = MagicCompletion(options, first_word, tuple(actions))  # type: ignore[attr-defined]
        return run

    return decorate


def caller_variables(frame: FrameType | None) -> dict[str, object]:
    """Return the local variables of the code that called the magic: those of a function, and of the functions around it.

    Args:
        frame: the frame that called the magic's method, one of IPython's.
    """
    while frame is not None and frame.f_code.co_name not in ("run_line_magic", "run_cell_magic"):
        frame = frame.f_back
    frame, code = None if frame is None else frame.f_back, None
    scopes = list[dict[str, object]]()
    while frame is not None:
        is_function = frame.f_locals is not frame.f_globals
        if (code is None and is_function) or (
            code in frame.f_code.co_consts and frame.f_code.co_flags & inspect.CO_NEWLOCALS
        ):
            scopes.append(dict(frame.f_locals))
            code = frame.f_code
        elif code is None:
            break
        frame = frame.f_back
    return dict(ChainMap(*scopes))


async def awaitable(value: Value) -> Value:
    """Return a value to a cell that awaits the magic."""
    return value


async def _awaited_in_one_line(work: Awaitable[Value], debug: bool) -> Value:
    try:
        return await work
    except NbTextGenError as error:
        if debug:
            raise
        raise MagicError(error.in_magic) from None
