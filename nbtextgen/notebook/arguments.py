"""Parsing of a magic's line: options from the configuration dataclasses, and errors of one sentence."""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.core.options import Option
from nbtextgen.notebook.code import Values


@dataclass
class ParsedLine:
    """A parsed call of a magic.

    Attributes:
        words: positional words.
        options: values by their Python names.
        cell: the body of a cell magic, or ``None``.
        awaited, quiet: whether the caller awaits the result, and whether the cell shows no value.
    """

    words: list[str] = field(default_factory=list[str])
    options: Values = field(default_factory=Values)
    cell: str | None = None
    awaited: bool = False
    quiet: bool = False


def parse_line(line: str, options: Mapping[str, Option]) -> ParsedLine:
    """Parse ``NAME words --option value --flag --no-flag``.

    Raises:
        OptionError: for an unknown option (with the nearest), a missing or bad value, or an open quote.
    """
    try:
        parts = shlex.split(line)
    except ValueError:
        raise OptionError(f"A quote is not closed in: {line.strip()}") from None
    parsed = ParsedLine()
    index = 0
    while index < len(parts):
        part = parts[index]
        index += 1
        if not part.startswith("--") or part == "--":
            parsed.words.append(part)
            continue
        flag, equals, value = part[2:].partition("=")
        name = flag.replace("-", "_")
        if name.startswith("no_") and name not in options and options.get(name[3:]) and options[name[3:]].type is bool:
            parsed.options[name[3:]] = False
            continue
        if name not in options:
            flags = [option.flag for option in options.values()]
            raise OptionError(f"There is no option --{flag}.{nearest('--' + flag, flags)}")
        option = options[name]
        if option.type is bool and not equals:
            bare = index >= len(parts) or parts[index].casefold() not in ("true", "false", "yes", "no", "on", "off")
            parsed.options[name] = True if bare else option.parse(parts[index])
            index += not bare
            continue
        if not equals:
            if index >= len(parts):
                raise OptionError(f"{option.flag} needs a value: {option.range()}.")
            value, index = parts[index], index + 1
        parsed_value = option.parse(value)
        if option.type is tuple:
            parsed_value = (*parsed.options.get(name, ()), *parsed_value)
        parsed.options[name] = parsed_value
    return parsed


def read_config(path: str, options: Mapping[str, Option]) -> Values:
    """Read settings from a TOML or JSON file, with Python names or spelled as options.

    Raises:
        OptionError: if the file is missing, is not TOML or JSON, or has an unknown key or a bad value.
    """
    file = Path(path)
    if not file.is_file():
        raise OptionError(f"There is no settings file {path}; check --config.")
    try:
        text = file.read_text(encoding="utf-8")
        values = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        raise OptionError(f"{path} is not valid {'JSON' if file.suffix == '.json' else 'TOML'}: {error}.") from None
    settings: Values = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in options:
            raise OptionError(f"{path}: there is no setting '{key}'.{nearest(name, options)}")
        settings[name] = options[name].check(value)
    return settings


def text_option(name: str, help: str) -> Option:
    """Return an option of a magic that takes a text."""
    return Option(name, str, True, None, help, None, None, None, None, None)


def words_option(name: str, help: str) -> Option:
    """Return an option of a magic that takes words, separated by commas."""
    return Option(name, tuple, False, (), help, None, None, None, None, None)


def flag_option(name: str, help: str) -> Option:
    """Return an option of a magic that is on or off."""
    return Option(name, bool, False, False, help, None, None, None, None, None)


def choice_option(name: str, default: str, choices: tuple[str, ...], help: str) -> Option:
    """Return an option of a magic that takes one of several words."""
    return Option(name, str, False, default, help, None, None, None, None, choices)


def by_name(*options: Option) -> dict[str, Option]:
    """Return options by their names."""
    return {option.name: option for option in options}


def help_table(options: Mapping[str, Option]) -> str:
    """Return one line per option: flag, help, range, default."""
    rows = []
    for option in options.values():
        default = "" if option.default in (None, "", ()) else f" (default {option.default})"
        rows.append(f"    {option.flag:<24}{option.help}: {option.range()}{default}")
    return "\n".join(rows)


COMMON = by_name(
    flag_option("show_code", "print the equivalent Python code instead of running it"),
    flag_option("debug", "show full tracebacks"),
)
