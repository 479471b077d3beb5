"""Settings of an explanation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.core.options import build, option, options_of

if TYPE_CHECKING:
    from nbtextgen.explanation.scoring import TokenScore

METHOD_NAMES = {
    "shap": "SHAP",
    "attention": "attention",
    "lime": "LIME",
    "integrated-gradients": "integrated gradients",
    "input-x-gradient": "input x gradient",
    "occlusion": "occlusion",
    "context": "context",
}
"""Every method, and its name within a sentence."""
METHODS = tuple(METHOD_NAMES)
SHORT_NAMES = {"ig": "integrated-gradients", "ixg": "input-x-gradient"}
UNITS = ("auto", "char", "token", "word", "phrase")
MISSING = ("auto", "mask", "delete", "sample")
SCORES = ("log-probability", "entropy")
ALGORITHMS = ("auto", "exact", "regression", "permutation", "partition")
EDIT_OPTIONS = ("unit", "spans", "target", "missing", "budget", "batch_size", "seed")
"""Options that the search for counterfactuals has."""


@dataclass(frozen=True)
class ExplanationConfig:
    """What is explained, and how."""

    method: tuple[str, ...] = option(("shap",), f"methods, separated by commas: {', '.join(METHODS)}")
    unit: str = option(
        "auto",
        "what the input is cut into; auto: tokens, or words for BPE; beyond 60 of them words or phrases",
        choices=UNITS,
    )
    spans: str = option(
        "", r"parts of the input that are units of their own, separated by |; \| is a bar that is part of one"
    )
    target: str | None = option(None, "explain this output instead of the one the model writes")
    contrast: str | None = option(
        None, "explain why the output was written and not this one; runner-up: the model's second choice"
    )
    score: str = option(
        "log-probability",
        "what is explained of each output token: its log-probability, or the entropy of the choice",
        choices=SCORES,
    )
    prefix: bool | None = option(
        None, "attribute to earlier output tokens as well; auto: in models without an encoder, which continue a text"
    )
    missing: str = option(
        "auto",
        "what stands for a missing unit: the mask token (auto), nothing, or text sampled from data",
        choices=MISSING,
    )
    algorithm: str = option(
        "auto",
        "how Shapley values are computed; auto: exactly up to --exact-units, else by regression or permutations",
        choices=ALGORITHMS,
    )
    exact_units: int = option(12, "most units for exact Shapley values", minimum=1, maximum=20)
    budget: int = option(2000, "most masked copies of the input read by a sampling method", minimum=50)
    donors: int = option(8, "texts that missing units are sampled from", minimum=1, maximum=1000)
    steps: int = option(32, "points on the path of integrated gradients", minimum=1, maximum=10_000)
    interactions: bool = option(False, "also compute Shapley interactions of pairs of units (with method shap)")
    faithfulness: bool = option(True, "score each explanation by removing units")
    batch_size: int = option(256, "masked copies read together", minimum=1, maximum=100_000)
    seed: int = option(1, "seed of everything that samples", minimum=0, maximum=2**32 - 1)


def configure(options: Mapping[str, object]) -> ExplanationConfig:
    """A checked configuration from keywords; ``method`` may be one text with commas, ``spans`` a list of parts.

    Raises:
        OptionError: for an unknown option, or a value out of range.
    """
    values = dict(options)
    method, spans = values.get("method"), values.get("spans")
    if isinstance(method, str):
        values["method"] = check_methods(part.strip() for part in method.split(",") if part.strip())
    elif isinstance(method, Iterable):
        values["method"] = check_methods(map(str, cast("Iterable[object]", method)))
    if isinstance(spans, Iterable) and not isinstance(spans, str):
        parts = list(cast("Iterable[object]", spans))
        if odd := [part for part in parts if not isinstance(part, str)]:
            raise OptionError(f"--spans must be parts of the text, each of them text (got {odd[0]!r}).")
        if "" in parts:
            raise OptionError("--spans has an empty part; leave it out.")
        values["spans"] = "|".join(str(part).replace("|", r"\|") for part in parts)
    return build(ExplanationConfig, values)


def configure_edits(options: Mapping[str, object]) -> ExplanationConfig:
    """As ``configure``, for the search for counterfactuals.

    Raises:
        OptionError: also for an option that only attributions have.
    """
    if odd := [name for name in options if name in options_of(ExplanationConfig) and name not in EDIT_OPTIONS]:
        flag = odd[0].replace("_", "-")
        raise OptionError(
            f"--{flag} does not apply to counterfactuals, which are outputs of the model and no attributions; leave it out."
        )
    return configure(options)


def configure_scored(options: Mapping[str, object]) -> tuple[ExplanationConfig, TokenScore | None]:
    """As ``configure``, where ``score`` may also be a function of log-probabilities and token ids, which is returned."""
    score = options.get("score")
    if not callable(score):
        return configure(options), None
    values = {name: value for name, value in options.items() if name != "score"}
    return configure(values), cast("TokenScore", score)


def full_name(method: str) -> str:
    """The full name of a method that is given by a short name, or with underscores."""
    return SHORT_NAMES.get(method, method).replace("_", "-")


def check_methods(methods: Iterable[str]) -> tuple[str, ...]:
    """The methods by their full names, each once; ``SHORT_NAMES`` are understood.

    Raises:
        OptionError: for an unknown method, naming the nearest, or if there is none.
    """
    names: list[str] = []
    for method in methods:
        name = full_name(method)
        if name not in METHODS:
            raise OptionError(f"--method must be among {', '.join(METHODS)} (got {method!r}).{nearest(name, METHODS)}")
        if name not in names:
            names.append(name)
    if not names:
        raise OptionError(f"--method names no method; choose among {', '.join(METHODS)}.")
    return tuple(names)


def method_title(method: str) -> str:
    """A method's name at the beginning of a sentence, for instance ``Attention``."""
    name = METHOD_NAMES[method]
    return name[0].upper() + name[1:]
