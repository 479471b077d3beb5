"""Parsing of a magic's line: options derived from the configuration dataclasses, and errors of one sentence."""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.core.options import Option


@dataclass
class ParsedLine:
    """A parsed line: positional words, and options by their Python names."""

    words: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


def parse_line(line: str, known: Mapping[str, Option]) -> ParsedLine:
    """Read ``NAME words --option value --flag --no-flag``.

    Raises:
        OptionError: for an unknown option (with the nearest), a missing or bad value, or an open quote.
    """
    try:
        parts = shlex.split(line)
    except ValueError:
        raise OptionError(f"A quote is not closed in: {line.strip()}") from None
    found = ParsedLine()
    at = 0
    while at < len(parts):
        part = parts[at]
        at += 1
        if not part.startswith("--") or part == "--":
            found.words.append(part)
            continue
        flag, equals, value = part[2:].partition("=")
        name = flag.replace("-", "_")
        if name.startswith("no_") and name not in known and known.get(name[3:]) and known[name[3:]].type is bool:
            found.options[name[3:]] = False
            continue
        if name not in known:
            flags = [option.flag for option in known.values()]
            raise OptionError(f"There is no option --{flag}.{nearest('--' + flag, flags)}")
        option = known[name]
        if option.type is bool and not equals:
            bare = at >= len(parts) or parts[at].casefold() not in ("true", "false", "yes", "no", "on", "off")
            found.options[name] = True if bare else option.parse(parts[at])
            at += not bare
            continue
        if not equals:
            if at >= len(parts):
                raise OptionError(f"{option.flag} needs a value: {option.range()}.")
            value, at = parts[at], at + 1
        read = option.parse(value)
        found.options[name] = (*found.options.get(name, ()), *read) if option.type is tuple else read
    return found


def read_config(path: str, known: Mapping[str, Option]) -> dict[str, Any]:
    """Settings from a TOML or JSON file, by their Python names or spelled as options.

    Raises:
        OptionError: when the file is missing, not TOML or JSON, or holds an unknown key or a bad value.
    """
    file = Path(path)
    if not file.is_file():
        raise OptionError(f"There is no settings file {path}; check --config.")
    try:
        text = file.read_text(encoding="utf-8")
        values = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        raise OptionError(f"{path} is not valid {'JSON' if file.suffix == '.json' else 'TOML'}: {error}.") from None
    found = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in known:
            raise OptionError(f"{path}: there is no setting '{key}'.{nearest(name, known)}")
        found[name] = known[name].check(value)
    return found


def text_option(name: str, help: str) -> Option:
    """An option of the magic itself that takes a text."""
    return Option(name, str, True, None, help, None, None, None, None, None)


def words_option(name: str, help: str) -> Option:
    """An option of the magic itself that takes words, separated by commas."""
    return Option(name, tuple, False, (), help, None, None, None, None, None)


def flag_option(name: str, help: str) -> Option:
    """An option of the magic itself that is on or off."""
    return Option(name, bool, False, False, help, None, None, None, None, None)


def choice_option(name: str, default: str, choices: tuple[str, ...], help: str) -> Option:
    """An option of the magic itself that takes one of some words."""
    return Option(name, str, False, default, help, None, None, None, None, choices)


def help_table(known: Mapping[str, Option]) -> str:
    """One line per option: flag, range, default, help."""
    rows = []
    for option in known.values():
        default = "" if option.default in (None, "", ()) else f" (default {option.default})"
        rows.append(f"    {option.flag:<24}{option.help}: {option.range()}{default}")
    return "\n".join(rows)


COMMON = {
    one.name: one
    for one in (
        flag_option("show_code", "print the Python that does the same, instead of doing it"),
        flag_option("debug", "show the full traceback of an error"),
    )
}
