"""Settings of an explanation."""

from __future__ import annotations

from dataclasses import dataclass

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.core.options import option

METHODS = (
    "shap",
    "attention",
    "lime",
    "integrated-gradients",
    "input-x-gradient",
    "occlusion",
    "context",
)
UNITS = ("auto", "char", "token", "word")
MISSING = ("auto", "mask", "delete", "sample")
ALGORITHMS = ("auto", "exact", "permutation", "partition")


@dataclass(frozen=True)
class ExplanationConfig:
    """What is explained, and how."""

    method: tuple[str, ...] = option(("shap",), f"methods, separated by commas: {', '.join(METHODS)}")
    unit: str = option("auto", "what the input is cut into; auto: tokens, or words for BPE", choices=UNITS)
    spans: str = option("", "parts of the input that are units of their own, separated by |")
    target: str | None = option(None, "explain this output instead of the one the model writes")
    contrast: str | None = option(None, "explain why the output was written and not this one")
    missing: str = option(
        "auto",
        "what stands for a missing unit: the mask token (auto), nothing, or text sampled from data",
        choices=MISSING,
    )
    algorithm: str = option(
        "auto", "how Shapley values are found; auto: exactly up to --exact-units, else permutations", choices=ALGORITHMS
    )
    exact_units: int = option(12, "most units for exact Shapley values", minimum=1, maximum=20)
    budget: int = option(2000, "most masked copies of the input read by a sampling method", minimum=50)
    donors: int = option(8, "texts that missing units are sampled from", minimum=1, maximum=1000)
    steps: int = option(32, "points on the path of integrated gradients", minimum=1, maximum=10_000)
    faithfulness: bool = option(True, "score each explanation by taking units away")
    batch_size: int = option(256, "masked copies read together", minimum=1, maximum=100_000)
    seed: int = option(1, "seed of everything that samples", minimum=0, maximum=2**32 - 1)


def check_methods(methods: tuple[str, ...]) -> tuple[str, ...]:
    """The methods by their full names, each once; ``ig`` and ``ixg`` are short names.

    Raises:
        OptionError: for an unknown method, naming the nearest, or none at all.
    """
    short = {"ig": "integrated-gradients", "ixg": "input-x-gradient"}
    found: list[str] = []
    for method in methods:
        name = short.get(method, method).replace("_", "-")
        if name not in METHODS:
            raise OptionError(f"--method must be among {', '.join(METHODS)} (got {method!r}).{nearest(name, METHODS)}")
        if name not in found:
            found.append(name)
    if not found:
        raise OptionError(f"--method names no method; choose among {', '.join(METHODS)}.")
    return tuple(found)
