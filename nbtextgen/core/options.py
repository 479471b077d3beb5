"""Options, defined once: a field of a frozen dataclass has a type, a default, a range and a help text.

Options of magics, keywords, keys of settings files, sliders of panels and the JSON of saved folders derive from these
fields.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import operator
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union, cast, get_args, get_origin

from nbtextgen.core.errors import OptionError, UnknownOptionError, nearest
from nbtextgen.core.names import plain_path
from nbtextgen.core.own_metrics import OwnMetric, is_own_metric, register_metric
from nbtextgen.core.wording import as_given

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config")
Settings = Mapping[str, Any]
"""Settings by name, as a user gives them."""
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_NOTHING = {"none", "auto"}
_DASH = r"[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]"
OTHER_DASHES = re.compile(rf"(-|-?{_DASH}-?|{_DASH}{{2,3}})([A-Za-z][\w-]+)")
"""An option behind one hyphen, or behind a dash that a word processor made of two; the second group is its name."""


def option(
    default: object,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Iterable[str] | None = None,
    usual: tuple[float, float] | None = None,
    own_metrics: bool = False,
    reader: Callable[[object], tuple[str, ...]] | None = None,
) -> Any:
    """Declare an option as a dataclass field; the arguments are the attributes of ``Option``."""
    words = None if choices is None else tuple(choices)
    metadata = {"minimum": minimum, "maximum": maximum, "above": above, "below": below, "choices": words}
    return dataclasses.field(
        default=default,
        metadata={"help": help, "usual": usual, "own_metrics": own_metrics, "reader": reader, **metadata},
    )


@dataclass(frozen=True)
class Option:
    """An option of any configuration.

    Attributes:
        name: the Python keyword, for instance ``hidden_size``.
        type: ``int``, ``float``, ``bool``, ``str`` or ``tuple`` (a tuple of words).
        optional: whether ``None`` is allowed: "chosen from the data".
        default: the default value.
        help: one line for help, tooltips and documentation.
        minimum, maximum, above, below: the range of a number (inclusive, inclusive, exclusive, exclusive).
        choices: the allowed words, or ``None``.
        usual: the part of the range that a slider spans, or ``None``: all of it.
        own_metrics: whether a metric of the user is allowed as well, see ``register_metric``.
        reader: makes the words of a value of another form, such as a mapping; raises ``OptionError`` for a wrong one.
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
    own_metrics: bool = False
    reader: Callable[[object], tuple[str, ...]] | None = None

    @property
    def flag(self) -> str:
        """The option of a magic: ``--hidden-size``."""
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
            if self.above is None and self.below is None:
                return f"{kind} between {_plain(low)} and {_plain(high)}"
            left, right = "[" if self.above is None else "(", "]" if self.below is None else ")"
            return f"{kind} in {left}{_plain(low)}, {_plain(high)}{right}"
        if low is not None:
            return f"{kind} {'of at least' if self.minimum is not None else 'above'} {_plain(low)}"
        if high is not None:
            return f"{kind} {'of at most' if self.maximum is not None else 'below'} {_plain(high)}"
        return kind

    def check(self, value: object) -> Any:
        """Return ``value`` as the option's type.

        Raises:
            OptionError: if it has another type or is out of range; names the option, the value and the range.
        """
        if value is None and self.optional:
            return None
        if self.reader is not None:
            return self.reader(value)
        if self.own_metrics and (callable(value) or is_own_metric(value)):
            return register_metric(cast("OwnMetric", value)) if callable(value) else value
        converted = self._converted(value)
        if self.choices is not None and converted not in self.choices:
            if isinstance(value, str) and value.casefold() in self.choices:
                return value.casefold()  # LSTM is written so in every textbook
            hint = nearest(value, self.choices) if isinstance(value, str) else ""
            raise OptionError(f"{self.flag} must be {self.range()} (got {value!r}).{hint}")
        if isinstance(converted, (int, float)) and not isinstance(converted, bool) and not self.allows(converted):
            raise self._refusal(value)
        return converted

    def parse(self, text: str) -> Any:
        """Read a value from text (``none`` and ``auto`` give ``None``).

        Raises:
            OptionError: as ``check``.
        """
        if self.optional and text.casefold() in _NOTHING and not (self.choices and text in self.choices):
            return None
        try:
            if self.type is bool:
                return _WORDS[text.casefold()]
            if self.type is int:
                value: object = int(text.replace("_", "").replace(",", ""))
            elif self.type is float:
                value = float(text)
            else:
                value = tuple(word for word in text.split(",") if word) if self.type is tuple else text
        except (KeyError, ValueError):
            raise self._refusal(text) from None
        return value if self.reader is not None else self.check(value)  # it may be the name of a variable

    def _converted(self, value: Any) -> bool | int | float | str | tuple[str, ...]:
        if getattr(value, "ndim", 1) == 0:
            value = value.item()  # a NumPy scalar, for instance from a grid search
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if self.type is bool and isinstance(value, bool):
            return value
        if self.type is int and number and float(value).is_integer():
            return int(value)
        if self.type is float and number:
            return float(value)
        if self.type is str and isinstance(value := plain_path(value), (str, Path)):
            return str(value)
        if self.type is tuple and isinstance(value, str):
            return (value,)
        if self.type is tuple and isinstance(value, (list, tuple)):
            words = tuple(cast("Iterable[object]", value))
            if all(isinstance(word, str) for word in words):
                return cast("tuple[str, ...]", words)
        raise self._refusal(cast("object", value))

    def allows(self, value: float) -> bool:
        """Whether a number is within the range."""
        return (
            math.isfinite(value)
            and (self.minimum is None or value >= self.minimum)
            and (self.maximum is None or value <= self.maximum)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def _refusal(self, value: object) -> OptionError:
        text = f"{value}" if isinstance(value, (int, float)) else as_given(value, 200)
        return OptionError(f"{self.flag} must be {self.range()} (got {text}).")


def whole_number(flag: str, value: object, minimum: int = 0) -> int:
    """Return an argument that counts something; raises ``OptionError`` for anything but a whole number of at least ``minimum``."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or operator.index(cast("int", value)) < minimum:
        raise OptionError(f"{flag} must be a whole number of at least {minimum} (got {as_given(value)}).")
    return operator.index(cast("int", value))


def open_share(flag: str, value: object) -> float:
    """Return an argument that is a share; raises ``OptionError`` for anything but a number between 0 and 1, both excluded."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < 1:
        raise OptionError(f"{flag} must be a number between 0 and 1, both excluded (got {as_given(value)}).")
    return float(value)


def _plain(number: float) -> str:
    """A number of a range, a large whole one with all its digits."""
    return f"{number:.0f}" if number == int(number) and abs(number) < 1e15 else f"{number:g}"


@functools.cache
def options_of(config: type) -> dict[str, Option]:
    """The options of a configuration dataclass by name, in their order; not to be changed."""
    hints = typing.get_type_hints(config)
    options = dict[str, Option]()
    for field in dataclasses.fields(config):
        kind, optional = hints[field.name], False
        if get_origin(kind) in (Union, types.UnionType):
            optional = True
            kind = next(part for part in get_args(kind) if part is not type(None))
        kind = get_origin(kind) or kind
        options[field.name] = Option(field.name, kind, optional, field.default, **field.metadata)
    return options


def checked(config: Config) -> Config:
    """Return the configuration with every value converted and checked.

    Raises:
        OptionError: for the first value of a wrong type or out of range.
    """
    values = {name: option.check(getattr(config, name)) for name, option in options_of(type(config)).items()}
    return dataclasses.replace(config, **values)  # type: ignore[type-var]


def build(config: type[Config], values: Settings) -> Config:
    """Make a checked configuration from keywords, a settings file or a saved folder.

    Raises:
        OptionError: for an unknown key (names the nearest) or a bad value.
    """
    options = options_of(config)
    for name in values:
        if name not in options:
            raise UnknownOptionError(f"There is no setting '{name}'.{nearest(name, options)}", name, options)
    return checked(config(**values))


def as_dict(config: DataclassInstance) -> dict[str, object]:
    """The configuration as values for JSON."""
    values = dataclasses.asdict(config)
    return {
        name: list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def signature_of(options: Mapping[str, Option]) -> inspect.Signature:
    """The signature of a method that takes these options as keywords, for help and Tab."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(name, keyword, default=option.default, annotation=option.type)
        for name, option in options.items()
    ]
    return inspect.Signature([inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD), *parameters])
