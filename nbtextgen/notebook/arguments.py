"""Options of magics, and their help."""

from __future__ import annotations

from collections.abc import Mapping

from nbtextgen.core.errors import OptionError
from nbtextgen.core.options import Option
from nbtextgen.notebook.code import Values


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


def share_option(name: str, help: str) -> Option:
    """Return an option of a magic that takes a number from 0 to below 1."""
    return Option(name, float, True, None, help, 0.0, None, None, 1.0, None)


def columns_in(options: Mapping[str, object]) -> Values:
    """Return what the options say about how data is read, as keywords of ``fit``, ``evaluate``, ..."""
    return {name: options[name] for name in COLUMN_NAMES if options.get(name) is not None}


def by_name(*options: Option) -> dict[str, Option]:
    """Return options by their names."""
    return {option.name: option for option in options}


CHOICE_RULES = {
    "tokens": "by the length and the writing of the texts",
    "source_tokens": "by the length and the writing of the sources",
    "target_tokens": "by the length and the writing of the targets",
    "vocabulary_size": "1,000 to 8,000 by the number of pairs",
    "hidden_size": "128 to 512 by the number of pairs and --max-minutes",
    "embedding_size": "by the hidden size",
    "dropout": "higher for more epochs",
    "batch_size": "16 to 64 by the number of pairs",
    "epochs": "for about 5,000 updates, at most 200",
    "learning_rate": "by the hidden size",
}
"""How ``plan`` chooses what is left open, in a few words."""


def help_table(options: Mapping[str, Option]) -> str:
    """Return one line per option: flag, help, range, default."""
    rows = []
    for option in options.values():
        allowed = "" if option.range() == "text" or option.type is bool else f"; {option.range()}"
        rows.append(f"    {option.flag:<24}{option.help}{allowed}{_default(option)}")
    return "\n".join(rows)


def _default(option: Option) -> str:
    """Return the default in words; for a setting that is chosen from the data, the rule."""
    if option.name in CHOICE_RULES and option.default is None:
        return f" (default: chosen from the data, {CHOICE_RULES[option.name]})"
    return "" if option.default in (None, "", (), False) else f" (default {option.default})"


COLUMNS = (
    text_option("source", "name or number of the source column"),
    text_option("target", "name or number of the target column"),
    text_option("encoding", "encoding of the files, such as cp1252; by default Unicode"),
)
COLUMN_NAMES = tuple(option.name for option in COLUMNS)
"""What says how ``--data`` is read, as keywords of every function that takes data."""
TEXT = text_option("text", "variable or expression that holds the text, instead of a text on the line")
COMMON = by_name(
    flag_option("show_code", "print the equivalent Python code instead of running it"),
    flag_option("debug", "show full tracebacks"),
)
START = by_name(
    text_option("start", "trained model to go on from: a variable or the folder of a saved model"),
    share_option("replay", "with --start: share of old pairs in every epoch; default 0.5"),
)
"""Options of a training that goes on from a model."""
LENGTH = Option("length", int, False, 200, "number of tokens to generate", 1, None, None, None, None, (10, 2000))
"""Length of a continuation."""
SAMPLED: Values = {"sample": True, "temperature": 0.8, "top_p": 0.95}
"""A continuation is sampled unless ``--no-sample`` is on the line: the most likely text repeats itself."""
BITS = choice_option("bits", "16", ("8", "16"), "of each weight in a page; 8 makes it half as large")
LIVE = by_name(
    flag_option(
        "live",
        "keep it alive in the saved notebook: generates and explains without a kernel, from weights in the output",
    ),
    BITS,
)
"""Options of outputs that work without a kernel."""


def bits_of_live(options: Mapping[str, object]) -> int | None:
    """Return the bits of a live page, or ``None`` if none is asked for.

    Raises:
        OptionError: for ``--bits`` without ``--live``.
    """
    if not options.get("live"):
        if options.get("bits") is not None:
            raise OptionError("--bits needs --live.")
        return None
    return int(str(options.get("bits") or 16))
