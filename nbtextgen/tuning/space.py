"""The search space: the values that are tried for each setting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.core.options import Option, Settings, options_of
from nbtextgen.pipeline.settings import fit_options
from nbtextgen.tokenizers.config import TokenizerConfig
from nbtextgen.training.config import TOKEN_METRICS

if TYPE_CHECKING:
    import optuna

TUNABLE = ("learning_rate", "hidden_size", "dropout", "batch_size", "cell", "attention", "label_smoothing")
"""Settings that are worth searching, most important first."""


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; ``logarithmic`` samples every order of magnitude equally often."""

    low: float
    high: float
    logarithmic: bool = False

    @classmethod
    def between(cls, low: float, high: float) -> Range:
        """The range between two numbers, logarithmic if it spans a factor of eight."""
        return cls(low, high, logarithmic=low > 0 and high / low >= 8)


Domain = Range | Sequence[Any]
"""The values of one setting: a range of numbers, or a list."""


def search_space(settings: Mapping[str, object] | Iterable[str], options: Settings) -> dict[str, Domain]:
    """Check the settings to search and fill in their usual ranges.

    Args:
        settings: as in ``tune``.
        options: settings that stay the same in all trials.

    Raises:
        OptionError: as in ``tune``.
    """
    available = fit_options()
    domains = dict(cast("Mapping[str, object]", settings)) if isinstance(settings, Mapping) else dict.fromkeys(settings)
    if not domains:
        raise OptionError("There is nothing to search: name at least one setting, for instance learning_rate.")
    space: dict[str, Domain] = {}
    for name, values in domains.items():
        if name not in available:
            raise OptionError(f"There is no setting '{name}'.{nearest(name, available)}")
        option = available[name]
        if name in options:
            raise OptionError(f"{option.flag} is both fixed and searched; leave it out of one of them.")
        if name in options_of(TokenizerConfig) and (options.get("select_by") or "loss") in TOKEN_METRICS:
            raise OptionError(
                f"{option.flag} changes the tokens, and losses per token then cannot be compared; "
                "compare by a metric, for instance select_by='chrf'."
            )
        space[name] = usual_range(option) if values is None else _domain(option, values)
    return space


def usual_range(option: Option) -> Domain:
    """The values searched by default: the usual range of a number, or all choices.

    Raises:
        OptionError: for a setting without a usual range.
    """
    if option.choices is not None:
        return tuple(option.choices)
    if option.type is bool:
        return (False, True)
    if option.usual is None:
        raise OptionError(f"{option.flag} has no usual range; give one, for instance Range(low, high).")
    return Range.between(*option.usual)


def _domain(option: Option, values: object) -> Domain:
    """Check the values given for one setting."""
    numeric = option.type in (int, float)
    if numeric and isinstance(values, tuple):
        ends = cast("tuple[float, ...]", values)
        if len(ends) == 2 and not any(isinstance(end, str) for end in ends):
            values = Range.between(*ends)
    if isinstance(values, Range):
        if not numeric:
            raise OptionError(f"{option.flag} is not a number; give a list of values to search.")
        low, high = option.check(values.low), option.check(values.high)
        if low > high or (values.logarithmic and low <= 0):
            raise OptionError(f"{option.flag}: a range goes from a lower to a higher number (got {low:g} to {high:g}).")
        return Range(low, high, values.logarithmic)
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise OptionError(f"{option.flag}: give a Range, a (low, high) or a list of values (got {values!r}).")
    return tuple(option.check(value) for value in cast("Sequence[object]", values))


def suggest(trial: optuna.Trial, name: str, domain: Domain) -> Any:
    """Let the sampler choose a value of one setting."""
    if not isinstance(domain, Range):
        return trial.suggest_categorical(name, list(domain))
    if fit_options()[name].type is int:
        low, high = int(domain.low), int(domain.high)
        if name == "hidden_size" and low % 8 == 0 and high - low >= 16:
            # A bidirectional encoder halves the width, and attention's heads divide it.
            return 8 * trial.suggest_int(name, low // 8, high // 8, log=domain.logarithmic)
        return trial.suggest_int(name, low, high, log=domain.logarithmic)
    value = trial.suggest_float(name, domain.low, domain.high, log=domain.logarithmic)
    return float(f"{value:.3g}") if domain.logarithmic else round(value, 3)
