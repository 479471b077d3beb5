"""Settings of the configuration dataclasses as fields of a form, and values of a form as settings."""

from __future__ import annotations

import math
from collections.abc import Mapping

from nbtextgen.core.errors import NbTextGenError, OptionError, options_named
from nbtextgen.core.options import Option
from nbtextgen.notebook.code import Values

LABELS = {"n_best": "N-best", "max_minutes": "max. minutes", "top_k": "top-k", "top_p": "top-p", "min_p": "min-p"}
"""Labels that are not the words of the setting's name."""
OPEN = dict.fromkeys(("max_minutes", "max_steps", "batch_tokens", "source_limit", "context"), "none") | {
    "seed": "random"
}
"""What a setting without a value is, if it is not chosen from the data."""
PARTS = {"cleaning step": "clean", "augmentation": "augment"}
"""The settings whose parts have names of their own, by what an error calls such a part."""
EQUAL_STEPS = 20
"""Up to this span, a slider over whole numbers has steps of one; a wider one doubles."""


def field(option: Option) -> Values:
    """Describe the control of a setting for ``controls.js``.

    A choice is a list, a switch is a check box, a number is a slider with a text box; if ``None`` is allowed, there is a
    check box "auto", "none" or "random" beside it. Range, default and help are those of the option.
    """
    description: Values = {
        "name": option.name,
        "label": LABELS.get(option.name, option.name.replace("_", " ")),
        "help": f"{option.help} ({option.range()})",
        "open": OPEN.get(option.name, "auto"),
        "auto": option.optional and (option.type is not str or option.choices is not None),
        "default": list(option.default) if isinstance(option.default, tuple) else option.default,
    }
    if option.choices is not None:
        return description | {"kind": "choice", "choices": list(option.choices)}
    if option.type is bool:
        return description | {"kind": "switch"}
    if option.type in (int, float):
        return description | {"kind": "number", "whole": option.type is int, "stops": stops(option)}
    return description | {"kind": "words" if option.type is tuple else "text"}


def stops(option: Option) -> list[float]:
    """Return the values at which the slider of a number stops, all within the setting's range.

    Narrow spans have equal steps. Wide ones have round values at about equal ratios: whole numbers double and triple
    (16, 24, 32, 48, ...), others go 1, 2, 5.
    """
    low, high = option.usual or _whole_range(option)
    whole = option.type is int
    if high - low <= (EQUAL_STEPS if whole else 3.0) and (low <= 0 or high / low <= 100):
        step = 1.0 if whole else _step(high - low)
        values = [low + step * index for index in range(round((high - low) / step) + 1)]
    elif whole:
        values = [value for power in range(34) for value in (2.0**power, 1.5 * 2.0**power) if value == int(value)]
    else:
        first = math.floor(math.log10(low if low > 0 else high / 1e4))
        values = [factor * 10.0**power for power in range(first, first + 12) for factor in (1, 2, 5)]
    values = [low, *values, high, *([float(option.default)] if option.default is not None else [])]
    inside = {float(f"{value:.6g}") for value in values if low - 1e-12 <= value <= high + 1e-12}
    return sorted(value for value in inside if option.allows(value))


def _whole_range(option: Option) -> tuple[float, float]:
    """Return the whole range; an open end leaves room around the default."""
    low = next((end for end in (option.minimum, option.above) if end is not None), 0.0)
    high = next((end for end in (option.maximum, option.below) if end is not None), None)
    return low, high if high is not None else max(100.0, 100.0 * float(option.default or 0))


def _step(span: float) -> float:
    """Return the step of a slider, so that ten to sixty steps cover the span."""
    return next(step for step in (0.0001, 0.001, 0.01, 0.05, 0.1) if span / step <= 60)


def choice_field(name: str, choices: list[str], help: str) -> Values:
    """Describe a list of names that is not a setting of a configuration."""
    return {"name": name, "label": name, "help": help, "kind": "choice", "choices": choices, "default": choices[0]}


def text_field(name: str, help: str, *, kind: str = "text", placeholder: str = "") -> Values:
    """Describe a text that is not a setting of a configuration; ``kind`` may be ``area`` for several lines."""
    description = {"name": name, "label": name, "help": help, "kind": kind, "placeholder": placeholder, "default": ""}
    return description | ({"suggest": []} if kind == "text" else {})


def defaults(options: Mapping[str, Option]) -> Values:
    """Return the defaults of settings as values of a form."""
    return {
        name: list(option.default) if isinstance(option.default, tuple) else option.default
        for name, option in options.items()
    }


def check_settings(values: Values, options: Mapping[str, Option]) -> tuple[Values, dict[str, str]]:
    """Return the settings of a form that differ from their defaults, and an error for each that is refused."""
    settings: Values = {}
    errors: dict[str, str] = {}
    for name, option in options.items():
        value = values.get(name)
        try:
            if isinstance(value, str) and value == "" and option.optional:
                value = None
            setting = option.parse(value) if isinstance(value, str) and option.type is not str else option.check(value)
        except OptionError as error:
            errors[name] = error.in_form
            continue
        if setting != option.default:
            settings[name] = setting
    return settings, errors


def refused_field(error: NbTextGenError, options: Mapping[str, Option]) -> str | None:
    """Return the setting that an error names first, of those in a form; ``None`` if it names none of them."""
    words = [name for word, name in PARTS.items() if error.message.startswith(f"There is no {word} ")]
    return next((name for name in (*words, *options_named(error.message)) if name in options), None)
