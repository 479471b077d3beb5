"""Settings defined once: a frozen dataclass field carries its type, default, range and help.

The magic's options, the class's keywords, the keys of a settings file, the panel's sliders and the JSON
in a saved folder are all derived from these fields, so that they can never disagree.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, Union, get_args, get_origin

from nbtextgen.core.errors import OptionError, nearest

Config = TypeVar("Config")
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_NOTHING = {"none", "auto"}


def option(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Iterable[str] | None = None,
    usual: tuple[float, float] | None = None,
) -> Any:
    """Declare one setting as a dataclass field.

    Args:
        default: the value when nothing is given; ``None`` in a field typed ``X | None`` means "chosen from the data".
        help: one line for the magic's help, the panel's tooltip and the documentation.
        minimum: smallest value allowed (inclusive).
        maximum: largest value allowed (inclusive).
        above: exclusive lower bound.
        below: exclusive upper bound.
        choices: the words allowed, for a text setting.
        usual: the part of a number's range that a slider spans; the whole range can still be typed.
    """
    metadata = {
        "help": help,
        "minimum": minimum,
        "maximum": maximum,
        "above": above,
        "below": below,
        "choices": tuple(choices) if choices is not None else None,
        "usual": usual,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Option:
    """One setting as every surface sees it.

    Attributes:
        name: the Python keyword, for instance ``hidden_size``.
        type: ``int``, ``float``, ``bool``, ``str`` or ``tuple`` (a tuple of words).
        optional: whether ``None`` ("auto") is allowed.
        default: the value when nothing is given.
        help: one line.
        minimum, maximum, above, below: the range of a number (inclusive, inclusive, exclusive, exclusive).
        choices: the allowed words, or ``None``.
        usual: the part of the range that a slider spans, or ``None``: all of it.
    """

    name: str
    type: type
    optional: bool
    default: Any
    help: str
    minimum: float | None
    maximum: float | None
    above: float | None
    below: float | None
    choices: tuple[str, ...] | None
    usual: tuple[float, float] | None = None

    @property
    def flag(self) -> str:
        """The option as a magic's line spells it: ``--hidden-size``."""
        return "--" + self.name.replace("_", "-")

    def range(self) -> str:
        """The allowed values in words, for instance ``between 1 and 8``."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        low = self.minimum if self.minimum is not None else self.above
        high = self.maximum if self.maximum is not None else self.below
        kind = {int: "a whole number", float: "a number", bool: "true or false", tuple: "a list of words"}.get(
            self.type, "text"
        )
        if low is not None and high is not None:
            inclusive = self.above is None and self.below is None
            return f"{kind} between {low:g} and {high:g}" + ("" if inclusive else " (an end of the range is excluded)")
        if low is not None:
            return f"{kind} {'of at least' if self.minimum is not None else 'above'} {low:g}"
        if high is not None:
            return f"{kind} {'of at most' if self.maximum is not None else 'below'} {high:g}"
        return kind

    def check(self, value: Any) -> Any:
        """Return ``value`` as the option's type.

        Raises:
            OptionError: when it is of another type or out of range; names the option, the value, the range.
        """
        if value is None:
            if self.optional:
                return None
            raise self._refusal(value)
        value = self._converted(value)
        if self.choices is not None and value not in self.choices:
            hint = nearest(value, self.choices) if isinstance(value, str) else ""
            raise OptionError(f"{self.flag} must be {self.range()} (got {value!r}).{hint}")
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not self.allows(value):
            raise self._refusal(value)
        return value

    def parse(self, text: str) -> Any:
        """Read a value from the text of a command line or a settings form (``none`` and ``auto`` give ``None``).

        Raises:
            OptionError: as ``check``.
        """
        if self.optional and text.casefold() in _NOTHING and not (self.choices and text in self.choices):
            return None
        try:
            if self.type is bool:
                return _WORDS[text.casefold()]
            if self.type is int:
                return self.check(int(text.replace("_", "").replace(",", "")))
            if self.type is float:
                return self.check(float(text))
            if self.type is tuple:
                return self.check(tuple(word for word in text.split(",") if word))
        except OptionError:
            raise
        except (KeyError, ValueError):
            raise self._refusal(text) from None
        return self.check(text)

    def _converted(self, value: Any) -> Any:
        if hasattr(value, "item") and not isinstance(value, (str, bytes)) and getattr(value, "ndim", 1) == 0:
            value = value.item()  # a NumPy scalar, as a grid search hands them out
        if self.type is bool and isinstance(value, bool):
            return value
        if self.type is int and isinstance(value, (int, float)) and not isinstance(value, bool):
            if float(value).is_integer():
                return int(value)
        elif self.type is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        elif self.type is str and isinstance(value, str):
            return value
        elif self.type is str and hasattr(value, "__fspath__"):
            return str(value)
        elif self.type is tuple and isinstance(value, str):
            return (value,)
        elif self.type is tuple and isinstance(value, (list, tuple)) and all(isinstance(word, str) for word in value):
            return tuple(value)
        raise self._refusal(value)

    def allows(self, value: float) -> bool:
        """Whether a number is within the range."""
        return (
            math.isfinite(value)
            and (self.minimum is None or value >= self.minimum)
            and (self.maximum is None or value <= self.maximum)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def _refusal(self, value: Any) -> OptionError:
        shown = value if isinstance(value, (int, float)) else repr(value)
        return OptionError(f"{self.flag} must be {self.range()} (got {shown}).")


def options_of(config: type) -> dict[str, Option]:
    """Give the settings of a configuration dataclass by name, in the order they are written."""
    hints = typing.get_type_hints(config)
    found = {}
    for field in dataclasses.fields(config):
        kind, optional = hints[field.name], False
        if get_origin(kind) in (Union, types.UnionType):
            optional = True
            kind = next(part for part in get_args(kind) if part is not type(None))
        kind = get_origin(kind) or kind
        found[field.name] = Option(field.name, kind, optional, field.default, **field.metadata)
    return found


def checked(config: Config) -> Config:
    """Return the configuration with every value converted and checked against its field.

    Raises:
        OptionError: for the first value that is of the wrong type or out of range.
    """
    known = options_of(type(config))
    values = {name: known[name].check(getattr(config, name)) for name in known}
    return dataclasses.replace(config, **values)  # type: ignore[type-var]


def build(config: type[Config], values: Mapping[str, Any]) -> Config:
    """Make a checked configuration from a mapping (a settings file, a saved folder, keywords).

    Raises:
        OptionError: for an unknown key (with the nearest known one) or a bad value.
    """
    known = options_of(config)
    for name in values:
        if name not in known:
            raise OptionError(f"There is no setting '{name}'.{nearest(name, known)}")
    return checked(config(**values))


def as_dict(config: Any) -> dict[str, Any]:
    """Give the configuration as plain values that JSON can hold."""
    values = dataclasses.asdict(config)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
