"""``Configurable``: the settings of a ``TextGenerator`` before it is trained, and what a training with them would cost."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar, Unpack

from nbtextgen.core.errors import OptionError, UnknownOptionError, nearest, our_name
from nbtextgen.core.files import JsonObject
from nbtextgen.core.options import options_of
from nbtextgen.data.readers.columns import ColumnName
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.pipeline.estimate import CostEstimate, trial_run
from nbtextgen.pipeline.settings import fit_options

if TYPE_CHECKING:
    from sklearn.utils import Tags

    from nbtextgen.core.option_types import GeneratorOptions
    from nbtextgen.training.range_test import RangeTest

P = ParamSpec("P")
R = TypeVar("R")
_arguments: dict[str, tuple[str, ...]] = {}
"""By the name of a method that ``checks_keywords`` guards, the names of its arguments."""


def checks_keywords(method: Callable[P, R]) -> Callable[P, R]:
    """Let a method raise ``OptionError`` for a keyword that it does not have, with where that belongs, or too many values.

    A method with ``**options`` says itself which it knows, by ``UnknownOptionError``.
    """
    _, *parameters = inspect.signature(method).parameters.values()
    arguments = _arguments[method.__name__] = tuple(each.name for each in parameters)
    places = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    takes_others = any(each.kind is each.VAR_KEYWORD for each in parameters)

    def refusal(name: str, known: Iterable[str]) -> OptionError:
        return OptionError(f"{method.__name__}() has no option '{name}'.{_way_out(name, (*arguments, *known))}")

    @functools.wraps(method)
    def checked(*args: P.args, **keywords: P.kwargs) -> R:
        for name in (each for each in keywords if not takes_others and each not in arguments):
            raise refusal(name, ())
        if len(args) > len(places) + 1:
            named = ", ".join(f"{name}=..." for name in arguments[len(places) : len(places) + 3])
            raise OptionError(
                f"{method.__name__}() takes {' and '.join(places)} alone by place; give the others by name: {named}."
            )
        try:
            return method(*args, **keywords)
        except UnknownOptionError as error:
            if error.name not in keywords:
                raise
            raise refusal(error.name, error.known) from None

    return checked


class Configurable:
    """The part of ``TextGenerator`` that holds its settings, with scikit-learn's interface to them."""

    def __init__(self, **options: Unpack[GeneratorOptions]) -> None:
        self._options: JsonObject = {name: option.default for name, option in fit_options().items()}
        self.set_params(**options)

    def get_params(self, deep: bool = True) -> JsonObject:
        """The settings by name, as given, with the parameters that a subclass adds to the constructor."""
        return {**self._options, **{name: getattr(self, name) for name in self._added_parameters()}}

    def _added_parameters(self) -> list[str]:
        """Parameters of a subclass's constructor, which it keeps as attributes of the same name (scikit-learn's rule)."""
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        parameters = inspect.signature(type(self)).parameters.values()
        return [each.name for each in parameters if each.kind in named and each.name not in self._options]

    def set_params(self, **options: Unpack[GeneratorOptions]) -> Self:
        """Change settings for the next ``fit``; raises ``OptionError`` as the constructor does."""
        available = fit_options()
        for name in options.keys() & set(self._added_parameters()):
            setattr(self, name, options.pop(name))
        for name, value in options.items():
            if name not in available:
                raise OptionError(f"TextGenerator has no option '{name}'.{_way_out(name, available)}")
            checked = available[name].check(value)
            if callable(value) or isinstance(value, str) and isinstance(checked, str):
                options[name] = checked  # a metric of the user by its name, LSTM as lstm
        self._options.update(options)
        return self

    def __sklearn_tags__(self) -> Tags:
        from sklearn.utils import InputTags, Tags, TargetTags

        tags = Tags(estimator_type=None, target_tags=TargetTags(required=False))
        tags.input_tags = InputTags(two_d_array=False, string=True)
        return tags

    @checks_keywords
    def estimate(
        self,
        data: object,
        targets: object = None,
        *,
        source: ColumnName | None = None,
        target: ColumnName | None = None,
        encoding: str | None = None,
    ) -> CostEstimate:
        """Estimate parameters, memory and time of ``fit``, from a few real updates on a sample of the data.

        With ``store``, the first pairs and the size of the files stand for all.

        Args:
            data, targets, source, target, encoding: as in ``fit``.
        """
        return trial_run(self._options, data, targets, source, target, encoding).estimate()

    @checks_keywords
    def find_learning_rate(
        self,
        data: object,
        targets: object = None,
        *,
        updates: int = 150,
        source: ColumnName | None = None,
        target: ColumnName | None = None,
        encoding: str | None = None,
    ) -> RangeTest:
        """Train a throw-away network at increasing learning rates (range test: Smith 2017, sec. 3.3).

        Args:
            data, targets, source, target, encoding: as in ``fit``.
            updates: most updates.

        Returns:
            ``rates``, ``losses`` and the ``suggestion``; a notebook shows them as a chart.
        """
        return trial_run(self._options, data, targets, source, target, encoding).find_learning_rate(updates=updates)


def _way_out(name: str, taken: Iterable[str]) -> str:
    """What to do instead of giving an option that is not among those that are ``taken``, as a sentence."""
    ours, settings = our_name(name), fit_options()
    if ours != name and (misspelled := nearest(name, taken)):
        return misspelled
    if ours not in taken:
        subject = "It" if name == ours else ours
        if ours in settings:
            return f" {subject} is a setting of the constructor: TextGenerator({ours}=...)."
        if ours in _arguments.get("fit", ()):
            return f" {subject} is an option of fit(): fit(..., {ours}=...)."
        more = {"generate": options_of(DecodingConfig), "explain": options_of(ExplanationConfig)}
        owners = {method: (*names, *more.get(method, ())) for method, names in _arguments.items()}
        methods = [f"{method}()" for method, names in owners.items() if ours in names]
        if methods:
            return f" {subject} is an option of {' and '.join(methods)}."
    return nearest(name, taken) or nearest(name, settings)
