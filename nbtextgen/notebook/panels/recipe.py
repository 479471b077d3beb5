"""Settings as the magic line and the Python that give the same."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nbtextgen.notebook.show_code import keywords


@dataclass(frozen=True)
class MagicLine:
    """A call of one of our magics: its name, its first word, its options and, after them, a text."""

    name: str
    word: str
    options: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""

    def magic(self) -> str:
        """``%name word --option value "text"``, quoted so that the magic reads back the same values."""
        return f"%{self.name} {_unexpanded(self.words())}"

    def words(self) -> str:
        """What stands after the magic's name, as the magic itself receives it."""
        parts = [self.word]
        for name, value in self.options.items():
            flag = name.replace("_", "-")
            if isinstance(value, bool):
                parts.append(f"--{flag}" if value else f"--no-{flag}")
            elif isinstance(value, (tuple, list)):
                parts += [f"--{flag}", shlex.quote(",".join(value))]
            else:
                parts += [f"--{flag}", "none" if value is None else shlex.quote(_plain(value))]
        if self.text:
            parts.append(_quoted(self.text))
        return " ".join(parts)

    def python(self, function: str, arguments: Sequence[str] = ()) -> str:
        """``function(arguments, option=value)``; arguments are code."""
        return f"{function}({', '.join([*arguments, *([keywords(self.options)] if self.options else [])])})"


def _plain(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _quoted(text: str) -> str:
    """The text in double quotes where that is enough, since people read it."""
    if "\n" in text or "\r" in text:
        text = " ".join(text.split())  # a line magic is one line
    return shlex.quote(text) if any(one in text for one in '"\\') else f'"{text}"'


def _unexpanded(line: str) -> str:
    """Braces and dollars written so that IPython, which looks for variables in them, gives back the line."""
    return re.sub(r"\$(?=[\w.$])", "{chr(36)}", line.replace("{", "{{").replace("}", "}}"))
