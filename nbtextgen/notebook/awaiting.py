"""Cells that await a magic, so that clicks and sliders reach the kernel while the cell runs.

A kernel that executes a plain cell reads no messages before the cell has ended; one that executes a cell with a
top-level ``await`` reads them whenever the coroutine waits. So a transformer turns the calls that IPython makes of our
magics into awaited ones. A mark on its line tells the magic that its caller awaits the result.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

AWAITED = ("textgen_train", "textgen_runs")
"""Magics that return a coroutine if their line is marked."""
MARK = "\x00await\x00"
QUIET = "\x00quiet\x00"
_CALLS = ("get_ipython().run_line_magic", "get_ipython().run_cell_magic")
_CLOSED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp)


def unmark(line: str) -> tuple[str, bool, bool]:
    """Return the line as the user wrote it, whether the caller awaits, and whether the cell shows no value."""
    return line.replace(MARK, "").replace(QUIET, ""), MARK in line, QUIET in line


class AwaitMagics:
    """An input transformer (``input_transformers_post``) that awaits our magics where the shell can await."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self._inside = False

    def __call__(self, lines: list[str]) -> list[str]:
        """Transform a cell that IPython has already turned into Python."""
        text = "".join(lines)
        if not any(name in text for name in AWAITED) or "\r" in text or not self._can_await():
            return lines
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            return lines  # incomplete, or an error that IPython will show
        for call, shown in sorted(_calls(tree), key=lambda entry: _start(entry[0]), reverse=True):
            text = _with_await(text, call, MARK if shown else MARK + QUIET)
        return _lines(text)

    def _can_await(self) -> bool:
        """Return whether the cell runs in an event loop, and is not code within a magic such as ``%%time``."""
        if self._inside or not self.shell.autoawait:
            return False
        import asyncio  # a fifth of the time of %load_ext where nothing else has imported it

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return False
        return True

    def enter(self, *_: object) -> None:
        """A cell begins to run; code that is transformed meanwhile belongs to a magic that does not await it."""
        self._inside = True

    def leave(self, *_: object) -> None:
        """The cell has ended."""
        self._inside = False

    def install(self) -> None:
        """Register with the shell, in place of an earlier one of ours (the extension may be loaded again)."""
        transformers = self.shell.input_transformers_post
        for old in [each for each in transformers if type(each).__name__ == type(self).__name__]:
            transformers.remove(old)
            old.remove_events()
        transformers.append(self)
        self.shell.events.register("pre_execute", self.enter)
        self.shell.events.register("post_execute", self.leave)

    def remove_events(self) -> None:
        """Undo the registration of events."""
        for event, function in (("pre_execute", self.enter), ("post_execute", self.leave)):
            if function in self.shell.events.callbacks[event]:
                self.shell.events.unregister(event, function)


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, bool]]:
    """Yield calls of our magics where ``await`` is allowed, and whether their value is used."""
    statements: list[ast.AST] = list(tree.body)
    while statements:
        node = statements.pop()
        if isinstance(node, _CLOSED):
            continue
        if isinstance(node, (ast.Expr, ast.Assign)) and _is_ours(node.value):
            assert isinstance(node.value, ast.Call)
            yield node.value, isinstance(node, ast.Assign)
        else:
            statements.extend(ast.iter_child_nodes(node))


def _is_ours(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or ast.unparse(node.func) not in _CALLS:
        return False
    constants = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
    return len(constants) == len(node.args) >= 2 and constants[0] in AWAITED


def _lines(text: str) -> list[str]:
    """Split into lines as ``ast`` counts them: ``str.splitlines`` also splits at U+2028 and the like."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _start(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _with_await(text: str, call: ast.Call, mark: str) -> str:
    """Return the text with ``await`` before the call and the mark at the start of the magic's line."""
    raw = text.encode()  # ast counts columns in bytes
    offsets = [0]
    for row in _lines(text):
        offsets.append(offsets[-1] + len(row.encode()))
    line = call.args[1]
    assert isinstance(line, ast.Constant) and line.end_lineno is not None and line.end_col_offset is not None
    begin = offsets[call.lineno - 1] + call.col_offset
    first = offsets[line.lineno - 1] + line.col_offset
    last = offsets[line.end_lineno - 1] + line.end_col_offset
    marked = repr(mark + str(line.value)).encode()
    return (raw[:begin] + b"await " + raw[begin:first] + marked + raw[last:]).decode()
