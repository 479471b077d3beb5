"""Code for users to copy: a magic's line, and the Python that does the same."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Values = dict[str, Any]
"""Options, settings or JSON values by name."""


@dataclass(frozen=True)
class PythonCode:
    """A Python expression, and the import statements that it needs."""

    expression: str
    imports: tuple[str, ...] = ()


@dataclass(frozen=True)
class MagicLine:
    """A call of one of our magics: its name, its first word, its options and, after them, a text."""

    name: str
    word: str
    options: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""

    def magic(self) -> str:
        """Return ``%name word --option value "text"``, quoted so that the magic reads back the same values."""
        return f"%{self.name} {_escape_expansion(self.words())}"

    def words(self) -> str:
        """Return what follows the magic's name, as the magic itself receives it."""
        parts = [self.word]
        for name, value in self.options.items():
            flag = name.replace("_", "-")
            if isinstance(value, bool):
                parts.append(f"--{flag}" if value else f"--no-{flag}")
            elif isinstance(value, (tuple, list)):
                parts += [f"--{flag}", shlex.quote(",".join(value))]
            else:
                parts += [f"--{flag}", "none" if value is None else shlex.quote(_as_word(value))]
        if self.text:
            parts.append(_quoted(self.text))
        return " ".join(parts)

    def python(self, function: str, arguments: Sequence[str] = ()) -> str:
        """Return ``function(arguments, option=value)``; arguments are code."""
        return call(function, ", ".join(arguments), self.options)


def keywords(options: Mapping[str, Any]) -> str:
    """Return ``name=value, ...``."""
    return ", ".join(f"{name}={value!r}" for name, value in options.items())


def call(function: str, first: str, options: Mapping[str, Any]) -> str:
    """Return ``function(first, name=value)``; ``first`` is code."""
    parts = [part for part in (first, keywords(options)) if part]
    return f"{function}({', '.join(parts)})"


def print_code(*lines: str) -> None:
    """Print code to copy."""
    print("\n".join(lines))


def _as_word(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _quoted(text: str) -> str:
    """Return the text in double quotes where that is enough, since people read it."""
    if "\n" in text or "\r" in text:
        text = " ".join(text.split())  # a line magic is one line
    return shlex.quote(text) if any(character in text for character in '"\\') else f'"{text}"'


def _escape_expansion(line: str) -> str:
    """Return the line with braces and dollars escaped, since IPython expands variables that they enclose."""
    return re.sub(r"\$(?=[\w.$])", "{chr(36)}", line.replace("{", "{{").replace("}", "}}"))
