"""Code for users to copy: a magic's line, and the Python that does the same."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nbtextgen.notebook.lines import EXPRESSIONS, spelled
from nbtextgen.notebook.quoting import quoted
from nbtextgen.notebook.references import breaks_a_line, escape_references, text_as_code

Values = dict[str, Any]
"""Options, settings or JSON values by name."""


@dataclass(frozen=True)
class PythonCode:
    """A Python expression, and the import statements that it needs."""

    expression: str
    imports: tuple[str, ...] = ()


@dataclass(frozen=True)
class MagicLine:
    """A call of one of our magics on one line: its name, its first word, its options and, after them, a text.

    A text with line breaks is an expression after ``--text``.
    """

    name: str
    word: str
    options: Mapping[str, object] = field(default_factory=dict)
    text: str = ""

    def magic(self) -> str:
        """Return ``%name word --option value "text"``, quoted so that the magic reads back the same values."""
        return f"%{self.name} {self.line()}"

    def line(self) -> str:
        """Return what follows the magic's name."""
        parts = [self.word]
        for name, value in self.options.items():
            flag = name.replace("_", "-")
            if isinstance(value, bool):
                parts.append(f"--{flag}" if value else f"--no-{flag}")
            elif isinstance(value, str):
                is_raw = name in EXPRESSIONS
                parts += [f"--{flag}", spelled(value if is_raw else escape_references(value), expression=is_raw)]
            else:
                word = ",".join(value) if isinstance(value, (tuple, list)) else "none" if value is None else repr(value)
                parts += [f"--{flag}", spelled(word)]
        if breaks_a_line(self.text):
            parts += ["--text", text_as_code(self.text)]
        elif self.text:
            parts.append(quoted(escape_references(self.text)))
        return " ".join(parts)

    def python(self, function: str, arguments: Sequence[str] = ()) -> str:
        """Return ``function(arguments, option=value)``; arguments are code."""
        return call(function, ", ".join(arguments), self.options)


def keywords(options: Mapping[str, object]) -> str:
    """Return ``name=value, ...``."""
    return ", ".join(f"{name}={_as_code(value)}" for name, value in options.items())


def _as_code(value: object) -> str:
    """Return a value as Python; a function of the notebook is its name."""
    if isinstance(value, (list, tuple)):
        parts = ", ".join(map(_as_code, value))
        return f"[{parts}]" if isinstance(value, list) else f"({parts},)" if len(value) == 1 else f"({parts})"
    return value.__name__ if inspect.isfunction(value) else repr(value)


def call(function: str, first: str, options: Mapping[str, object]) -> str:
    """Return ``function(first, name=value)``; ``first`` is code."""
    parts = [part for part in (first, keywords(options)) if part]
    return f"{function}({', '.join(parts)})"


def print_code(*lines: str) -> None:
    """Print code to copy."""
    print("\n".join(lines))
