r"""The one parser of what follows a magic's name.

A line is read as people type it:

- an expression as Python reads it: ``--data df.query("lang == 'fr'")``;
- a path as it is written: ``--data C:\Users\me\my words.tsv``;
- a text as it is typed: ``l'homme``, ``"\frac{1}{2}"``, ``"--beam is a flag"``, ``-- --beam is a flag``;
- ``{name}`` and ``$name`` as the value of a variable, if there is one;
- a comment (``# note`` after a space, outside of quotes and brackets) not at all.

Quotes around a whole word, value or text are removed. The only escape is ``\"``, in double quotes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.core.options import OTHER_DASHES, Option
from nbtextgen.notebook.quoting import QuotedItem, QuotedItems, end_of_word, next_word, quoted
from nbtextgen.notebook.references import BRACES, expand, expand_options, is_expression, names_in

EXPRESSIONS = ("data", "valid", "background", "text", "gold", "into", "glossary")
"""Options that take an expression or a path; it is evaluated by ``Session``, and not expanded here."""
PATHS = ("save", "run", "resume", "config", "source_embeddings", "target_embeddings")
"""Options that take a path, in which ``$HOME`` is a variable of the environment."""
METRICS = ("metrics", "select_by")
"""Options that take names of metrics, and of variables that hold functions."""
_METRIC_NAMES = re.compile(r"(?!lambda\b)[\w:.-]*(\s*,\s*[\w:.-]*)*")
_FLAG = re.compile(r"--([A-Za-z][\w-]*)(=?)")
_END_OF_OPTIONS = re.compile(r"--(?=\s|$)")
_STRING = re.compile(r'"""(?:[^\\]|\\.)*?"""|\'\'\'(?:[^\\]|\\.)*?\'\'\'|"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_SUFFIX = re.compile(r"\.\w{2,7}$")
_SEMICOLON = re.compile(r"\s*;\s*(#[^'\"]*)?$")
_BOOLEAN = "true|false|yes|no|on|off"
_OPENING = {")": "(", "]": "[", "}": "{"}


@dataclass
class ParsedLine:
    """A parsed call of a magic.

    Attributes:
        words: the words at the start, such as the name of a model.
        text: the text, path or expression that follows them; ``None`` if there is none.
        options: values by their Python names.
        cell: the body of a cell magic, or ``None``.
        awaited, quiet: whether the caller awaits the result, and whether the cell shows no value.
        silenced: whether the line ends in a semicolon, so that a notebook shows no value.
    """

    words: list[str] = field(default_factory=list[str])
    text: str | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    cell: str | None = None
    awaited: bool = False
    quiet: bool = False
    silenced: bool = False


@dataclass(frozen=True)
class Syntax:
    """What the line of a magic holds.

    Attributes:
        options: the options by their Python names.
        words: how many words come first; ``None``: any number.
        rest: what may follow the words: ``text``, ``path``, ``expression``, or nothing.
        advice: what to do instead of giving an option that there is none like.
        owners: the magics that have an option, by its Python name.
    """

    options: Mapping[str, Option]
    words: int | None = None
    rest: str = ""
    advice: str = ""
    owners: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])


def parse_line(line: str, syntax: Syntax, variables: Mapping[str, object] | None = None) -> ParsedLine:
    """Parse the line of a magic.

    Args:
        line: what follows the magic's name.
        syntax: what may be there.
        variables: values for ``{name}`` and ``$name``; without them, both are read as they are typed.

    Raises:
        OptionError: for an unknown option (with the nearest), one that is given twice, a missing or bad value, an open quote, or
            ``$name`` in a text if there is no such variable.
    """
    line = line if variables is None else expand_options(line, variables)
    if semicolon := _SEMICOLON.search(line):
        reader = _Reader(line[: semicolon.start()], syntax, variables)
        with suppress(OptionError):
            parsed = reader.read()
            if not reader.ends_in_text:  # where it would belong to the text
                return replace(parsed, silenced=True)
    return _Reader(line, syntax, variables).read()


class _Reader:
    """Reads one line from left to right."""

    def __init__(self, line: str, syntax: Syntax, variables: Mapping[str, object] | None) -> None:
        self.line, self.syntax, self.variables = line, syntax, variables
        self.position = 0
        self.parsed = ParsedLine()
        self.quoted = QuotedItems(line)
        self.ends_in_text = False
        self.in_path = syntax.rest == "path"

    def read(self) -> ParsedLine:
        parsed, syntax, texts = self.parsed, self.syntax, list[str]()
        while self._go_to_next_word():
            self.ends_in_text, self.in_path = False, syntax.rest == "path"
            self._check_dashes()
            flag = _FLAG.match(self.line, self.position)
            if flag is not None:
                self._read_option(flag)
            elif syntax.words is None or len(parsed.words) < syntax.words or not syntax.rest:
                parsed.words.append(self._read_word())
            elif syntax.rest == "expression":
                texts.append(self.read_expression(with_spaces=True))
            elif not texts and _END_OF_OPTIONS.match(self.line, self.position):
                self.position += 2
                texts.append(self._as_text(self._read_run(options=False)))
            else:
                texts.append(self._as_text(self._read_run()))
        if texts:
            parsed.text = " ".join(texts)
        if parsed.words[-1:] == ["\\"]:
            raise OptionError("The line ends with a backslash, but no line follows it.")
        return parsed

    def _go_to_next_word(self) -> bool:
        """Skip spaces; return whether there is a word before the end or a comment."""
        while self.position < len(self.line) and self.line[self.position].isspace():
            self.position += 1
        return self.position < len(self.line) and self.line[self.position] != "#"

    # Options --------------------------------------------------------------------------------------------------------

    def _way_out(self, flag: str, name: str) -> str:
        """What to do instead of giving an option that there is none of, as sentences."""
        if name in ("help", "h", "?"):
            return " A ? behind the name of the magic shows its help, as in %textgen_train?"
        if name == "data" and self.syntax.rest == "expression" and not self.syntax.advice:
            return " Leave it out: the data follows the name of the magic."
        owners = self.syntax.owners.get(name, ())
        hint = nearest(f"--{flag}", [option.flag for option in self.syntax.options.values()])
        if self.syntax.advice and (owners or not hint):
            return f" {self.syntax.advice}"
        if owners:
            return f" It is an option of {' and '.join(f'%{owner}' for owner in owners[:2])}."
        return hint + (" Put a text that begins with dashes in double quotes." if self.syntax.rest == "text" else "")

    def _read_option(self, flag: re.Match[str]) -> None:
        options, values = self.syntax.options, self.parsed.options
        name = flag[1].replace("-", "_")
        negated = name not in options and name.startswith("no_") and name[3:] in options
        option = options.get(name[3:] if negated else name)
        if option is None or (negated and option.type is not bool):
            raise OptionError(f"There is no option --{flag[1]}.{self._way_out(flag[1], name)}")
        if option.name in values and option.type is not tuple:
            raise OptionError(f"{option.flag} is given twice; leave one of them out.")
        self.position = flag.end()
        if option.type is not bool:
            start, text = self._go_to_value(option, joined=bool(flag[2])), self._read_value(option)
            if option.name in METRICS and not _METRIC_NAMES.fullmatch(text):
                raise OptionError(
                    f"{option.flag} takes names of metrics (got '{text}'); assign a function of your own to a variable and give its "
                    f"name, as {option.flag}=same_year."
                )
            is_text = option.type is str and self.quoted.get(start) is not None  # "none" in quotes is a word
            own_metric = (self.variables or {}).get(text) if option.own_metrics else None
            value = option.check(own_metric or text) if is_text or callable(own_metric) else option.parse(text)
        elif flag[2] or (not negated and self._next_is(_BOOLEAN)):
            value = option.parse(self._read_word())
        else:
            value = not negated
        values[option.name] = (*values.get(option.name, ()), *value) if isinstance(value, tuple) else value

    def _go_to_value(self, option: Option, *, joined: bool) -> int:
        """Go to the value of an option, which stands after a space or is ``joined`` to it by ``=``."""
        missing = self.line[self.position : self.position + 1].strip() == "" if joined else not self._go_to_next_word()
        if missing or (not joined and _FLAG.match(self.line, self.position)):
            raise OptionError(f"{option.flag} needs a value: {option.range()}.")
        return self.position

    def _read_value(self, option: Option) -> str:
        # Spaces belong to the value if no more words can follow: with --data or --text, there is no text on the line.
        no_text = not self.syntax.rest or option.name in ("data", "text") or "data" in self.parsed.options
        with_spaces = no_text and len(self.parsed.words) == self.syntax.words
        self.in_path = option.name in PATHS
        if option.type in (str, tuple) and option.name in EXPRESSIONS:
            item = self.quoted.get(self.position)
            text = self.read_expression(with_spaces=with_spaces)
            is_quoted = item is not None and item.text == text and self.syntax.rest == "text"
            return repr(text) if is_quoted and option.name == "text" and not self._names_variables(text) else text
        if option.type is str and option.choices is None and with_spaces and self.quoted.get(self.position) is None:
            return self._expanded(self._read_run())
        value = self._read_word(constants=True)
        while option.type is tuple and value.endswith(",") and self._next_is(r"[^#-]\S*"):
            value += self._read_word()
        return value

    def _names_variables(self, text: str) -> bool:
        """Return ``True`` for an expression all of whose names are variables, and so no text."""
        names = names_in(text)
        return bool(names) and all(name in (self.variables or {}) for name in names)

    def _check_dashes(self) -> None:
        """Raise ``OptionError`` for an option behind one hyphen, or a dash that a word processor made of two."""
        match = OTHER_DASHES.match(self.line, self.position)
        if match is None or match[2].replace("-", "_") not in self.syntax.options:
            return
        way_out = "; put a text that begins with dashes in double quotes" if self.syntax.rest == "text" else ""
        raise OptionError(f"{match[0]} is not an option: write --{match[2]} with two hyphens{way_out}.")

    # Words and texts ------------------------------------------------------------------------------------------------

    def _next_is(self, pattern: str) -> bool:
        """Return whether the next word matches a pattern, and go to it if so."""
        match = re.compile(rf"\s+(?=(?:{pattern})(?:\s|$))", re.IGNORECASE).match(self.line, self.position)
        self.position = match.end() if match else self.position
        return match is not None

    def _read_word(self, *, constants: bool = False) -> str:
        """Read a quoted item, or a word up to the next space; ``constants``: also expand ``{1 + 1}``."""
        item = self.quoted.get(self.position)
        if item is not None:
            self.position = item.end
            return self._unquoted(item)
        start, self.position = self.position, self._word_end()
        return self._expanded(self.line[start : self.position], constants=constants)

    def _word_end(self) -> int:
        self._check_open_quote()
        end = self.position
        while end < len(self.line) and not self.line[end].isspace():
            braces = BRACES.match(self.line, end)  # {1 + 1} is part of one word
            end = braces.end() if braces and is_expression(braces[1]) else end + 1
        return end

    def _read_run(self, *, options: bool = True) -> str:
        """Read words up to the next option or a comment, as they are typed."""
        self._go_to_next_word()
        self._check_open_quote()
        start = end = self.position
        while self._go_to_next_word() and not (options and _FLAG.match(self.line, self.position)):
            if options:
                self._check_dashes()
            item = self.quoted.get(self.position)
            end = item.end if item is not None else end_of_word(self.line, self.position)
            self.position = end
        return self.line[start:end]

    def _as_text(self, run: str) -> str:
        """Return a text, without its quotes if it consists of quoted items only."""
        quoted, position, parts = QuotedItems(run), 0, list[str]()
        while (item := quoted.get(position)) is not None:
            parts.append(self._unquoted(item, strict=True))
            position = next_word(run, item.end)
        if parts and position == len(run):
            return " ".join(parts)
        self.ends_in_text = self.syntax.rest == "text"
        return self._expanded(run, strict=True)

    def _check_open_quote(self) -> None:
        if self.line.startswith('"', self.position) and self.quoted.get(self.position) is None:
            closing = self.line.find('"', self.position + 1)
            if 0 < closing < len(self.line) - 1 and not self.line[closing + 1].isspace():
                raise OptionError(
                    f"The closing quote in {self.line[self.position : closing + 2]}... is followed by no space; put one there, "
                    "or leave the quotes out."
                )
            raise OptionError(f"A quote is not closed in: {self.line.strip()}")

    def _unquoted(self, item: QuotedItem, *, strict: bool = False) -> str:
        return "".join(self._expanded(text, dollars=quote == '"', strict=strict) for quote, text in item.parts)

    def _expanded(self, text: str, *, constants: bool = False, dollars: bool = True, strict: bool = False) -> str:
        if self.variables is None:
            return text
        strict, environment = strict or self.in_path, self.in_path
        return expand(
            text, self.variables, constants=constants, dollars=dollars, strict=strict, environment=environment
        )

    # Expressions and paths ------------------------------------------------------------------------------------------

    def read_expression(self, *, with_spaces: bool) -> str:
        """Read an expression or a path: with its spaces up to the next option or a comment, or as far as it makes sense."""
        item, start = self.quoted.get(self.position), self.position
        if item is not None:
            end = _expression_ends(self.line, start, strings=True)[-1] if with_spaces else 0
            if end > item.end and is_expression(self.line[start:end]):  # "a" + b
                self.position = end
                return self.line[start:end]
            self.position = item.end
            return item.text
        # Without strings as well: an apostrophe in the name of a file opens none.
        by_python, by_spaces = (_expression_ends(self.line, start, strings=strings) for strings in (True, False))
        ends = [by_python[-1], by_spaces[-1]] if with_spaces else sorted({*by_python, *by_spaces})
        in_order = ends if with_spaces or self.syntax.rest == "text" else ends[::-1]
        complete = [end for end in in_order if _is_complete(self.line[start:end])]
        if not complete:
            self._check_open_quote()
        with_suffix = [end for end in ends if _SUFFIX.search(self.line[start:end])]
        self.position = [*complete, *with_suffix, ends[0]][0]
        return self.line[start : self.position]


def _is_complete(text: str) -> bool:
    if is_expression(text):
        return True
    try:
        return Path(text).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long for a name, or a user that does not exist
        return False


def _expression_ends(line: str, start: int, *, strings: bool, brackets: bool = True) -> list[int]:
    """Return where an expression that begins at ``start`` may end: at spaces outside of brackets and strings."""
    ends, opened, position = list[int](), list[str](), start
    while position < len(line):
        character = line[position]
        string = _STRING.match(line, position) if strings and character in "'\"" else None
        if string is not None:
            position = string.end()
            continue
        if brackets and character in "([{":
            opened.append(character)
        elif opened and opened[-1] == _OPENING.get(character):
            opened.pop()
        elif character.isspace() and not opened:
            ends.append(position)
            position = next_word(line, position)
            if position == len(line) or line[position] == "#" or _FLAG.match(line, position):
                return ends
            continue
        position += 1
    if opened:  # a bracket in the name of a file
        return _expression_ends(line, start, strings=strings, brackets=False)
    return [*ends, len(line)]


def spelled(value: str, *, expression: bool = False) -> str:
    """Return the value of an option as it can stand on a line: as it is where that reads back the same, else in quotes."""
    if not expression:
        return value if re.fullmatch(r"(?!-)[\w./:,+=@%~*?\\-]+", value) else quoted(value)
    reader = _Reader(f"{value} --x", Syntax({}, words=0), None)
    try:
        same = reader.read_expression(with_spaces=True) == value
    except OptionError:
        same = False
    return value if same else quoted(value)
