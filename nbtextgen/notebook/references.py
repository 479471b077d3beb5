"""Variables on the line of a magic: ``{expression}`` and ``$name``."""

from __future__ import annotations

import ast
import os
import re
import warnings
from collections.abc import Mapping

from nbtextgen.core.errors import OptionError
from nbtextgen.notebook.quoting import QuotedItems

BRACES = re.compile(r"\{([^{}]+)\}")
_REFERENCE = re.compile(r"\{\{([^{}]+)\}\}|\{([^{}]+)\}|(\$?)\$([^\W\d]\w*(?:\.[^\W\d]\w*)*)")
_IN_PATH = re.compile(r"\$\{([^\W\d]\w*)\}")
_WORD = re.compile(r"(?<!\S)(?:\{([^{}]+)\}|\$([^\W\d]\w*))(?!\S)")
_BREAKS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What a cell splits into lines at, and control characters and half surrogates, which a cell cannot hold."""
_BEGINS_WITH_OPTION = re.compile(r"\s*--[A-Za-z]")


def is_expression(text: str) -> bool:
    """Return whether a text is a Python expression."""
    return parsed_expression(text) is not None


def parsed_expression(text: str) -> ast.expr | None:
    """Return the syntax tree of a Python expression, or ``None`` if the text is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of "\w" in a string
        try:
            return ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def names_in(expression: str) -> set[str]:
    """Return the names in an expression; none if the text is no expression."""
    tree = parsed_expression(expression)
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} if tree is not None else set[str]()


def expand(
    text: str,
    variables: Mapping[str, object],
    *,
    constants: bool = False,
    dollars: bool = True,
    strict: bool = False,
    environment: bool = False,
) -> str:
    """Replace ``{expression}`` and ``$name`` by their values; ``{{name}}`` and ``$$name`` stand for ``{name}`` and ``$name``.

    Braces around what is no expression of variables stay as they are.

    Args:
        text: what is typed.
        variables: the notebook's variables.
        constants: whether to replace also an expression without a variable, such as ``{1 + 1}``.
        dollars: whether to replace ``$name``.
        strict: whether to refuse ``$name`` if there is no such variable.
        environment: whether ``$NAME`` and ``${NAME}``, as in a path, may also be variables of the environment.

    Raises:
        OptionError: for ``$name`` without a variable.
    """

    def value(match: re.Match[str]) -> str:
        doubled, braces, escape, name = match.groups()
        if name is None:
            values = _value(doubled or braces, variables, constants=constants)
            return match[0] if not values else f"{{{doubled}}}" if doubled else f"{values[0]}"
        if not dollars:
            return match[0]
        if escape:
            return f"${name}"
        values = _value(name, variables) or _value(name.partition(".")[0], variables)
        if not values:
            if environment and name in os.environ:
                return os.environ[name]
            if strict:
                raise OptionError(f"There is no variable {name} for ${name}; write $${name} if it is text.")
            return match[0]
        return f"{values[0]}" if _value(name, variables) else f"{values[0]}{name[name.index('.') :]}"

    if environment:
        text = _IN_PATH.sub(r"$\1", text)
    return _REFERENCE.sub(value, text)


def _value(expression: str, variables: Mapping[str, object], *, constants: bool = False) -> list[object]:
    """Return the value of an expression in a list, which is empty if it has none or names no variable."""
    if character := re.fullmatch(r"chr\((\d{2,5})\)", expression):  # how a brace or a dollar can be spelled
        return [chr(int(character[1]))]
    if not is_expression(expression) or not (constants or any(name in variables for name in names_in(expression))):
        return []
    try:
        return [eval(expression.strip(), dict(variables))]  # the user's own code
    except Exception:
        return []


def breaks_a_line(text: str) -> bool:
    """Return whether a text cannot stand on the line of a magic as it is, because of a line break or a control character."""
    return _BREAKS.search(text) is not None


def text_as_code(text: str) -> str:
    """Return a text as a Python expression on one line, in which nothing is expanded either."""
    literal = repr(text).replace("{", r"\x7b").replace("$", r"\x24")
    return f"({literal})"  # in quotes alone it would be a text as it is typed


def escape_references(text: str) -> str:
    """Return a text in which nothing is expanded: ``{name}`` and ``$name`` are spelled so that they stay, and so are line breaks."""
    if breaks_a_line(text):  # a break between braces gives them a meaning
        text = text.replace("{", "{chr(123)}")
    else:
        text = BRACES.sub(lambda match: f"{{chr(123)}}{match[0][1:]}" if is_expression(match[1]) else match[0], text)
    text = re.sub(r"\$(?=\$*[^\W\d])", "{chr(36)}", text)
    return _BREAKS.sub(lambda match: f"{{chr({ord(match[0]):02d})}}", text)


def expand_options(line: str, variables: Mapping[str, object]) -> str:
    """Put options that a variable holds in the place of its name: ``{settings}`` for ``settings = "--copy --epochs 5"``."""
    quotes = QuotedItems(line)
    inside = set[int]()
    for start in range(len(line)):
        if (item := quotes.get(start)) is not None:
            inside.update(range(start, item.end))

    def value(match: re.Match[str]) -> str:
        values = [] if match.start() in inside else _value(match[1] or match[2], variables)
        options = values[0] if values else None
        return options if isinstance(options, str) and _BEGINS_WITH_OPTION.match(options) else match[0]

    return _WORD.sub(value, line)
